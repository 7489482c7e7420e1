import assert from "node:assert/strict";
import { test } from "node:test";
import { keyToBytes, textToBytes } from "../base/index.ts";
import { toEnd } from "../base/testing.ts";
import { Lessor } from "../lease/index.ts";
import { api, REQUEST } from "../proto/index.ts";
import { Quota, QUOTA_BYTES_DEFAULT } from "./index.ts";
import { Bench } from "./testing.ts";

const { NOSPACE, CORRUPT } = api.ALARM_TYPE;
const { ACTIVATE, DEACTIVATE } = api.ALARM_ACTION;

const putOp = (key: string) => ({ requestPut: { key: textToBytes(key), value: textToBytes("v") } });
const deleteOp = (key: string) => ({ requestDeleteRange: { key: textToBytes(key) } });

test("while NOSPACE stands, what takes room is refused and the rest goes on", () => {
  const bench = new Bench();
  bench.grant(1n);
  bench.put("a", 1n);
  bench.put("b");
  bench.alarm(ACTIVATE, NOSPACE);
  assert.equal(bench.put("c"), "noSpace");
  assert.equal(bench.grant(2n), "noSpace");
  assert.equal(bench.txn(putOp("c")), "noSpace");
  assert.equal(bench.txn({ requestTxn: { failure: [putOp("c")] } }), "noSpace");
  assert.equal(bench.txn(deleteOp("zzz")), "done");
  assert.equal(bench.deleteRange("b"), "done");
  assert.equal(bench.revoke(1n), "done");
  assert.equal(bench.compact(3), "done");
  assert.equal(bench.state.store.get(textToBytes("a")), undefined);
  bench.alarm(DEACTIVATE, NOSPACE);
  assert.equal(bench.put("c"), "done");
});

test("while CORRUPT stands, hardly anything is done, and alarms still are", () => {
  const bench = new Bench();
  bench.grant(1n);
  bench.put("a");
  bench.alarm(ACTIVATE, CORRUPT);
  const refused = [
    bench.put("c"),
    bench.txn(),
    bench.deleteRange("a"),
    bench.grant(2n),
    bench.revoke(1n),
    bench.compact(1),
  ];
  assert.deepEqual(new Set(refused), new Set(["corrupt"]));
  assert.equal(bench.alarm(ACTIVATE, NOSPACE), "done");
  assert.equal(bench.put("c"), "corrupt", "the graver alarm is told");
  bench.alarm(DEACTIVATE, CORRUPT);
  assert.equal(bench.put("c"), "noSpace");
});

test("beyond the quota all members do the same, and this one says that it has no room", () => {
  const bench = new Bench(1);
  assert.equal(bench.put("a"), "noSpace");
  assert.ok(bench.state.store.get(textToBytes("a")) !== undefined, "it was done");
  assert.equal(bench.put("b", 99n), "leaseNotFound", "what is refused anyway says why");
  assert.equal(bench.txn(deleteOp("a")), "done", "what takes no room is not refused");
  assert.equal(bench.grant(1n), "noSpace");
  assert.ok(bench.state.lessor.get(1n) !== undefined);
});

const quotas = [
  { given: 0, bound: QUOTA_BYTES_DEFAULT, why: "0 stands for two gibibytes" },
  { given: -1, bound: Number.POSITIVE_INFINITY, why: "a negative quota is none" },
  { given: 1000, bound: 1000, why: "any other is taken as it is" },
];

for (const { given, bound, why } of quotas) {
  test(`quota: ${why}`, () => {
    const quota = new Quota({ sizeInPages: 2, pageSize: 100 }, given);
    assert.equal(quota.bytesMax, bound);
    assert.equal(quota.hasRoom(799), true);
    assert.equal(quota.hasRoom(800), bound > 1000);
    assert.ok(quota.hasRoom(0));
  });
}

test("a lease with very many keys is revoked in slices, and at one revision", () => {
  const bench = new Bench();
  bench.grant(1n);
  const puts = Array.from({ length: 9000 }, (_, i) => ({
    requestPut: { key: keyToBytes(`k${i}`), value: textToBytes("v"), lease: 1n },
  }));
  bench.txn(...puts);
  assert.equal(bench.state.lessor.get(1n)!.keys.size, 9000);
  const revision = bench.state.store.currentRevision;
  assert.equal(bench.revoke(1n), "done");
  assert.equal(bench.state.store.currentRevision, revision + 1);
  assert.equal(bench.state.store.keyCount, 0);
  assert.equal(bench.state.lessor.size, 0);
});

for (const { version, left } of [
  { version: "3.5.0", left: 0 },
  { version: "3.6.0", left: 40 },
]) {
  test(`in a cluster of version ${version} a restart leaves ${left || "all"} of a checkpointed lease`, () => {
    const bench = new Bench();
    bench.grant(1n);
    bench.apply(REQUEST.clusterVersionSet, api.ClusterVersionSetRequest, { ver: version });
    const checkpoints = [{ ID: 1n, remainingTTL: 40 }];
    bench.apply(REQUEST.leaseCheckpoint, api.LeaseCheckpointRequest, { checkpoints });
    assert.equal(bench.state.lessor.get(1n)?.remainingSeconds, 40);
    const restarted = new Lessor({ bucket: bench.db.bucket("lease"), ttlSecondsMin: 2 });
    toEnd(restarted.restore());
    assert.equal(restarted.get(1n)?.remainingSeconds, left);
  });
}
