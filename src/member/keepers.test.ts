import assert from "node:assert/strict";
import { test } from "node:test";
import { Alarms, type Applied, Quota, type State } from "../apply/index.ts";
import { toEnd } from "../base/testing.ts";
import { Db } from "../bolt/index.ts";
import { Lessor } from "../lease/index.ts";
import { api, decodeMessage, type Failure, fail, REQUEST } from "../proto/index.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LogMeter } from "./log-meter.ts";
import type { ProposalWaiter } from "./proposals.ts";
import { SpaceKeeper } from "./space-keeper.ts";

const { NOSPACE } = api.ALARM_TYPE;
const OURS = 2n;
const DONE: Applied = { error: undefined, message: undefined };

interface Proposed {
  readonly field: number;
  readonly request: Uint8Array;
  readonly waiter: ProposalWaiter;
}

/** Proposals, kept until the test settles them. */
class Log {
  readonly pending: Proposed[] = [];
  readonly lines: string[] = [];
  refusal: Failure | undefined;

  readonly propose = (field: number, request: Uint8Array, waiter: ProposalWaiter): void => {
    if (this.refusal !== undefined) waiter.fail(this.refusal);
    else this.pending.push({ field, request, waiter });
  };

  readonly writer = {
    info: (message: string) => this.lines.push(message),
    warn: (message: string) => this.lines.push(message),
  };
}

const newDb = () => Db.create({ pageSize: 4096, source: { read: () => undefined } });

// --- leases --------------------------------------------------------------------------------------

function leases(options: { count: number; ttlSeconds: number; checkpointSeconds?: number }) {
  const lessor = new Lessor({
    bucket: newDb().bucket("lease"),
    ttlSecondsMin: 2,
    checkpointSeconds: options.checkpointSeconds,
  });
  toEnd(lessor.promote(0, 0));
  for (let id = 1; id <= options.count; id++) lessor.grant(BigInt(id), options.ttlSeconds, 0);
  const log = new Log();
  const clock = { now: 0 };
  const keeper = new LeaseKeeper({
    lessor,
    now: () => clock.now,
    lines: log.writer,
    propose: log.propose,
    retryMs: 7000,
  });
  /** Applies the oldest proposals. */
  const apply = (count: number) => {
    for (const { field, request, waiter } of log.pending.splice(0, count)) {
      assert.equal(field, REQUEST.leaseRevoke);
      toEnd(lessor.remove(decodeMessage(api.LeaseRevokeRequest, request).ID));
      waiter.settle(DONE);
    }
  };
  return { lessor, log, clock, keeper, apply };
}

test("at most 1000 revokes are under way, and the next follow as soon as half of them are done", () => {
  const { log, clock, keeper, apply } = leases({ count: 2400, ttlSeconds: 10 });
  clock.now = 10_000;
  keeper.look();
  assert.equal(log.pending.length, 1000);
  keeper.look();
  assert.equal(log.pending.length, 1000);
  apply(499);
  assert.equal(log.pending.length, 501);
  apply(1);
  assert.equal(log.pending.length, 1000);
  for (let rounds = 0; log.pending.length > 0; rounds++) {
    apply(500);
    assert.ok(rounds < 10);
  }
  assert.equal(keeper.expired, 2400);
});

test("when revokes are refused, the rest waits and all come up again", () => {
  const { log, clock, keeper } = leases({ count: 10, ttlSeconds: 10 });
  clock.now = 10_000;
  log.refusal = fail("tooManyRequests");
  keeper.look();
  assert.deepEqual(log.lines, ["failed to revoke lease"]);
  log.refusal = undefined;
  clock.now = 17_000;
  keeper.look();
  assert.equal(log.pending.length, 10);
});

test("who waits for a revoke hears when the lease is gone, or that it takes too long", async () => {
  const { lessor, clock, keeper, log, apply } = leases({ count: 2, ttlSeconds: 10 });
  clock.now = 10_000;
  keeper.look();
  const waits = [keeper.revoked(lessor.get(1n)!), keeper.revoked(lessor.get(2n)!)];
  log.pending.length = 1;
  apply(1);
  keeper.settle();
  assert.equal(await waits[0], true);
  clock.now += 7000;
  keeper.settle();
  assert.equal(await waits[1], false);
});

