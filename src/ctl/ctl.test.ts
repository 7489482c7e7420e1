import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { api, decodeMessage, encodeMessage, type Schema } from "../proto/index.ts";
import {
  assertRefused,
  assertShown,
  CannedServer,
  type Refusal,
  reply,
  type Run,
  runCtl,
} from "./testing.ts";

// The outputs are what etcdctl 3.7.3 printed for these answers.

const header = {
  clusterId: 14064829369057666914n,
  memberId: 7234835788977491870n,
  revision: 7,
  raftTerm: 2,
};
const pair = {
  key: Buffer.from("a"),
  value: Buffer.from("x"),
  createRevision: 6,
  modRevision: 6,
  version: 1,
};
const HEADER_JSON =
  '"cluster_id":14064829369057666914,"member_id":7234835788977491870,"revision":7,"raft_term":2';
const HEADER_FIELDS = `"ClusterID" : 14064829369057666914
"MemberID" : 7234835788977491870
"Revision" : 7
"RaftTerm" : 2
`;

const LEASE = 5737201178418637098n;
const snapshotBlob = Buffer.alloc(512, 7);

const answers = {
  "/etcdserverpb.KV/Range": reply(api.RangeResponse, { header, kvs: [pair], count: 1 }),
  "/etcdserverpb.KV/Put": reply(api.PutResponse, { header, prevKv: pair }),
  "/etcdserverpb.KV/DeleteRange": reply(api.DeleteRangeResponse, {
    header,
    deleted: 1,
    prevKvs: [pair],
  }),
  "/etcdserverpb.KV/Txn": reply(api.TxnResponse, {
    header,
    succeeded: true,
    responses: [{ responsePut: { header: { revision: 7 } } }, { responseRange: { kvs: [pair] } }],
  }),
  "/etcdserverpb.KV/Compact": {
    code: 11,
    message: "etcdserver: mvcc: required revision is a future revision",
  },
  "/etcdserverpb.Lease/LeaseGrant": reply(api.LeaseGrantResponse, { header, ID: LEASE, TTL: 100 }),
  "/etcdserverpb.Lease/LeaseRevoke": {
    code: 5,
    message: "etcdserver: requested lease not found",
  },
  "/etcdserverpb.Lease/LeaseTimeToLive": reply(api.LeaseTimeToLiveResponse, {
    header,
    ID: LEASE,
    TTL: 90,
    grantedTTL: 100,
    keys: [Buffer.from("a"), Buffer.from("b")],
  }),
  "/etcdserverpb.Lease/LeaseLeases": reply(api.LeaseLeasesResponse, {
    header,
    leases: [{ ID: LEASE }],
  }),
  "/etcdserverpb.Cluster/MemberList": reply(api.MemberListResponse, {
    header: { ...header, revision: 0 },
    members: [
      {
        ID: header.memberId,
        name: "default",
        peerURLs: ["http://127.0.0.1:24001"],
        clientURLs: ["http://127.0.0.1:24000"],
      },
    ],
  }),
  "/etcdserverpb.Maintenance/Status": reply(api.StatusResponse, {
    header,
    version: "3.7.3",
    dbSize: 20480,
    leader: header.memberId,
    raftIndex: 19,
    raftTerm: 2,
    raftAppliedIndex: 19,
    dbSizeInUse: 16384,
    storageVersion: "3.7.0",
    dbSizeQuota: 2147483648,
    downgradeInfo: {},
  }),
  "/etcdserverpb.Maintenance/HashKV": reply(api.HashKVResponse, {
    header,
    hash: 337394659,
    compactRevision: -1,
    hashRevision: 7,
  }),
  "/etcdserverpb.Maintenance/Snapshot": reply(
    api.SnapshotResponse,
    { blob: snapshotBlob, remainingBytes: 32, version: "3.7.0" },
    { blob: Buffer.alloc(32), version: "3.7.0" },
  ),
};

