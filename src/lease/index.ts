/**
 * Leases: time-limited grants that keys hang on. Grants, revokes and attachments are replicated
 * state; expiry times live only on the primary (the raft leader), by its monotonic clock.
 */
export type { Lease } from "./lease.ts";
export {
  type Checkpoint,
  LEASE_TTL_SECONDS_MAX,
  type LeaseRefusal,
  Lessor,
  type LessorOptions,
} from "./lessor.ts";
