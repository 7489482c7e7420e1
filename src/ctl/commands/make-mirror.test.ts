import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, decodeMessage, type Init, type Schema } from "../../proto/index.ts";
import { CannedServer, reply, type Run, runCtl } from "../testing.ts";

const header = { revision: 7 };
const put = (key: string, modRevision: number) => ({
  type: api.EVENT_TYPE.PUT,
  kv: { key: Buffer.from(key), value: Buffer.from(`${key} now`), modRevision },
});
const deletion = (key: string, modRevision: number) => ({
  type: api.EVENT_TYPE.DELETE,
  kv: { key: Buffer.from(key), modRevision },
});

/** Two keys, then changes of three revisions, then the end: the history was compacted. */
let source: CannedServer;
let target: CannedServer;
before(async () => {
  const watched = (answer: Init<api.WatchResponse>) => ({ header, watchId: 0, ...answer });
  source = await CannedServer.start({
    "/etcdserverpb.KV/Range": reply(api.RangeResponse, {
      header,
      kvs: ["a/1", "a/2"].map((key) => ({ key: Buffer.from(key), value: Buffer.from("v") })),
      count: 2,
    }),
    "/etcdserverpb.Watch/Watch": {
      ...reply(
        api.WatchResponse,
        watched({ created: true }),
        watched({
          events: [put("a/1", 8), put("a/3", 9), deletion("a/1", 9), put("a/4", 9), put("a/5", 10)],
        }),
        watched({ canceled: true, compactRevision: 20 }),
      ),
      isAtOnce: true,
    },
  });
  target = await CannedServer.start({
    "/etcdserverpb.KV/Put": reply(api.PutResponse, { header }),
    "/etcdserverpb.KV/Txn": reply(api.TxnResponse, { header, succeeded: true }),
  });
});
after(() => {
  source.stop();
  target.stop();
});

async function mirror(...flags: string[]): Promise<Run> {
  for (const server of [source, target]) server.requests.length = 0;
  const endpoints = ["--endpoints", source.endpoint];
  const run = await runCtl([...endpoints, "make-mirror", ...flags, target.endpoint]);
  const compacted = "etcdserver: mvcc: required revision has been compacted";
  assert.deepEqual([run.status, run.err], [1, `Error: ${compacted}\n`]);
  return run;
}

function sent<T>(server: CannedServer, method: string, schema: Schema<T>): T[] {
  return server.requests
    .filter(({ path }) => path.endsWith(`/${method}`))
    .map(({ bytes }) => decodeMessage(schema, bytes));
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const copied = () => sent(target, "Put", api.PutRequest).map(({ key }) => text(key));

/** What each transaction does: `+key` and `-key`. */
const carriedOver = () =>
  sent(target, "Txn", api.TxnRequest).map(({ success }) =>
    success
      .map(({ requestPut, requestDeleteRange }) =>
        requestPut ? `+${text(requestPut.key)}` : `-${text(requestDeleteRange!.key)}`,
      )
      .join(" "),
  );

test("all keys are copied, then each revision becomes a transaction, deletions and all", async () => {
  await mirror("--prefix", "a/");
  assert.deepEqual(copied(), ["a/1", "a/2"]);
  assert.deepEqual(carriedOver(), ["+a/1", "+a/3 -a/1 +a/4", "+a/5"]);
  const [first, page] = sent(source, "Range", api.RangeRequest);
  assert.equal(text(first!.key), "a/");
  assert.deepEqual([page!.revision, page!.limit, text(page!.rangeEnd)], [7, 1000, "a0"]);
});

test("a revision with too many changes becomes several transactions", async () => {
  await mirror("--prefix", "a/", "--max-txn-ops", "2");
  assert.deepEqual(carriedOver(), ["+a/1", "+a/3 -a/1", "+a/4", "+a/5"]);
});

test("keys can get another prefix, or none", async () => {
  await mirror("--prefix", "a/", "--dest-prefix", "b/");
  assert.deepEqual(copied(), ["b/1", "b/2"]);
  assert.deepEqual(carriedOver().at(-1), "+b/5");
  await mirror("--prefix", "a/", "--no-dest-prefix");
  assert.deepEqual(copied(), ["1", "2"]);
  await mirror("--dest-prefix", "old/");
  assert.deepEqual(copied(), ["old/a/1", "old/a/2"]);
});

test("from a revision on only changes are carried over, to keys without the prefix", async () => {
  await mirror("--prefix", "a/", "--rev", "8");
  assert.deepEqual([copied(), sent(source, "Range", api.RangeRequest)], [[], []]);
  const [watch] = sent(source, "Watch", api.WatchRequest);
  assert.equal(watch!.createRequest!.startRevision, 8);
  assert.deepEqual(carriedOver()[0], "+1");
});

// The texts are etcdctl's.
test("what cannot be mirrored is refused in words", async () => {
  const refusals: readonly (readonly [argv: string[], error: string])[] = [
    [[], "make-mirror takes one destination argument"],
    [["a", "b"], "make-mirror takes one destination argument"],
    [
      ["127.0.0.1:1", "--dest-prefix=a", "--no-dest-prefix"],
      "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one",
    ],
    [["127.0.0.1:1", "--dest-cert=c"], "KeyFile and CertFile must both be present[key: , cert: c]"],
    [["127.0.0.1:1", "--dest-cacert=/no/file"], "open /no/file: no such file or directory"],
  ];
  for (const [argv, error] of refusals) {
    const run = await runCtl(["make-mirror", ...argv]);
    assert.deepEqual([run.status, run.err], [128, `Error: ${error}\n`]);
  }
});
