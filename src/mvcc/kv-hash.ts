import { bytesToKey, crc32c, textToBytes } from "../base/index.ts";
import { countAt } from "./count.ts";
import { RecordScan } from "./record-scan.ts";
import { inSlices, Pace, SCAN_COST, type Slices } from "./slices.ts";
import type { RevisionRefusal, StoreState } from "./store-state.ts";

/** What members compare to find out whether their stores are alike. */
export interface KvHash {
  readonly hash: number;
  /** The compacted revision the hash was made with; -1 if there was none. */
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/** Checksum of the history up to a revision, without what compaction has dropped or will drop. */
export class KvHasher {
  readonly #compactRevision: number;
  readonly #isKept: (record: RecordScan) => boolean;
  #hash = crc32c(0, textToBytes("key"));

  /**
   * `isKept` says of a record up to the compacted revision whether compaction at the hash's
   * revision would keep it; undefined when it would keep nothing, and then all count (as in etcd).
   */
  constructor(compactRevision: number, isKept: ((record: RecordScan) => boolean) | undefined) {
    this.#compactRevision = compactRevision;
    this.#isKept = isKept ?? (() => true);
  }

  get hash(): number {
    return this.#hash;
  }

  add(record: RecordScan): void {
    const { main, tombstone } = record;
    if (main <= this.#compactRevision && !this.#isKept(record)) return;
    // Older releases drop this tombstone, newer ones store it: it counts for neither.
    if (main === this.#compactRevision && tombstone) return;
    this.#hash = crc32c(crc32c(this.#hash, record.recordKey), record.keyValue);
  }
}

/**
 * The hash of the store at `revision`, 0 being the current one. A negative revision is before all
 * records. Compactions wait until it is done.
 */
export function* hashAt(state: StoreState, asked: number): Slices<KvHash | RevisionRefusal> {
  const { compactedRevision, currentRevision, index } = state;
  if (asked > currentRevision) return "futureRev";
  if (asked > 0 && asked < compactedRevision) return "compacted";
  const revision = asked === 0 ? currentRevision : asked;
  state.pin(compactedRevision);
  try {
    const live = yield* countAt(state, { from: new Uint8Array(0), to: undefined }, revision);
    const reborn = yield* rebornAt(state, revision);
    const isKept = ({ key, main, sub }: RecordScan) =>
      index.isCurrentAt(revision, key, main, sub) && !reborn.has(bytesToKey(key));
    // Where nothing is live all records count that are there (as in etcd), but those that the
    // compaction under way is yet to remove: what it has done so far must make no difference.
    const isThere = ({ key, main, sub }: RecordScan) =>
      index.isCurrentAt(compactedRevision, key, main, sub);
    const hasher = new KvHasher(compactedRevision, live > reborn.size ? isKept : isThere);
    yield* addRecords(new RecordScan(state, 0, revision), hasher);
    return { hash: hasher.hash, compactRevision: compactedRevision, hashRevision: revision };
  } finally {
    state.unpin(compactedRevision);
  }
}

/**
 * Keys that were deleted and put again in the one transaction of `revision`. Of them etcd's
 * compaction looks at the deletion only, so that its hash takes none of their records as kept.
 */
export function* rebornAt(state: StoreState, revision: number): Slices<ReadonlySet<string>> {
  const created = new Set<string>();
  yield* eachRecord(state, revision, (record) => {
    if (record.isCreate) created.add(bytesToKey(record.key));
  });
  const died = new Set<string>();
  const reborn = new Set<string>();
  if (created.size === 0) return reborn;
  yield* eachRecord(state, revision, ({ tombstone, isCreate, key }) => {
    const name = bytesToKey(key);
    if (tombstone && created.has(name)) {
      died.add(name);
      reborn.delete(name);
    } else if (isCreate && died.has(name)) reborn.add(name);
  });
  return reborn;
}

function* eachRecord(
  state: StoreState,
  revision: number,
  visit: (record: RecordScan) => void,
): Slices<void> {
  const records = new RecordScan(state, revision, revision);
  const pace = new Pace();
  yield* inSlices(() => {
    while (records.next()) {
      visit(records);
      pace.spend(SCAN_COST);
      if (pace.isOver()) return false;
    }
    return true;
  });
}

function* addRecords(records: RecordScan, hasher: KvHasher): Slices<void> {
  const pace = new Pace();
  yield* inSlices(() => {
    while (records.next()) {
      hasher.add(records);
      pace.spend(SCAN_COST + records.keyValue.length);
      if (pace.isOver()) return false;
    }
    return true;
  });
}
