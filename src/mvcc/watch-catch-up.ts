import { copyBytes } from "../base/index.ts";
import { inSlices, Pace, RECORD_COST, SCAN_COST, type Slices } from "./slices.ts";
import { Batches, type EventBatch, WatchEvent } from "./watch-events.ts";
import type { History, HistoryScan } from "./watch-history.ts";
import { type Audience, WatcherIndex } from "./watch-index.ts";
import type { Watcher } from "./watcher.ts";

/** Distinct revisions in one response, at most. */
const BATCH_REVISIONS_MAX = 1000;
/** A sweep ends at the first revision after so many records, so that the next ones get their turn. */
export const SWEEP_RECORDS_MAX = 10_000;
/** Likewise for bytes of events: also the size, give or take a revision, of its responses. */
const SWEEP_BYTES_MAX = 512 * 1024;

/** What the sweep reads: both may move on between two slices. */
export interface SweepSource {
  readonly history: History;
  /** Grows when the history is exchanged for a later one. */
  readonly generation: number;
  /** Revisions above this one reach synced watchers by themselves. */
  readonly revision: number;
}

/** The events that a sweep found for one audience. */
export class Portion {
  readonly #events: WatchEvent[] = [];
  /** By the index of the first event: watchers that begin alike share their batches. */
  readonly #batches = new Map<number, Batches>();
  #revisions = 0;
  /** Everything below this revision is in the portion. */
  end = Number.POSITIVE_INFINITY;

  get isOpen(): boolean {
    return this.end === Number.POSITIVE_INFINITY;
  }

  /** Whether an open portion takes events of a revision: if not, it is long enough and closed. */
  takes(revision: number): boolean {
    if (this.#events.at(-1)?.revision === revision) return true;
    if (++this.#revisions <= BATCH_REVISIONS_MAX) return true;
    this.end = revision;
    return false;
  }

  add(event: WatchEvent): void {
    if (this.#batches.size > 0) this.#batches.clear();
    this.#events.push(event);
  }

  /** The sweep is over: it read all revisions below `end`. */
  close(end: number): void {
    if (this.end > end) this.end = end;
    while ((this.#events.at(-1)?.revision ?? 0) >= end) this.#events.pop();
  }

  /** What the watcher is to be sent. Null when nothing is left for it. */
  batchOf(watcher: Watcher): EventBatch | null {
    const first = this.#firstFrom(watcher.next);
    let batches = this.#batches.get(first);
    if (batches === undefined) {
      batches = new Batches(this.#events.slice(first));
      this.#batches.set(first, batches);
    }
    return batches.of(watcher.taste);
  }

  #firstFrom(revision: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.revision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * One walk over a piece of history for many watchers that are behind. Each joins where the walk
 * reaches its position; the walk ends at a bound, between two revisions.
 */
export class Sweep {
  readonly #index = new WatcherIndex();
  readonly portions = new Map<Audience, Portion>();
  /** Events whose previous pairs are still to be looked up. */
  readonly #lookups: { event: WatchEvent; key: Uint8Array }[] = [];
  /** The revision being read; after `read`, the first one that was not read whole. */
  #at: number;
  #records = 0;
  #bytes = 0;
  /** Portions that take more. */
  #open: number;
  readonly #pace = new Pace();

  constructor(watchers: readonly Watcher[]) {
    this.#at = Math.min(...watchers.map((watcher) => watcher.next));
    for (const watcher of watchers) {
      const audience = this.#index.add(watcher);
      if (!this.portions.has(audience)) this.portions.set(audience, new Portion());
    }
    this.#open = this.portions.size;
  }

  /** Fills the portions. Ends early when the history is compacted or exchanged under it. */
  *read(source: SweepSource): Slices<void> {
    const { history, generation } = source;
    const scan = history.scan(this.#at);
    const isGone = () => source.generation !== generation || history.compactedRevision > this.#at;
    yield* inSlices(() => isGone() || this.#readSome(scan, source.revision));
    yield* inSlices(() => this.#lookUpSome(source.history));
    for (const portion of this.portions.values()) portion.close(this.#at);
  }

  /** True when the sweep is at its end. */
  #readSome(scan: HistoryScan, published: number): boolean {
    while (!this.#pace.isOver()) {
      if (!scan.next() || scan.main > published) {
        this.#at = published + 1;
        return true;
      }
      const isNewRevision = scan.main !== this.#at;
      this.#at = scan.main;
      if (isNewRevision && this.#isFull()) return true;
      this.#take(scan);
      this.#pace.spend(2 * SCAN_COST);
    }
    return false;
  }

  #isFull(): boolean {
    return this.#records >= SWEEP_RECORDS_MAX || this.#bytes >= SWEEP_BYTES_MAX || this.#open === 0;
  }

  #take(scan: HistoryScan): void {
    this.#records++;
    let event: WatchEvent | undefined;
    let wantsPrevious = false;
    for (const audience of this.#index.match(scan.key)) {
      const portion = this.portions.get(audience)!;
      if (!portion.isOpen) continue;
      if (!portion.takes(scan.main)) {
        this.#open--;
        continue;
      }
      event ??= this.#encode(scan);
      portion.add(event);
      wantsPrevious ||= audience.wantingPrevious > 0;
    }
    if (event === undefined || !wantsPrevious || scan.isCreate) return;
    this.#lookups.push({ event, key: copyBytes(scan.key) });
    this.#bytes += event.plain.length;
  }

  #encode({ keyValue: record, tombstone: isDelete, main: revision }: HistoryScan): WatchEvent {
    const event = new WatchEvent({ record, isDelete, revision });
    this.#bytes += event.plain.length;
    return event;
  }

  /** True when all are looked up. Apart from the scan, which could not go back over a page miss. */
  #lookUpSome(history: History): boolean {
    while (!this.#pace.isOver()) {
      const next = this.#lookups.at(-1);
      if (next === undefined) return true;
      next.event.addPrevious(history.previousOf(next.key, next.event.revision));
      this.#lookups.pop();
      this.#pace.spend(RECORD_COST);
    }
    return false;
  }
}
