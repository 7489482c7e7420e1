import { copyBytes, textToBytes } from "../base/index.ts";
import type { PageMiss } from "../bolt/index.ts";
import { NO_SLOT } from "./key-table.ts";
import { KeyWalk } from "./key-walk.ts";
import { KvHasher, type KvHash, rebornAt } from "./kv-hash.ts";
import { RecordScan } from "./record-scan.ts";
import { checkRevision, readMain, revisionKey } from "./revision.ts";
import { NO_ROW } from "./row-slab.ts";
import { inSlices, KEY_COST, Pace, RECORD_COST, restartable, type Slices } from "./slices.ts";
import type { RevisionRefusal, StoreState } from "./store-state.ts";

/** Records looked at between two commits, unless told otherwise. */
const BATCH_RECORDS_DEFAULT = 1000;
/** Hashes remembered, those of the highest revisions. */
const HASHES_MAX = 10;

const NONE: ReadonlySet<string> = new Set();

const SCHEDULED = textToBytes("scheduledCompactRev");
const FINISHED = textToBytes("finishedCompactRev");

export interface CompactionResult {
  readonly revision: number;
  /** Records removed. */
  readonly deleted: number;
  /** Undefined when the compaction before had been interrupted: then it says nothing. */
  readonly hash: KvHash | undefined;
}

/** A hash that a compaction made. */
interface MadeHash {
  readonly hash: KvHash;
  /**
   * Whether a member that has yet to compact finds the same. Where no key is alive it does not: a
   * hash made afresh counts all records then, that of a compaction only deletions at its revision.
   * So it is in etcd, whose checks take such a difference for corruption.
   */
  readonly isComparable: boolean;
}

interface Job {
  readonly revision: number;
  readonly previousRevision: number;
  readonly isHashed: boolean;
}

/**
 * Compactions, one after the other. Asking for one takes effect at once: older revisions can no
 * longer be read. What they leave is removed afterwards, and after a restart, in the background.
 */
export class Compactions {
  readonly #state: StoreState;
  readonly #jobs: Job[] = [];
  /** Whether the marks in the file say that the last compaction came to its end. */
  #isFinished = true;
  #hashes: MadeHash[] = [];

  readonly #batchRecords: number;

  constructor(state: StoreState, batchRecords = BATCH_RECORDS_DEFAULT) {
    this.#state = state;
    this.#batchRecords = batchRecords;
  }

  /** How many are asked for and not done. */
  get pending(): number {
    return this.#jobs.length;
  }

  /** Hashes made by compactions, ascending by revision. */
  get hashes(): readonly MadeHash[] {
    return this.#hashes;
  }

  /** Throws PageMiss. */
  ask(revision: number): RevisionRefusal | undefined {
    const { compactedRevision, currentRevision, meta } = this.#state;
    if (revision <= compactedRevision) return "compacted";
    if (revision > currentRevision) return "futureRev";
    meta.put(SCHEDULED, revisionKey(revision, 0));
    this.#add(revision, { isHashed: this.#isFinished && this.#jobs.length === 0 });
    return undefined;
  }

  /** Takes up what the file says of earlier compactions, before records are read. */
  *restore(): Slices<{ scheduled: number }> {
    const scheduled = yield* this.#readMark(SCHEDULED);
    const finished = yield* this.#readMark(FINISHED);
    this.#state.compactedRevision = finished ?? -1;
    this.#isFinished = scheduled === finished;
    return { scheduled: scheduled ?? 0 };
  }