let server: CannedServer;
before(async () => {
  server = await CannedServer.start(answers);
});
after(() => server.stop());

const ctl = (line: string, stdin = ""): Promise<Run> =>
  runCtl([`--endpoints=${server.endpoint}`, ...line.split(" ")], { stdin });

const OUTPUTS: readonly (readonly [line: string, out: string])[] = [
  ["get a", "a\nx\n"],
  ["get a --hex", "\\x61\n\\x78\n"],
  ["get a --print-value-only", "x\n"],
  [
    "get a -w json",
    `{"header":{${HEADER_JSON}},"kvs":[{"key":"YQ==","create_revision":6,"mod_revision":6,` +
      '"version":1,"value":"eA=="}],"count":1}\n',
  ],
  [
    "get a -w fields",
    `${HEADER_FIELDS}"Key" : "a"
"CreateRevision" : 6
"ModRevision" : 6
"Version" : 1
"Value" : "x"
"Lease" : 0
"More" : false
"Count" : 1
`,
  ],
  ["put a x --prev-kv", "OK\na\nx\n"],
  ["del a --prev-kv", "1\na\nx\n"],
  ["lease grant 100", "lease 4f9ea2132498692a granted with TTL(100s)\n"],
  ["lease grant 100 -w json", `{${HEADER_JSON},"ID":5737201178418637098,"TTL":100,"Error":""}\n`],
  [
    "lease timetolive 5 --keys",
    "lease 4f9ea2132498692a granted with TTL(100s), remaining(90s), attached keys([a b])\n",
  ],
  [
    "lease timetolive 5 -w json",
    `{${HEADER_JSON},"id":5737201178418637098,"ttl":90,"granted-ttl":100,"keys":["YQ==","Yg=="]}\n`,
  ],
  ["lease list", "found 1 leases\n4f9ea2132498692a\n"],
  ["lease list -w json", `{${HEADER_JSON},"leases":[{"id":5737201178418637098}]}\n`],
  ["lease list -w fields", `${HEADER_FIELDS}"ID" : 5737201178418637098\n`],
  [
    "member list",
    "64674cd17a494f9e, started, default, http://127.0.0.1:24001, http://127.0.0.1:24000, false\n",
  ],
  [
    "member list -w json --hex",
    '{"header":{"cluster_id":"c3304fcae129e762","member_id":"64674cd17a494f9e","raft_term":2},' +
      '"members":[{"ID":"64674cd17a494f9e","name":"default",' +
      '"peerURLs":["http://127.0.0.1:24001"],"clientURLs":["http://127.0.0.1:24000"]}]}\n',
  ],
  ["version", "etcdctl version: 3.7.3\nAPI version: 3.7\n"],
];

test("answers are shown as etcdctl shows them", async () => {
  await assertShown(ctl, OUTPUTS);
});

test("the status of endpoints comes in four forms", async () => {
  const ep = server.endpoint;
  const row =
    `${ep}, 64674cd17a494f9e, 3.7.3, 3.7.0, 20 kB, 16 kB, 20%, 2.1 GB, true, false, 2, 19, 19, ` +
    ", , false\n";
  assert.equal((await ctl("endpoint status")).out.toString(), row);
  assert.equal(
    (await ctl("endpoint status -w json")).out.toString(),
    `[{"Endpoint":"${ep}","Status":{"header":{${HEADER_JSON}},"version":"3.7.3","dbSize":20480,` +
      '"leader":7234835788977491870,"raftIndex":19,"raftTerm":2,"raftAppliedIndex":19,' +
      '"dbSizeInUse":16384,"storageVersion":"3.7.0","dbSizeQuota":2147483648,' +
      '"downgradeInfo":{}}}]\n',
  );
  assert.equal((await ctl("endpoint hashkv")).out.toString(), `${ep}, 337394659, 7\n`);
  const table = (await ctl("endpoint status -w table")).out.toString();
  assert.match(table, /│ PERCENTAGE NOT IN USE │/);
  const refused = await ctl("endpoint status -w protobuf");
  assert.deepEqual(
    [refused.status, refused.err],
    [4, "Error: protobuf not supported as output format\n"],
  );
});

