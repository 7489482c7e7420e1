import { assert } from "../base/index.ts";
import type { Bucket, PageMiss } from "../bolt/index.ts";
import type { Compare } from "../proto/index.ts";
import { ChangeList } from "./change-list.ts";
import type { StoreCounters } from "./counters.ts";
import { type CompactionResult, Compactions } from "./compaction.ts";
import { compareHolds } from "./compare.ts";
import { NO_SLOT } from "./key-table.ts";
import { hashAt, type KvHash } from "./kv-hash.ts";
import { type RangeRequest, type RangeResult, readRange } from "./range.ts";
import { RecordScan } from "./record-scan.ts";
import { restore } from "./restore.ts";
import { NO_ROW } from "./row-slab.ts";
import type { Slices } from "./slices.ts";
import { type RevisionRefusal, StoreState } from "./store-state.ts";
import { WriteTxn } from "./txn.ts";

/**
 * The multi-version store: every change of a key is a record of its own under the revision it was
 * made at, and stays until compaction. Reads see the last finished transaction, also while one is
 * under way. What throws PageMiss has changed nothing and may be repeated.
 */
export class Store {
  #state: StoreState;
  readonly #changes = new ChangeList();
  #compactions: Compactions;
  #open: WriteTxn | undefined;

  /** `restore` must have run before anything else. `compactionBatch`: records of one batch. */
  constructor(options: { key: Bucket; meta: Bucket; compactionBatch?: number }) {
    this.#state = new StoreState(options);
    this.#compactions = new Compactions(this.#state, options.compactionBatch);
  }

  /**
   * Builds the index from the records. At the end hands over the keys that hang on a lease, each a
   * view; their leases must be known by then.
   */
  restore(attach: (key: Uint8Array, lease: bigint) => void): Slices<void> {
    return restore(this.#state, this.#compactions, attach);
  }

  /**
   * Goes on as another one, which must not be used by itself any more. Reads under way go on in the
   * old records; the answer says whether there are any left.
   */
  become(other: Store): () => boolean {
    assert(this.#open === undefined, "no transaction is open");
    const old = this.#state;
    this.#state = other.#state;
    this.#state.counters = old.counters;
    this.#compactions = other.#compactions;
    return () => old.isPinned;
  }

  /** Main revision of the last finished transaction; 1 when there was none. */
  get currentRevision(): number {
    return this.#state.currentRevision;
  }

  /** History is whole from this revision on. -1: never compacted. */
  get compactedRevision(): number {
    return this.#state.compactedRevision;
  }

  /** Live keys, those of an open transaction included. */
  get keyCount(): number {
    return this.#state.index.tree.live;
  }

  get counters(): StoreCounters {
    return this.#state.counters;
  }

  /** Begins a transaction; the one before must have ended. */
  begin(): WriteTxn {
    assert(this.#open === undefined, "one write transaction at a time");
    this.#open = new WriteTxn(this.#state, this.#changes, () => {
      this.#open = undefined;
    });
    return this.#open;
  }

  /** The encoded pair of `key`: a view until the next write. Throws PageMiss. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#recordAt(key, this.#state.currentRevision);
  }

  range(request: RangeRequest): Slices<RangeResult | RevisionRefusal> {
    this.#state.counters.ranges++;
    return readRange(this.#state, request, this.#state.currentRevision);
  }

  /** Whether a compare of a txn holds, for every key of its range. */
  holds(compare: Compare): Slices<boolean> {
    this.#state.counters.ranges++;
    return compareHolds(this.#state, compare);
  }

  /**
   * The finished history from `fromMain` on. Compaction does not wait for a scan: before each part
   * that it reads, the reader compares where it is with `compactedRevision`.
   */
  scan(fromMain: number): RecordScan {
    return new RecordScan(this.#state, fromMain);
  }

  /**
   * The encoded pair that `key` had just before `revision`: a view until the next write. Undefined
   * when there was none or that revision is compacted. Throws PageMiss.
   */
  previousOf(key: Uint8Array, revision: number): Uint8Array | undefined {
    if (revision - 1 < this.#state.compactedRevision) return undefined;
    return this.#recordAt(key, revision - 1);
  }

  /**
   * Gives up the history before `revision`, and leaves it to `runCompaction` to remove it. The page
   * file must be committed before the request is answered. Throws PageMiss.
   */
  compact(revision: number): RevisionRefusal | undefined {
    return this.#compactions.ask(revision);
  }

  /** Compactions asked for and not carried out, also before the last restart. */
  get compactionsPending(): number {
    return this.#compactions.pending;
  }

  /** Carries the oldest one out. After each "batch" the page file is committed, and 10 ms pass. */
  runCompaction(): Generator<PageMiss | "batch" | undefined, CompactionResult> {
    assert(this.#compactions.pending > 0, "a compaction is pending");
    return this.#compactions.run();
  }

  /**
   * The hash of the history up to `revision`, 0 being the current one. At one of the revisions
   * compacted last it is the hash which that compaction made, of what it found.
   */
  *hashKv(revision: number): Slices<KvHash | RevisionRefusal> {
    const made = this.#compactions.hashes.find(({ hash }) => hash.hashRevision === revision);
    return made?.hash ?? (yield* hashAt(this.#state, revision));
  }

  /** As `hashKv`, for other members: the same on all of them that have compacted as far. */
  *comparableHash(revision: number): Slices<KvHash | RevisionRefusal> {
    const made = this.compactionHashes().find((hash) => hash.hashRevision === revision);
    return made ?? (yield* hashAt(this.#state, revision));
  }

  /** The hashes of the last ten compactions that can be compared, ascending by revision. */
  compactionHashes(): readonly KvHash[] {
    return this.#compactions.hashes
      .filter(({ isComparable }) => isComparable)
      .map(({ hash }) => hash);
  }

  #recordAt(key: Uint8Array, revision: number): Uint8Array | undefined {
    const { index } = this.#state;
    const slot = index.find(key);
    const row = slot === NO_SLOT ? NO_ROW : index.rowAt(slot, revision);
    return row === NO_ROW ? undefined : this.#state.record(row);
  }
}
