import { PageMiss } from "../bolt/index.ts";
import type { Store } from "../mvcc/index.ts";
import type { Meters } from "./meters.ts";
import type { TimePort } from "./ports.ts";
import type { Slicer } from "./slices.ts";

type Job = ReturnType<Store["runCompaction"]>;

/**
 * While others write and nobody waits for a compaction, the pauses between batches are so many
 * times as long, and there is one after each slice, so that no request waits for two of them. But
 * not for longer than this: then it has to end before there is more to compact.
 */
const CALM = { pauses: 4, slicePauseMs: 10, maxMs: 120_000 };

/**
 * Carries compactions out behind the requests: a batch of records, a pause, the next batch. Each
 * step runs on the ready loop, which alone may write.
 */
export class Compactor {
  readonly #store: Store;
  readonly #slicer: Slicer;
  readonly #time: TimePort;
  readonly #pauseMs: number;
  readonly #wake: () => void;
  readonly #meters: Meters;
  #begunAt = 0;
  #job: Job | undefined;
  #isResting = false;
  /** The store's revision when the last pause, or the compaction, began. */
  #revision = 0;
  #waiting: { revision: number; done: () => void }[] = [];
  /** Revision up to which everything superfluous is gone. */
  #finishedRevision = -1;

  constructor(options: {
    store: Store;
    slicer: Slicer;
    time: TimePort;
    pauseMs: number;
    wake: () => void;
    meters: Meters;
  }) {
    this.#store = options.store;
    this.#slicer = options.slicer;
    this.#time = options.time;
    this.#pauseMs = options.pauseMs;
    this.#wake = options.wake;
    this.#meters = options.meters;
  }

  get isDue(): boolean {
    return !this.#isResting && (this.#job !== undefined || this.#store.compactionsPending > 0);
  }

  /** Resolves when the compaction to the revision, or a later one, is done. */
  finished(revision: number): Promise<void> {
    if (this.#finishedRevision >= revision) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ revision, done }));
  }

  /** The store has become another. */
  restart(): void {
    this.#job = undefined;
    if (this.#store.compactionsPending > 0) this.#wake();
    else this.#finish(this.#store.compactedRevision);
  }

  /** Runs one slice, and rests after it or after the last of a batch: requests go in between. */
  async step(pausing: () => void): Promise<void> {
    const begun = this.#time.now();
    if (this.#job === undefined) {
      this.#begunAt = begun;
      this.#revision = this.#store.currentRevision;
      this.#job = this.#store.runCompaction();
    }
    const step = this.#job.next();
    if (step.done === true) {
      this.#job = undefined;
      this.#measure(begun, step.value.deleted);
      this.#finish(step.value.revision);
      return;
    }
    this.#meters.compactionPauseMs.observe(this.#time.now() - begun);
    const miss = step.value instanceof PageMiss ? step.value : undefined;
    const mayTakeLong = miss === undefined && this.#mayTakeLong();
    if (step.value === "batch") this.#rest(this.#pauseMs * (mayTakeLong ? CALM.pauses : 1));
    else if (mayTakeLong) this.#rest(CALM.slicePauseMs);
    else await this.#slicer.giveWay(miss, pausing);
  }

  #measure(stepBegun: number, deleted: number): void {
    const now = this.#time.now();
    this.#meters.compactionPauseMs.observe(now - stepBegun);
    this.#meters.compactionTotalMs.observe(now - this.#begunAt);
    this.#meters.compactedKeys += deleted;
    this.#meters.compactionEndedAt = now;
  }

  #rest(pauseMs: number): void {
    // A timer may come a little before its time: what ends the rest is the timer, not the clock.
    this.#isResting = true;
    void this.#time.sleep(pauseMs).then(() => {
      this.#isResting = false;
      this.#wake();
    });
  }

  /** Whether others write, who are better off when this takes longer. */
  #mayTakeLong(): boolean {
    const { currentRevision } = this.#store;
    const isBusy = currentRevision !== this.#revision;
    this.#revision = currentRevision;
    const isEarly = this.#time.now() - this.#begunAt < CALM.maxMs;
    return isBusy && isEarly && this.#waiting.length === 0;
  }

  #finish(revision: number): void {
    this.#finishedRevision = Math.max(this.#finishedRevision, revision);
    const done = this.#waiting.filter((waiter) => waiter.revision <= revision);
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > revision);
    for (const waiter of done) waiter.done();
    if (this.#store.compactionsPending > 0) this.#wake();
  }
}