test("protobuf output is the message, and for leases only its header", async () => {
  const range = await ctl("get a -w protobuf");
  assert.deepEqual(
    decodeMessage(api.RangeResponse, range.out).kvs.map(({ key }) => Buffer.from(key)),
    [Buffer.from("a")],
  );
  const grant = await ctl("lease grant 100 -w protobuf");
  assert.deepEqual(grant.out, Buffer.from(encodeMessage(api.ResponseHeader, header)));
});

async function requestOf<T>(line: string, schema: Schema<T>, stdin = ""): Promise<T> {
  server.requests.length = 0;
  await ctl(line, stdin);
  return decodeMessage(schema, server.requests.at(-1)!.bytes);
}

test("flags become fields of the request", async () => {
  const get = await requestOf(
    "get k --prefix --limit 3 --rev 4 --order descend --sort-by MODIFY --consistency s",
    api.RangeRequest,
  );
  assert.equal(Buffer.from(get.rangeEnd).toString(), "l");
  assert.deepEqual(
    [get.limit, get.revision, get.sortOrder, get.sortTarget, get.serializable],
    [3, 4, 2, 3, true],
  );
  const ascending = await requestOf("get k --order ascend", api.RangeRequest);
  assert.equal(ascending.sortOrder, 0);
  const put = await requestOf("put k --lease 2a", api.PutRequest, "from stdin\n");
  assert.equal(put.lease, 42n);
  assert.equal(Buffer.from(put.value).toString(), "from stdin\n");
  const del = await requestOf("del k --from-key", api.DeleteRangeRequest);
  assert.deepEqual([...del.rangeEnd], [0]);
});

test("a transaction is read from standard input and its answers shown in order", async () => {
  const lines = 'mod("k") > "0"\n\nput k "v w"\nget k\n\ndel k\n\n';
  const run = await ctl("txn", lines);
  assert.deepEqual([run.status, run.out.toString()], [0, "SUCCESS\n\nOK\n\na\nx\n"]);
  const request = await requestOf("txn -i", api.TxnRequest, lines);
  assert.equal(request.compare[0]!.modRevision, 0);
  assert.equal(Buffer.from(request.success[0]!.requestPut!.value).toString(), "v w");
  assert.ok(request.failure[0]!.requestDeleteRange);
  const json = await ctl("txn -w json", lines);
  assert.equal(
    json.out.toString(),
    `{"header":{${HEADER_JSON}},"succeeded":true,"responses":[` +
      '{"Response":{"response_put":{"header":{"revision":7}}}},' +
      '{"Response":{"response_range":{"kvs":[{"key":"YQ==","create_revision":6,"mod_revision":6,' +
      '"version":1,"value":"eA=="}]}}}]}\n',
  );
});

