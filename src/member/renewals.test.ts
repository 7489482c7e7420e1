import assert from "node:assert/strict";
import { test } from "node:test";
import { Renewals, type RenewalsOptions } from "./renewals.ts";

const LEASE = 7n;
const LEASED = { id: LEASE, remainingSeconds: 0 };

/** A lease of 60 s with a member that leads, unless something is otherwise. */
function renewed(otherwise: {
  isFast?: boolean;
  isFresh?: boolean;
  isPrimary?: boolean;
  isExpired?: boolean;
  isUnknown?: boolean;
  remainingSeconds?: number;
}): number | undefined {
  const { isFast = true, isFresh = true, isPrimary = true } = otherwise;
  const { isExpired = false, isUnknown = false, remainingSeconds = 0 } = otherwise;
  const lease = { id: LEASE, remainingSeconds };
  const parts = {
    state: {
      lessor: {
        isPrimary,
        get: () => (isUnknown ? undefined : lease),
        isExpired: () => isExpired,
        renew: () => 60,
      },
    },
    leadership: { isFresh },
    time: { now: () => 0 },
    isFast,
  };
  return new Renewals(parts as unknown as RenewalsOptions).now(LEASE);
}

test("a leader without doubt renews a lease at once", () => {
  assert.equal(renewed({}), 60);
});

test("a leader that stood still asks first whether it still is one (etcd #13508)", () => {
  assert.equal(renewed({ isFresh: false }), undefined);
});

test("a renewal that asked a quorum says that this member leads, as of when it asked", async () => {
  const confirmed: number[] = [];
  const leadership = {
    isOwn: true,
    stops: 3,
    confirmed: (stops: number) => confirmed.push(stops),
    reach: (attempt: (leader: bigint, ms: number) => Promise<unknown>) => attempt(1n, 1000),
  };
  const lessor = {
    isPrimary: true,
    get: () => LEASED,
    isExpired: () => false,
    renew: () => 60,
  };
  const parts = {
    state: { lessor },
    leadership,
    time: { now: () => 0 },
    caughtUp: async () => void (leadership.stops = 4),
  };
  const renewals = new Renewals(parts as unknown as RenewalsOptions);
  assert.equal(await renewals.renew(LEASE), 60);
  assert.deepEqual(confirmed, [3]);
  lessor.isPrimary = false;
  assert.equal(await renewals.renew(LEASE), undefined);
  assert.deepEqual(confirmed, [3], "by then another one leads");
});

test("a closer look is taken at what may be gone, or counted elsewhere, or is told to", () => {
  assert.equal(renewed({ isPrimary: false }), undefined);
  assert.equal(renewed({ isExpired: true }), undefined);
  assert.equal(renewed({ isUnknown: true }), undefined);
  assert.equal(renewed({ remainingSeconds: 20 }), undefined);
  assert.equal(renewed({ isFast: false }), undefined);
});
