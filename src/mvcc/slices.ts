import { PageMiss } from "../bolt/index.ts";

/**
 * The shape of everything that may take long. Each `next()` runs about a millisecond. It yields
 * undefined to give way, or a PageMiss to have that page loaded first. Run it to its end or call
 * `return()`: a read that is left lying holds compaction back.
 */
export type Slices<T> = Generator<PageMiss | undefined, T, void>;

/** Work in one slice. Simulations make it little: then much can happen within everything. */
export const SLICE = { nanoseconds: 1_000_000 };

/** What usual steps cost, measured roughly, in nanoseconds. */
export const KEY_COST = 200;
/** A record found by its revision, and one met on the way through the bucket. */
export const RECORD_COST = 4000;
export const SCAN_COST = 1000;
export const COMPARE_COST = 50;

/** Says when a slice is used up. There is no clock here: it counts the work done. */
export class Pace {
  #left = SLICE.nanoseconds;

  /** Counts work of about so many nanoseconds. */
  spend(nanoseconds: number): void {
    this.#left -= nanoseconds;
  }

  /** Whether it is time to give way; if so, the next slice begins. */
  isOver(): boolean {
    if (this.#left > 0) return false;
    this.#left = SLICE.nanoseconds;
    return true;
  }
}

/** Calls `step`, a slice each time, until it answers true. A step that misses a page is repeated. */
export function* inSlices(step: () => boolean): Slices<void> {
  for (;;) {
    let miss: PageMiss | undefined;
    try {
      if (step()) return;
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      miss = error;
    }
    yield miss;
  }
}

/** Runs an operation that changes nothing when it misses a page, until it misses none. */
export function* restartable<T>(operation: () => T): Slices<T> {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      yield error;
    }
  }
}