test("a failed call leaves the client's line and an error", async () => {
  const compact = await ctl("compaction 9");
  assert.equal(compact.status, 1);
  const [line, error] = compact.err.split("\n") as [string, string];
  assert.equal(error, "Error: etcdserver: mvcc: required revision is a future revision");
  const { ts, target, peer, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.match(String(ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d{4})$/);
  assert.match(String(target), /^etcd-endpoints:\/\/0x[0-9a-f]+\/127\.0\.0\.1:\d+$/);
  assert.match(
    String(peer),
    /^Peer\{Addr: '127\.0\.0\.1:\d+', LocalAddr: '[^']+', AuthInfo: 'insecure'\}$/,
  );
  assert.deepEqual(rest, {
    level: "warn",
    logger: "etcd-client",
    caller: "v3@v3.7.3/retry_interceptor.go:68",
    msg: "retrying of unary invoker failed",
    method: "/etcdserverpb.KV/Compact",
    attempt: 0,
    error:
      "rpc error: code = OutOfRange desc = " +
      "etcdserver: mvcc: required revision is a future revision",
  });
  const revoke = await ctl("lease revoke 5");
  assert.match(
    revoke.err,
    /\nError: failed to revoke lease \(etcdserver: requested lease not found\)\n$/,
  );
});

const REFUSALS: readonly Refusal[] = [
  ["get", 128, "get command needs one argument as key and an optional argument as range_end"],
  [
    "get a --prefix --from-key",
    128,
    "`--prefix` and `--from-key` cannot be set at the same time, choose one",
  ],
  ["get a --consistency q", 4, 'unknown consistency flag "q"'],
  ["get a --order up", 4, "bad sort order up"],
  ["get a -w xml", 4, "unsupported output format"],
  ["get a -w table", 4, "table not supported as output format"],
  ["get a --count-only", 128, "--count-only is only for `--write-out=fields`"],
  [
    "put a b --lease zz",
    128,
    'bad lease ID (strconv.ParseInt: parsing "zz": invalid syntax), expecting ID in Hex',
  ],
  ["put a", 128, "put command needs 1 argument and input from stdin or 2 arguments"],
  ["compaction x", 1, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ["lease grant x", 128, 'bad TTL (strconv.ParseInt: parsing "x": invalid syntax)'],
  ["txn", 3, "EOF"],
  ["watch", 128, "bad number of arguments"],
  ["--cert= get a", 128, "empty string is passed to --cert option"],
  ["--cert=/x get a", 128, "KeyFile and CertFile must both be present[key: , cert: /x]"],
];

test("wrong calls end with etcdctl's texts and statuses", async () => {
  await assertRefused(ctl, REFUSALS);
});

test("a server that is not there is waited for as long as the command may take", async () => {
  const run = await runCtl(["--endpoints=127.0.0.1:1", "--command-timeout=100ms", "get", "a"]);
  assert.equal(run.status, 1);
  assert.match(run.err, /"peer":"Peer\{Addr: <nil>, LocalAddr: <nil>, AuthInfo: <nil>\}"/);
  assert.match(run.err, /dial tcp 127\.0\.0\.1:1: connect: connection refused/);
  assert.match(run.err, /\nError: context deadline exceeded\n$/);
});

test("variables stand for flags that are not given, and never against them", async () => {
  const endpoints = `--endpoints=${server.endpoint}`;
  const json = await runCtl(["get", "a"], {
    env: { ETCDCTL_ENDPOINTS: server.endpoint, ETCDCTL_WRITE_OUT: "json" },
  });
  assert.match(json.out.toString(), /^\{"header"/);
  const shadowed = await runCtl([endpoints, "get", "a"], { env: { ETCDCTL_ENDPOINTS: "x" } });
  assert.deepEqual([shadowed.status, shadowed.out.length], [1, 0]);
  assert.match(shadowed.err, /"environment-variable":"ETCDCTL_ENDPOINTS"/);
  const unknown = await runCtl([endpoints, "get", "a"], { env: { ETCDCTL_API: "3" } });
  assert.equal(unknown.out.toString(), "a\nx\n");
  assert.match(unknown.err, /"unrecognized environment variable".*"ETCDCTL_API=3"/);
});

test("a snapshot gets its name when it is whole", async () => {
  const directory = await mkdtemp(join(tmpdir(), "quordctl-"));
  try {
    const path = join(directory, "db");
    const run = await ctl(`snapshot save ${path}`);
    assert.equal(run.out.toString(), `Snapshot saved at ${path}\nServer version 3.7.0\n`);
    assert.deepEqual(await readFile(path), Buffer.concat([snapshotBlob, Buffer.alloc(32)]));
    assert.deepEqual(await readdir(directory), ["db"]);
    const missing = await ctl(`snapshot save ${directory}/no/db`);
    assert.equal(missing.status, 5);
    assert.match(missing.err, /Error: could not open .*no such file or directory\)\n$/);
  } finally {
    await rm(directory, { recursive: true });
  }
});
