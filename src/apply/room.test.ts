import assert from "node:assert/strict";
import { test } from "node:test";
import { Arena, keyToBytes, textToBytes } from "../base/index.ts";
import { Db } from "../bolt/index.ts";
import { Members } from "../cluster/index.ts";
import { Lessor } from "../lease/index.ts";
import { Store } from "../mvcc/index.ts";
import {
  api,
  encodeInternalRequest,
  encodeMessage,
  ENTRY_TYPE,
  type Init,
  REQUEST,
  type Schema,
} from "../proto/index.ts";
import { type Applied, Quota, QUOTA_BYTES_DEFAULT, State } from "./index.ts";

const { NOSPACE, CORRUPT } = api.ALARM_TYPE;
const { ACTIVATE, DEACTIVATE } = api.ALARM_ACTION;

/** A state, and the entries that it is given. */
class Bench {
  readonly state: State;
  readonly db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  readonly #arena = new Arena();

  constructor(quotaBytes = 0) {
    const { db } = this;
    const lessor = new Lessor({ bucket: db.bucket("lease"), ttlSecondsMin: 2 });
    this.state = new State({
      db,
      store: new Store({ key: db.bucket("key"), meta: db.bucket("meta") }),
      lessor,
      members: new Members({ db }),
      ids: { clusterId: 1n, memberId: 2n },
      clock: () => 0,
      onRevision: () => {},
      quotaBytes,
      persistCheckpoints: false,
      learnersMax: 1,
    });
    toEnd(this.state.store.restore(() => {}));
    this.state.restore();
  }

  apply<T>(field: number, schema: Schema<T>, request: Init<T>): Applied {
    const index = this.state.appliedIndex + 1;
    const id = { member: 2, sequence: index };
    const data = encodeInternalRequest(this.#arena, field, encodeMessage(schema, request), id);
    const entry = { type: ENTRY_TYPE.normal, term: 1, index, data };
    const applied = this.state.apply(entry, { has: () => true });
    return "next" in applied ? toEnd(applied) : applied;
  }

  put(key: string, lease = 0n): string {
    const pair = { key: textToBytes(key), value: textToBytes("v"), lease };
    return outcome(this.apply(REQUEST.put, api.PutRequest, pair));
  }

  txn(...requests: Init<api.RequestOp>[]): string {
    return outcome(this.apply(REQUEST.txn, api.TxnRequest, { success: requests }));
  }

  deleteRange(key: string): string {
    return outcome(
      this.apply(REQUEST.deleteRange, api.DeleteRangeRequest, { key: textToBytes(key) }),
    );
  }

  grant(id: bigint): string {
    return outcome(this.apply(REQUEST.leaseGrant, api.LeaseGrantRequest, { ID: id, TTL: 60 }));
  }

  revoke(id: bigint): string {
    return outcome(this.apply(REQUEST.leaseRevoke, api.LeaseRevokeRequest, { ID: id }));
  }

  compact(revision: number): string {
    return outcome(this.apply(REQUEST.compaction, api.CompactionRequest, { revision }));
  }

  alarm(action: number, alarm: number): string {
    return outcome(this.apply(REQUEST.alarm, api.AlarmRequest, { action, memberID: 2n, alarm }));
  }
}

function toEnd<T>(slices: Generator<unknown, T, void>): T {
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value;
  }
}

const outcome = ({ error }: Applied): string => error ?? "done";

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
    restarted.restore();
    assert.equal(restarted.get(1n)?.remainingSeconds, left);
  });
}
