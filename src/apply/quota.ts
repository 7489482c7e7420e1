import type { Db } from "../bolt/index.ts";
import type { PutRequest, RequestOp, TxnRequest } from "../proto/index.ts";

/** What stands for a quota of 0, and above what a quota is unwise (etcd: `storage/quota.go`). */
export const QUOTA_BYTES_DEFAULT = 2 * 1024 ** 3;
export const QUOTA_BYTES_ADVISED_MAX = 8 * 1024 ** 3;

/** What a lease costs, and a key besides its bytes: estimates of etcd's. */
export const LEASE_COST = 64;
const KEY_VALUE_OVERHEAD = 256;

/** The size that the page file may grow to. */
export class Quota {
  readonly #db: Pick<Db, "sizeInPages" | "pageSize">;
  /** Bytes; infinite when there is no bound. */
  readonly bytesMax: number;

  /** `bytes` as configured: 0 stands for the default, a negative number for no bound. */
  constructor(db: Pick<Db, "sizeInPages" | "pageSize">, bytes: number) {
    this.#db = db;
    this.bytesMax = bytes < 0 ? Number.POSITIVE_INFINITY : bytes || QUOTA_BYTES_DEFAULT;
  }

  get usedBytes(): number {
    return this.#db.sizeInPages * this.#db.pageSize;
  }

  /** Whether a request of this cost fits in. What costs nothing always does. */
  hasRoom(cost: number): boolean {
    return cost === 0 || this.usedBytes + cost < this.bytesMax;
  }
}

export function costOfPut({ key, value }: PutRequest): number {
  return KEY_VALUE_OVERHEAD + key.length + value.length;
}

/** The dearer branch counts, whichever will run. */
export function costOfTxn({ success, failure }: TxnRequest): number {
  return Math.max(costOfBranch(success), costOfBranch(failure));
}

function costOfBranch(ops: readonly RequestOp[]): number {
  let cost = 0;
  for (const op of ops) {
    if (op.kind === "put") cost += costOfPut(op.put);
    else if (op.kind === "txn") cost += costOfTxn(op.txn);
  }
  return cost;
}
