import { COMPARE_COST, Pace } from "./slices.ts";

/**
 * A stable sort that can be laid down in the middle: `step()` sorts on for about a millisecond and
 * says whether it is done. Bottom-up merges of runs that double in length.
 */
export class MergeSort {
  #items: Int32Array;
  #target: Int32Array;
  readonly #compare: (a: number, b: number) => number;
  readonly #pace = new Pace();
  /** Length of the sorted runs. */
  #width = 1;
  /** Where the two runs being merged begin, what is taken of each, and what is merged. */
  #from = 0;
  #left = 0;
  #right = 0;

  /** Sorts the numbers below `length` by `compare`, which must answer the same until the end. */
  constructor(length: number, compare: (a: number, b: number) => number) {
    this.#items = new Int32Array(length);
    this.#target = new Int32Array(length);
    this.#compare = compare;
    for (let i = 0; i < length; i++) this.#items[i] = i;
  }

  /** The numbers; in order once `step` has answered true. */
  get items(): Int32Array {
    return this.#items;
  }

  step(): boolean {
    const length = this.#items.length;
    while (this.#width < length) {
      while (this.#from < length) {
        if (!this.#merge(length)) return false;
      }
      [this.#items, this.#target] = [this.#target, this.#items];
      this.#from = 0;
      this.#width *= 2;
    }
    return true;
  }

  /** Merges the two runs at `from`. False when the slice is used up before. */
  #merge(length: number): boolean {
    const leftLength = Math.min(this.#width, length - this.#from);
    const rightLength = Math.min(this.#width, length - this.#from - leftLength);
    const rightFrom = this.#from + leftLength;
    while (this.#left < leftLength || this.#right < rightLength) {
      if (this.#pace.isOver()) return false;
      this.#pace.spend(COMPARE_COST);
      const at = this.#from + this.#left + this.#right;
      const takesLeft =
        this.#right === rightLength ||
        (this.#left < leftLength &&
          this.#compare(
            this.#items[this.#from + this.#left]!,
            this.#items[rightFrom + this.#right]!,
          ) <= 0);
      this.#target[at] = takesLeft
        ? this.#items[this.#from + this.#left++]!
        : this.#items[rightFrom + this.#right++]!;
    }
    this.#from = rightFrom + rightLength;
    this.#left = 0;
    this.#right = 0;
    return true;
  }
}
