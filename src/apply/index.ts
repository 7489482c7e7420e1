/**
 * The replicated behaviour of the product: what one committed entry does to the store, the leases
 * and the member list, and what its proposer is answered. What is done is deterministic: no clock,
 * no chance, no local state decides it; only an answer may say that this member has no room left.
 */
export { Alarms } from "./alarms.ts";
export { checkDeleteRange, checkPut, checkRange, checkTxn } from "./checks.ts";
export {
  costOfPut,
  costOfTxn,
  LEASE_COST,
  Quota,
  QUOTA_BYTES_ADVISED_MAX,
  QUOTA_BYTES_DEFAULT,
} from "./quota.ts";
export type { MemberChange } from "./member-change.ts";
export { type Message, Replies } from "./replies.ts";
export {
  type Applied,
  type Clock,
  State,
  type StateOptions,
  storedIndexOf,
} from "./state.ts";
export { isReadOnly, isSerializable, Transaction } from "./txn.ts";