  /** Goes on with a compaction that an earlier process did not finish. */
  resume(scheduled: number): void {
    if (scheduled > Math.max(0, this.#state.compactedRevision)) {
      this.#add(scheduled, { isHashed: false });
    }
  }

  /**
   * Carries the oldest out. Yields "batch" when it is time to commit the file and to pause. Waits,
   * by giving way, for reads that need what it would remove.
   */
  *run(): Generator<PageMiss | "batch" | undefined, CompactionResult> {
    const job = this.#jobs[0]!;
    while (this.#state.isPinnedBefore(job.revision)) yield undefined;
    const reborn = job.isHashed ? yield* rebornAt(this.#state, job.revision) : NONE;
    const index = new IndexCompaction(this.#state, job.revision);
    yield* inSlices(() => index.step());
    const records = new RecordCompaction(this.#state, job, {
      keepsAny: index.keptRows > 0,
      batchRecords: this.#batchRecords,
    });
    for (;;) {
      yield* inSlices(() => records.step());
      if (records.isDone) break;
      yield "batch";
    }
    yield* restartable(() => this.#state.meta.put(FINISHED, revisionKey(job.revision, 0)));
    this.#jobs.shift();
    this.#isFinished = this.#jobs.length === 0;
    const hash = job.isHashed ? records.hash : undefined;
    const isComparable = index.liveRows > reborn.size;
    if (hash !== undefined) this.#remember({ hash, isComparable });
    return { revision: job.revision, deleted: records.deleted, hash };
  }

  #add(revision: number, options: { isHashed: boolean }): void {
    const previousRevision = this.#state.compactedRevision;
    this.#state.compactedRevision = revision;
    this.#jobs.push({ revision, previousRevision, ...options });
  }

  #remember(made: MadeHash): void {
    const hashes = [...this.#hashes, made];
    hashes.sort((a, b) => a.hash.hashRevision - b.hash.hashRevision);
    this.#hashes = hashes.slice(-HASHES_MAX);
  }

  *#readMark(name: Uint8Array): Slices<number | undefined> {
    const mark = yield* restartable(() => this.#state.meta.get(name));
    if (mark === undefined) return undefined;
    checkRevision(mark);
    return readMain(mark);
  }
}

/** Takes out of the index what a compaction drops. */
class IndexCompaction {
  readonly #state: StoreState;
  readonly #revision: number;
  readonly #walk: KeyWalk;
  readonly #pace = new Pace();
  /** Rows that stand for the time up to the revision: their records are kept. */
  keptRows = 0;
  /** Those of them that are not tombstones. */
  liveRows = 0;

  constructor(state: StoreState, revision: number) {
    this.#state = state;
    this.#revision = revision;
    this.#walk = new KeyWalk(state.index, { from: new Uint8Array(0), to: undefined });
  }

  step(): boolean {
    const { index } = this.#state;
    while (this.#walk.slot !== NO_SLOT) {
      if (this.#pace.isOver()) {
        this.#walk.park();
        return false;
      }
      this.#pace.spend(KEY_COST);
      const row = index.cut(this.#walk.slot, this.#revision);
      if (row !== NO_ROW) {
        this.keptRows++;
        if (!index.rows.isTombstone(row)) this.liveRows++;
      }
      if (index.hasRows(this.#walk.slot)) {
        this.#walk.advance();
      } else {
        this.#walk.park();
        index.forget(this.#walk.cursor);
        this.#pace.spend(RECORD_COST);
      }
    }
    return true;
  }
}

/** Removes the records that the index no longer knows, a batch at a time, and hashes on the way. */
class RecordCompaction {
  readonly #state: StoreState;
  readonly #job: Job;
  readonly #records: RecordScan;
  readonly #hasher: KvHasher;
  readonly #pace = new Pace();
  /** Keys of records to be removed. */
  readonly #doomed: Uint8Array[] = [];
  readonly #batchRecords: number;
  #batch = 0;
  deleted = 0;
  isDone = false;

  constructor(state: StoreState, job: Job, options: { keepsAny: boolean; batchRecords: number }) {
    const { index } = state;
    this.#batchRecords = options.batchRecords;
    this.#state = state;
    this.#job = job;
    this.#records = new RecordScan(state, 0, job.revision);
    this.#hasher = new KvHasher(
      job.previousRevision,
      options.keepsAny ? ({ key, main, sub }) => index.isOldest(key, main, sub) : undefined,
    );
  }

  get hash(): KvHash {
    const { revision, previousRevision } = this.#job;
    return {
      hash: this.#hasher.hash,
      compactRevision: previousRevision,
      hashRevision: revision,
    };
  }

  /** True at the end of a batch, or of all. */
  step(): boolean {
    while (this.#batch < this.#batchRecords) {
      if (this.#pace.isOver()) {
        this.#removeDoomed();
        return false;
      }
      if (!this.#records.next()) {
        this.#removeDoomed();
        this.isDone = true;
        return true;
      }
      this.#batch++;
      this.#pace.spend(this.#look(this.#records));
    }
    this.#removeDoomed();
    this.#batch = 0;
    return true;
  }

  /** Returns the cost in nanoseconds. */
  #look(record: RecordScan): number {
    const { key, main, sub } = record;
    const isKept = this.#state.index.isOldest(key, main, sub);
    if (!isKept) this.#doomed.push(copyBytes(record.recordKey));
    if (this.#job.isHashed) this.#hasher.add(record);
    return RECORD_COST + record.keyValue.length;
  }

  /** Done at the end of a slice, for a removal sends the scan looking for its place again. */
  #removeDoomed(): void {
    for (let key = this.#doomed.at(-1); key !== undefined; key = this.#doomed.at(-1)) {
      this.#state.records.delete(key);
      this.#doomed.pop();
      this.deleted++;
    }
  }
}
