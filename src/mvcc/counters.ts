/** What was done with a store since the start, in the terms of etcd's metrics. */
export class StoreCounters {
  ranges = 0;
  puts = 0;
  /** Range deletes, however many keys they found. */
  deletes = 0;
  /** Transactions of more than one operation. */
  txns = 0;
  /** Bytes of keys and values that were put. */
  putBytes = 0;
}
