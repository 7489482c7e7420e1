import type { Lease } from "./lease.ts";

/**
 * More leases than this are looked at for seconds in which too many would end at once. etcd spreads
 * 750 a second above 1000, since it revokes no more; here far more can be revoked in a second.
 */
const LEASES_UNSPREAD_MAX = 10_000;
const EXPIRIES_PER_SECOND = 7500;

/** Moves expiries, given in order, out of seconds that are too full (etcd: `Promote`). */
export function spread(leases: readonly Lease[]): void {
  if (leases.length <= LEASES_UNSPREAD_MAX) return;
  let nextWindow = leases[0]!.expiresAt + 1000;
  let inWindow = 0;
  for (const lease of leases) {
    if (lease.expiresAt > nextWindow) {
      nextWindow = lease.expiresAt + 1000;
      inWindow = 0;
    }
    lease.expiresAt += Math.floor(inWindow / EXPIRIES_PER_SECOND) * 1000;
    inWindow++;
  }
}
