/** How long a slice is meant to take: about a millisecond. */
export const SLICE_NANOSECONDS = 1_000_000;
/** What the usual steps cost, measured roughly, in nanoseconds. */
export const ROW_COST = 60;
export const PAGE_COST = 2000;

/** Says when a long computation should yield. There is no clock here: it counts the work done. */
export class Slices {
  readonly #length: number;
  #left: number;

  constructor(nanoseconds = SLICE_NANOSECONDS) {
    this.#length = nanoseconds;
    this.#left = nanoseconds;
  }

  /** Counts work of about so many nanoseconds. Returns whether the slice is used up. */
  spend(nanoseconds: number): boolean {
    this.#left -= nanoseconds;
    if (this.#left > 0) return false;
    this.#left = this.#length;
    return true;
  }
}