test("checkpoints go in entries of a thousand, one entry at a time", () => {
  const { log, clock, keeper } = leases({ count: 1500, ttlSeconds: 900, checkpointSeconds: 300 });
  clock.now = 300_000;
  keeper.look();
  keeper.look();
  const sizes = () =>
    log.pending.map(
      ({ request }) => decodeMessage(api.LeaseCheckpointRequest, request).checkpoints.length,
    );
  assert.deepEqual(sizes(), [1000]);
  log.pending.shift()!.waiter.settle(DONE);
  assert.deepEqual(sizes(), [500]);
});

// --- space ---------------------------------------------------------------------------------------

function space(disarms: boolean) {
  const size = { sizeInPages: 100, pageSize: 10 };
  const alarms = new Alarms(newDb().bucket("alarm"));
  const log = new Log();
  const keeper = new SpaceKeeper({
    memberId: OURS,
    state: { alarms, quota: new Quota(size, 1000) } as unknown as State,
    lines: log.writer,
    text: { duration: String, bytes: String },
    propose: log.propose,
    disarms,
  });
  const apply = () => {
    const { field, request, waiter } = log.pending.shift()!;
    assert.equal(field, REQUEST.alarm);
    alarms.apply(decodeMessage(api.AlarmRequest, request));
    waiter.settle(DONE);
  };
  return { size, alarms, log, keeper, apply };
}

test("many that hit the quota at a time raise one alarm, and hear when it stands", async () => {
  const { alarms, log, keeper, apply } = space(false);
  const raised = [keeper.raise(), keeper.raise(), keeper.raiseFor("why")];
  assert.equal(log.pending.length, 1);
  apply();
  await Promise.all(raised);
  assert.deepEqual(alarms.list(), [{ memberID: OURS, alarm: NOSPACE }]);
  await keeper.raise();
  assert.equal(log.pending.length, 0);
});

test("an alarm that could not be raised is tried again by the next", async () => {
  const { log, keeper } = space(false);
  log.refusal = fail("timeout");
  await keeper.raise();
  log.refusal = undefined;
  void keeper.raise();
  assert.equal(log.pending.length, 1);
});

test("the own alarm is cleared by itself below nine tenths of the quota, where that is wanted", async () => {
  const { size, alarms, log, keeper, apply } = space(true);
  alarms.apply({ action: api.ALARM_ACTION.ACTIVATE, memberID: 3n, alarm: NOSPACE });
  size.sizeInPages = 1;
  keeper.look();
  assert.equal(log.pending.length, 0, "the alarm of another is not ours to clear");
  alarms.apply({ action: api.ALARM_ACTION.ACTIVATE, memberID: OURS, alarm: NOSPACE });
  size.sizeInPages = 90;
  keeper.look();
  assert.equal(log.pending.length, 0);
  size.sizeInPages = 89;
  keeper.look();
  keeper.look();
  assert.equal(log.pending.length, 1);
  apply();
  assert.deepEqual(alarms.list(), [{ memberID: 3n, alarm: NOSPACE }]);
});

test("unless it is wanted, an alarm stands until somebody takes it back", () => {
  const { size, alarms, log, keeper } = space(false);
  alarms.apply({ action: api.ALARM_ACTION.ACTIVATE, memberID: OURS, alarm: NOSPACE });
  size.sizeInPages = 1;
  keeper.look();
  assert.equal(log.pending.length, 0);
});

// --- the log in memory ---------------------------------------------------------------------------

test("the meter knows to a megabyte how much of the log lies behind an index", () => {
  const MIB = 1024 * 1024;
  const meter = new LogMeter();
  const entry = (index: number) => ({ index, term: 1, type: 0, data: new Uint8Array(MIB / 4) });
  for (let index = 1; index <= 400; index++) meter.add([entry(index)]);
  assert.equal(meter.bytesAfter(0), 100 * MIB);
  assert.equal(meter.bytesAfter(200), 50 * MIB);
  assert.equal(meter.bytesAfter(202), 50 * MIB);
  assert.equal(meter.indexWithin(16 * MIB), 336);
  meter.release(336);
  assert.equal(meter.bytesAfter(336), 16 * MIB);
  assert.equal(meter.bytesAfter(400), 0);
});
