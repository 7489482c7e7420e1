import assert from "node:assert/strict";
import { test } from "node:test";
import { keyToBytes, textToBytes } from "../base/index.ts";
import { toEnd } from "../base/testing.ts";
import { Db } from "../bolt/index.ts";
import { LEASE_TTL_SECONDS_MAX, type Lease, Lessor } from "./index.ts";

const key = (name: string) => textToBytes(name);

function newLessor(db = Db.create({ pageSize: 4096, source: { read: () => undefined } })): Lessor {
  return new Lessor({ bucket: db.bucket("lease"), ttlSecondsMin: 2 });
}

function granted(lessor: Lessor, id: bigint, ttlSeconds: number, now = 0): Lease {
  const lease = lessor.grant(id, ttlSeconds, now);
  assert.ok(typeof lease !== "string", `refused: ${lease}`);
  return lease;
}

const grants: { ttl: number; answer: number | string; why: string }[] = [
  { ttl: 60, answer: 60, why: "a usual TTL is taken as it is" },
  { ttl: 1, answer: 2, why: "a TTL below the minimum is raised, not refused" },
  { ttl: 0, answer: 2, why: "so is zero" },
  { ttl: -7, answer: 2, why: "and so is a negative one" },
  { ttl: LEASE_TTL_SECONDS_MAX, answer: LEASE_TTL_SECONDS_MAX, why: "the longest TTL is allowed" },
  { ttl: LEASE_TTL_SECONDS_MAX + 1, answer: "leaseTtlTooLarge", why: "a longer one is not" },
];

for (const { ttl, answer, why } of grants) {
  test(why, () => {
    const lease = newLessor().grant(5n, ttl, 0);
    assert.equal(typeof lease === "string" ? lease : lease.ttlSeconds, answer);
  });
}

test("an id is granted once at a time", () => {
  const lessor = newLessor();
  granted(lessor, 5n, 60);
  assert.equal(lessor.grant(5n, 60, 0), "leaseExist");
  toEnd(lessor.remove(5n));
  granted(lessor, 5n, 60);
});

test("a key hangs on one lease, the last that it was attached to", () => {
  const lessor = newLessor();
  const [a, b] = [granted(lessor, 1n, 60), granted(lessor, 2n, 60)];
  lessor.attach(1n, key("x"));
  lessor.attach(1n, key("y"));
  lessor.attach(2n, key("x"));
  assert.deepEqual([...a.keys], ["y"]);
  assert.deepEqual([...b.keys], ["x"]);
  assert.equal(lessor.leaseOf(key("x")), 2n);
  lessor.detach(key("x"));
  assert.equal(lessor.leaseOf(key("x")), 0n);
  assert.equal(b.keys.size, 0);
});

test("the keys to delete come in byte order", () => {
  const lessor = newLessor();
  const lease = granted(lessor, 1n, 60);
  const keys = [Uint8Array.of(0xff), Uint8Array.of(1, 2), Uint8Array.of(1), Uint8Array.of(0x80)];
  for (const each of keys) lessor.attach(1n, each);
  assert.deepEqual(
    toEnd(lessor.sortedKeys(lease)).map((name) => Array.from(keyToBytes(name))),
    [[1], [1, 2], [0x80], [0xff]],
  );
});

test("leases expire on the primary only", () => {
  const lessor = newLessor();
  granted(lessor, 1n, 10);
  assert.deepEqual(lessor.takeExpired(1e9, 500, 1000), []);
  toEnd(lessor.promote(0, 1000));
  assert.deepEqual(lessor.takeExpired(10_999, 500, 1000), []);
  assert.deepEqual(
    lessor.takeExpired(11_000, 500, 1000).map(({ id }) => id),
    [1n],
  );
  lessor.demote();
  assert.deepEqual(lessor.takeExpired(1e9, 500, 1000), []);
});

test("a renewed lease lives its whole TTL again", () => {
  const lessor = newLessor();
  toEnd(lessor.promote(0, 0));
  const lease = granted(lessor, 1n, 10, 0);
  assert.equal(lessor.renew(lease, 9000), 10);
  assert.deepEqual(lessor.takeExpired(18_999, 500, 1000), []);
  assert.equal(lessor.takeExpired(19_000, 500, 1000).length, 1);
});

test("an expired lease comes up again until it is gone", () => {
  const lessor = newLessor();
  toEnd(lessor.promote(0, 0));
  granted(lessor, 1n, 10, 0);
  assert.equal(lessor.takeExpired(10_000, 500, 7000).length, 1);
  assert.equal(lessor.takeExpired(16_999, 500, 7000).length, 0);
  assert.equal(lessor.takeExpired(17_000, 500, 7000).length, 1);
  toEnd(lessor.remove(1n));
  assert.equal(lessor.takeExpired(1e9, 500, 7000).length, 0);
});

test("no more leases are given out as expired than were asked for", () => {
  const lessor = newLessor();
  toEnd(lessor.promote(0, 0));
  for (let id = 1n; id <= 700n; id++) granted(lessor, id, 10, 0);
  assert.equal(lessor.takeExpired(60_000, 500, 7000).length, 500);
  assert.equal(lessor.takeExpired(60_000, 500, 7000).length, 200);
});

