import { exponentialBounds, Histogram } from "../base/index.ts";
import { REQUEST } from "../proto/index.ts";

/** Seconds, from 1 ms on and from 0.1 ms on: the buckets of etcd's metrics. */
const FROM_1_MS = exponentialBounds(0.001, 2, 14);
const FROM_100_US = exponentialBounds(0.0001, 2, 20);
const FROM_10_MS = exponentialBounds(0.01, 2, 15);

/** Operations by etcd's names; those of the log have the numbers of their fields. */
export const OPERATION = { ...REQUEST, readonlyTxn: -1 } as const;

/** How long operations took, apart for each kind and for those that failed. */
export class Times {
  readonly #bounds: readonly number[];
  readonly #succeeded = new Map<number, Histogram>();
  readonly #failed = new Map<number, Histogram>();

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(operation: number, isOk: boolean, ms: number): void {
    const times = isOk ? this.#succeeded : this.#failed;
    let histogram = times.get(operation);
    if (histogram === undefined) {
      histogram = new Histogram(this.#bounds);
      times.set(operation, histogram);
    }
    histogram.observe(ms / 1000);
  }

  *entries(): Iterable<{ operation: number; isOk: boolean; histogram: Histogram }> {
    for (const [operation, histogram] of this.#succeeded)
      yield { operation, isOk: true, histogram };
    for (const [operation, histogram] of this.#failed) yield { operation, isOk: false, histogram };
  }
}

/** What a member measures of itself. Times in seconds but where the name says otherwise. */
export class Meters {
  /** Entries, from the log into the state. */
  readonly applied = new Times(FROM_100_US);
  /** Requests, from their arrival to their answer. */
  readonly requests = new Times(FROM_1_MS);
  /** Ranges, from the moment they may read. */
  readonly ranges = new Times(FROM_100_US);
  leaderChanges = 0;
  /** Heartbeats that this member, leading, did not send in time. */
  heartbeatsLate = 0;
  /** Learners that this member, leading, gave their vote or refused it, by the reason. */
  promotions = 0;
  readonly failedPromotions = new Map<string, number>();

  promotionFailed(reason: string): void {
    this.failedPromotions.set(reason, (this.failedPromotions.get(reason) ?? 0) + 1);
  }

  /** Entries that took longer than `--warning-apply-duration`. */
  slowApplies = 0;
  /** Linearizable reads that had to be asked for again, and those that were given up. */
  slowReadIndexes = 0;
  readIndexesFailed = 0;

  /** One write and sync of the log each. */
  readonly logSync = new Histogram(FROM_1_MS);
  logBytes = 0;
  /** A commit of the page file: as a whole, the making of its pages, the writing of them. */
  readonly commit = new Histogram(FROM_1_MS);
  readonly commitSpill = new Histogram(FROM_1_MS);
  readonly commitWrite = new Histogram(FROM_1_MS);
  /** Defragmentations under way. */
  defragmenting = 0;
  readonly defragment = new Histogram(exponentialBounds(0.1, 2, 13));
  /** Snapshots sent to clients, from the first byte to the last. */
  readonly snapshotSend = new Histogram(exponentialBounds(0.01, 2, 17));
  /** Snapshots of leaders that are being installed. */
  snapshotsApplying = 0;
  readonly snapshotSave = new Histogram(FROM_1_MS);
  /** Page files from leaders: the last sync, with which one gets its name; from its begin to there. */
  readonly snapshotDbSync = new Histogram(FROM_1_MS);
  readonly snapshotDbSave = new Histogram(exponentialBounds(0.1, 2, 10));
  readonly hash = new Histogram(FROM_10_MS);
  readonly hashRevision = new Histogram(FROM_10_MS);

  readonly compactionPauseMs = new Histogram(exponentialBounds(1, 2, 13));
  readonly compactionTotalMs = new Histogram(exponentialBounds(100, 2, 14));
  compactedKeys = 0;
  /** When a compaction ended last, on the member's clock; undefined for never since the start. */
  compactionEndedAt: number | undefined;
}
