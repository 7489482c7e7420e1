import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textToBytes } from "../base/index.ts";
import { api, jsonToMessage, messageToJson, scanJson } from "./index.ts";

const read = (text: string) => jsonToMessage(api.RangeRequest, textToBytes(text));

// Every line was sent to etcd 3.7.3 and the text is what it answered.
const REFUSED: readonly (readonly [json: string, text: string])[] = [
  ["bad", "invalid character 'b' looking for beginning of value"],
  ["{bad", "invalid character 'b' looking for beginning of object key string"],
  ['{"key"', "unexpected EOF"],
  ['{"key":"Zm9v"', "unexpected EOF"],
  ['{"key":"Zm9v",}', "invalid character '}' looking for beginning of object key string"],
  ['{"key":"Zm9v" "a":1}', "invalid character '\"' after object key:value pair"],
  ['{"x":tru}', "invalid character '}' in literal true (expecting 'e')"],
  ['{"x":-}', "invalid character '}' in numeric literal"],
  ['{"x":1.}', "invalid character '}' after decimal point in numeric literal"],
  ['{"x":1e}', "invalid character '}' in exponent of numeric literal"],
  ['{"x":"\\q"}', "invalid character 'q' in string escape code"],
  ['{"x":"\\u12g4"}', "invalid character 'g' in \\u hexadecimal character escape"],
  ['{"x":[1 2]}', "invalid character '2' after array element"],
  ["{'key':1}", "invalid character '\\'' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"key":"a\nb"}', "invalid character '\\n' in string literal"],
  ['{"key":"*"}', 'proto: (line 1:8): invalid value for bytes field key: "*"'],
  ['{"key":5}', "proto: (line 1:8): invalid value for bytes field key: 5"],
  ['{"key":"Zm9vYg="}', 'proto: (line 1:8): invalid value for bytes field key: "Zm9vYg="'],
  ['{"key":"-/-_"}', 'proto: (line 1:8): invalid value for bytes field key: "-/-_"'],
  ['{"key":"Z"}', 'proto: (line 1:8): invalid value for bytes field key: "Z"'],
  ['{"key":"Zm9v","key":"Zm9v"}', 'proto: (line 1:15): duplicate field "key"'],
  ['{"limit":"1.5"}', 'proto: (line 1:10): invalid value for int64 field limit: "1.5"'],
  ['{"limit":" 1"}', 'proto: (line 1:10): invalid value for int64 field limit: " 1"'],
  ['{"limit":""}', 'proto: (line 1:10): invalid value for int64 field limit: ""'],
  [
    '{"limit":99999999999999999999}',
    "proto: (line 1:10): invalid value for int64 field limit: 99999999999999999999",
  ],
  ['{"sort_order":[1]}', "proto: (line 1:15): invalid value for enum field sortOrder: ["],
  ['{"keys_only":"yes"}', 'proto: (line 1:14): invalid value for bool field keysOnly: "yes"'],
  ['{"rangeEnd":5}', "proto: (line 1:13): invalid value for bytes field rangeEnd: 5"],
  ['{"ünï":"\\u00e9","key":"!"}', 'proto: (line 1:23): invalid value for bytes field key: "!"'],
  [
    '{"key":"Zm9v",\n "limit":"abc"}',
    'proto: (line 2:10): invalid value for int64 field limit: "abc"',
  ],
  ["[1]", "proto: syntax error (line 1:1): unexpected token ["],
  ["null", "proto: syntax error (line 1:1): unexpected token null"],
];

test("what is not a message is refused in etcd's words", () => {
  for (const [json, text] of REFUSED) assert.deepEqual(read(json), { kind: "error", text }, json);
  const latin = jsonToMessage(api.RangeRequest, Uint8Array.of(0x7b, 0xc3));
  const text = "invalid character 'Ã' looking for beginning of object key string";
  assert.deepEqual(latin, { kind: "error", text });
  const cut = jsonToMessage(
    api.RangeRequest,
    Uint8Array.of(...textToBytes('{"key":"'), 0xff, 0x22, 0x7d),
  );
  const broken = "proto: syntax error (line 1:8): invalid UTF-8 in string";
  assert.deepEqual(cut, { kind: "error", text: broken });
});

const TXN_REFUSED: readonly (readonly [json: string, text: string])[] = [
  [
    '{"compare":[{"key":"Zm9v","version":"1","mod_revision":"1"}]}',
    'proto: (line 1:41): error parsing "mod_revision", oneof etcdserverpb.Compare.target_union ' +
      "is already set",
  ],
  ['{"compare":{"key":1}}', "proto: syntax error (line 1:12): unexpected token {"],
  ['{"compare":[null]}', "proto: syntax error (line 1:13): unexpected token null"],
  ['{"success":[{"requestPut":[]}]}', "proto: syntax error (line 1:27): unexpected token ["],
];

test("refusals inside lists and oneofs name the place and the oneof", () => {
  for (const [json, text] of TXN_REFUSED) {
    const result = jsonToMessage(api.TxnRequest, textToBytes(json));
    assert.deepEqual(result, { kind: "error", text }, json);
  }
});

test("names, numbers, enums and bytes are read in all their forms", () => {
  const forms: readonly (readonly [json: string, field: keyof api.RangeRequest, value: unknown])[] =
    [
      ['{"range_end":"AA=="}', "rangeEnd", Uint8Array.of(0)],
      ['{"rangeEnd":"AA"}', "rangeEnd", Uint8Array.of(0)],
      ['{"key":"-_-_"}', "key", Uint8Array.of(0xfb, 0xff, 0xbf)],
      ['{"limit":"12"}', "limit", 12],
      ['{"limit":1.0}', "limit", 1],
      ['{"limit":10e-1}', "limit", 1],
      ['{"limit":"1e1"}', "limit", 10],
      ['{"revision":-1}', "revision", -1],
      ['{"sort_order":"DESCEND"}', "sortOrder", 2],
      ['{"sort_order":2}', "sortOrder", 2],
      ['{"sort_order":"LATER_VERSION"}', "sortOrder", 0],
      ['{"later":{"x":[1,{"y":"}"}]},"limit":3}', "limit", 3],
      ['{"limit":null}', "limit", 0],
      [' \n{"limit":4} trailing', "limit", 4],
    ];
  for (const [json, field, value] of forms) {
    const result = read(json);
    assert.equal(result.kind, "message", json);
    if (result.kind !== "message") continue;
    const got = result.message[field];
    assert.deepEqual(got instanceof Uint8Array ? new Uint8Array(got) : got, value, json);
  }
});

test("a lease id above 2^53 written as a number is read exactly", () => {
  const json = textToBytes('{"ID":7587895424127345667}');
  const result = jsonToMessage(api.LeaseRevokeRequest, json);
  assert.equal(result.kind === "message" && result.message.ID, 7587895424127345667n);
});

test("an empty body is the end, not an error", () => {
  assert.deepEqual(read(""), { kind: "end" });
  assert.deepEqual(read(" \n"), { kind: "end" });
});

test("messages are written with proto names, text for 64 bits, and without zeros", () => {
  const header = { clusterId: 14841639068965178418n, memberId: 1n, revision: 5, raftTerm: 2 };
  const kvs = [{ key: textToBytes("foo"), createRevision: 5, version: 1 }];
  assert.equal(
    messageToJson(api.RangeResponse, { header, kvs, count: 1 }),
    '{"header":{"cluster_id":"14841639068965178418","member_id":"1","revision":"5",' +
      '"raft_term":"2"},"kvs":[{"key":"Zm9v","create_revision":"5","version":"1"}],"count":"1"}',
  );
  assert.equal(messageToJson(api.StatusResponse, { downgradeInfo: {} }), '{"downgradeInfo":{}}');
  const alarms = [{ memberID: 1n, alarm: 1 }, { alarm: 9 }];
  assert.equal(
    messageToJson(api.AlarmResponse, { alarms }),
    '{"alarms":[{"memberID":"1","alarm":"NOSPACE"},{"alarm":9}]}',
  );
  assert.equal(messageToJson(api.HashKVResponse, { hash: 7 }), '{"hash":7}');
  assert.equal(messageToJson(api.RequestOp, { requestPut: {} }), '{"request_put":{}}');
});

test("the scanner ends exactly where JSON.parse would", () => {
  fc.assert(
    fc.property(fc.json(), fc.string(), (json, rest) => {
      // A number may go on in the rest, so something ends it.
      const scan = scanJson(textToBytes(`${json} ${rest}`), 0);
      assert.deepEqual(scan, { kind: "value", end: textToBytes(json).length });
    }),
  );
});

test("neither damaged JSON nor noise throws or hangs", () => {
  const valid = textToBytes(
    '{"compare":[{"key":"Zm9v","result":"LESS","version":"1"}],"success":[{"request_range":{}}]}',
  );
  const damaged = fc
    .tuple(fc.nat(valid.length - 1), fc.nat(255))
    .map(([at, byte]) => valid.with(at, byte));
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      jsonToMessage(api.TxnRequest, bytes);
    }),
  );
});
