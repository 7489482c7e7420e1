import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { api, decodeMessage, encodeMessage, messageToJson, type Schema } from "../proto/index.ts";
import { ROUTES } from "./gateway-routes.ts";
import { jsonParts } from "./json-parts.ts";

const bytes = fc.uint8Array({ maxLength: 30 });
const pair = fc.record({
  key: bytes,
  value: fc.oneof(bytes, fc.constant(new Uint8Array(3000))),
  createRevision: fc.nat(),
  modRevision: fc.nat(),
  version: fc.nat(),
  lease: fc.bigInt(0n, 2n ** 63n - 1n),
});
const range = fc.record({
  header: fc.option(fc.record({ clusterId: fc.bigInt(0n, 2n ** 64n - 1n) }), { nil: undefined }),
  kvs: fc.array(pair, { maxLength: 20 }),
  more: fc.boolean(),
  count: fc.nat(),
});

/** Bytes cut anywhere. */
function cut(whole: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...new Set(at.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
  return [...ends, whole.length].map((end, i) => whole.subarray(ends[i - 1] ?? 0, end));
}

function check(schema: Schema<object>, whole: Uint8Array, cuts: readonly number[]): void {
  const wanted = messageToJson(schema, decodeMessage(schema, whole));
  assert.equal([...jsonParts(schema, whole)].join(""), wanted);
  assert.equal([...jsonParts(schema, cut(whole, cuts))].join(""), wanted);
}

test("the parts of a range's answer make up its JSON, however it is cut", () => {
  fc.assert(
    fc.property(range, fc.array(fc.nat(50_000), { maxLength: 5 }), (message, cuts) =>
      check(api.RangeResponse, encodeMessage(api.RangeResponse, message), cuts),
    ),
  );
});

test("so do those of a transaction's, with long answers inside", () => {
  const ops = fc.array(
    fc.oneof(
      fc.record({ responseRange: range }),
      fc.record({ responsePut: fc.record({ prevKv: pair }) }),
      fc.constant({}),
    ),
    { maxLength: 3 },
  );
  const txn = fc.record({ succeeded: fc.boolean(), responses: ops });
  fc.assert(
    fc.property(txn, fc.array(fc.nat(50_000), { maxLength: 3 }), (message, cuts) =>
      check(api.TxnResponse, encodeMessage(api.TxnResponse, message), cuts),
    ),
  );
});

test("lists of scalars and empty messages are the same in parts, too", () => {
  const keys = Array.from({ length: 2000 }, (_, i) => Buffer.from(`key-${i}`));
  const ttl = encodeMessage(api.LeaseTimeToLiveResponse, { TTL: 5, grantedTTL: 9, keys });
  check(api.LeaseTimeToLiveResponse, ttl, [1, 2, 3, 999]);
  const users = Array.from({ length: 5000 }, (_, i) => `üser-${i}`);
  check(api.AuthUserListResponse, encodeMessage(api.AuthUserListResponse, { users }), [7]);
  check(api.RangeResponse, new Uint8Array(0), [0]);
});

test("no part is much longer than its longest field", () => {
  const kvs = Array.from({ length: 3000 }, () => ({ value: new Uint8Array(1000) }));
  const lengths = [...jsonParts(api.RangeResponse, encodeMessage(api.RangeResponse, { kvs }))].map(
    (part) => part.length,
  );
  assert.ok(lengths.length > 40, `${lengths.length} parts`);
  assert.ok(Math.max(...lengths) < 70_000);
});

test("fields of every answer are written in the order of their declaration", () => {
  for (const { response } of ROUTES.values()) {
    const numbers = response.fields.map(({ number }) => number);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  }
});