test("a new primary spreads the expiries of very many leases over several seconds", () => {
  const lessor = newLessor();
  for (let id = 1n; id <= 20_000n; id++) granted(lessor, id, 10);
  toEnd(lessor.promote(0, 0));
  const perSecond: number[] = [];
  for (let now = 10_000; lessor.hasDue(Number.MAX_SAFE_INTEGER) && now < 20_000; now += 1000) {
    perSecond.push(
      lessor.takeExpired(now, 1e9, 1e9).length + lessor.takeExpired(now, 1e9, 1e9).length,
    );
  }
  assert.deepEqual(perSecond.slice(0, 4), [7500, 7500, 5000, 0]);
});

test("one look does not look at all of very many leases that were renewed", () => {
  const lessor = newLessor();
  toEnd(lessor.promote(0, 0));
  for (let id = 1n; id <= 12_000n; id++) lessor.renew(granted(lessor, id, 10), 5000);
  assert.equal(lessor.takeExpired(12_000, 500, 7000).length, 0);
  assert.ok(lessor.hasDue(12_000), "the rest is left for the next look");
  lessor.takeExpired(12_000, 500, 7000);
  lessor.takeExpired(12_000, 500, 7000);
  assert.ok(!lessor.hasDue(12_000));
  assert.equal(lessor.takeExpired(15_000, 500, 7000).length, 500);
});

test("a lease that was revoked leaves nothing behind", () => {
  const lessor = newLessor();
  toEnd(lessor.promote(0, 0));
  for (let id = 1n; id <= 100n; id++) {
    granted(lessor, id, 9_000_000);
    lessor.attach(id, key(`k${id}`));
    toEnd(lessor.remove(id));
  }
  assert.equal(lessor.size, 0);
  assert.ok(!lessor.hasDue(Number.MAX_SAFE_INTEGER));
  assert.equal(lessor.leaseOf(key("k7")), 0n);
});

test("leases are read back from the page file with what is left of them", () => {
  const db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  const lessor = newLessor(db);
  granted(lessor, -5n, 60);
  granted(lessor, 0x7fff_ffff_ffff_ffffn, 100);
  lessor.checkpoint({ ID: -5n, remainingTTL: 30 }, 0, { persist: true });
  const again = newLessor(db);
  toEnd(again.restore());
  assert.equal(again.size, 2);
  assert.equal(again.get(-5n)?.remainingSeconds, 30);
  toEnd(again.promote(0, 0));
  assert.equal(again.remainingSeconds(again.get(-5n)!, 0), 30);
  assert.equal(again.remainingSeconds(again.get(0x7fff_ffff_ffff_ffffn)!, 0), 100);
});

test("a key that names a lease which is gone is only left without one", () => {
  const lessor = newLessor();
  granted(lessor, 1n, 60);
  lessor.attach(99n, key("orphan"));
  assert.equal(lessor.leaseOf(key("orphan")), 0n);
});

// --- checkpoints ---------------------------------------------------------------------------------

function checkpointing(): Lessor {
  const db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  const lessor = new Lessor({
    bucket: db.bucket("lease"),
    ttlSecondsMin: 2,
    checkpointSeconds: 300,
  });
  toEnd(lessor.promote(0, 0));
  return lessor;
}

test("a lease that lives longer than five minutes is checkpointed every five minutes", () => {
  const lessor = checkpointing();
  granted(lessor, 1n, 300);
  granted(lessor, 2n, 1000);
  assert.deepEqual(lessor.takeCheckpoints(299_999, 10), []);
  const [due, ...others] = lessor.takeCheckpoints(300_000, 10);
  assert.deepEqual([due, others], [{ ID: 2n, remainingTTL: 700 }, []]);
  assert.deepEqual(lessor.takeCheckpoints(9e9, 10), [], "until it is applied, none follows");
  lessor.checkpoint(due!, 300_500, { persist: true });
  assert.deepEqual(lessor.takeCheckpoints(600_500, 10), [{ ID: 2n, remainingTTL: 400 }]);
});

test("a lease renewed just now needs no checkpoint", () => {
  const lessor = checkpointing();
  lessor.renew(granted(lessor, 1n, 1000), 299_999.5);
  assert.deepEqual(lessor.takeCheckpoints(300_000, 10), []);
});

test("after its last five minutes began, a lease is checkpointed no more", () => {
  const lessor = checkpointing();
  granted(lessor, 1n, 400);
  const [due] = lessor.takeCheckpoints(300_000, 10);
  lessor.checkpoint(due!, 300_000, { persist: true });
  assert.deepEqual(lessor.takeCheckpoints(9e9, 10), []);
});

test("a checkpoint that is taken back gives the lease its whole time again", () => {
  const lessor = checkpointing();
  const lease = granted(lessor, 1n, 1000);
  lessor.checkpoint({ ID: 1n, remainingTTL: 100 }, 0, { persist: false });
  lessor.demote();
  toEnd(lessor.promote(0, 0));
  assert.equal(lessor.remainingSeconds(lease, 0), 100);
  lessor.checkpoint({ ID: 1n, remainingTTL: 0 }, 0, { persist: false });
  assert.equal(lessor.renew(lease, 0), 1000);
  assert.equal(lessor.remainingSeconds(lease, 0), 1000);
});

test("a checkpoint that is not persisted is forgotten with the process", () => {
  const db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  const lessor = newLessor(db);
  granted(lessor, 1n, 1000);
  lessor.checkpoint({ ID: 1n, remainingTTL: 100 }, 0, { persist: false });
  const again = newLessor(db);
  toEnd(again.restore());
  assert.equal(again.get(1n)?.remainingSeconds, 0);
});
