/** Entries kept: at 12 bytes each, a mebibyte and a half. Older ones are forgotten. */
const ENTRIES_MAX = 1 << 17;

/**
 * The latest creations and deletions of keys, by which a count of the present becomes a count of
 * the past: the keys of a range at revision R are those of now, less the keys created since R,
 * plus the keys deleted since R.
 *
 * A slot in the log may have been given to another key only if the entry is not newer than the
 * compacted revision, and no read goes back behind that.
 */
export class LivenessLog {
  readonly #mains = new Float64Array(ENTRIES_MAX);
  /** The slot times two, plus one for a deletion. */
  readonly #changes = new Int32Array(ENTRIES_MAX);
  #length = 0;

  add(main: number, slot: number, live: boolean): void {
    const at = this.#length++ % ENTRIES_MAX;
    this.#mains[at] = main;
    this.#changes[at] = (slot << 1) | (live ? 0 : 1);
  }

  /** The number that the next entry gets. */
  get end(): number {
    return this.#length;
  }

  /** Whether the entry is still remembered. */
  has(entry: number): boolean {
    return entry >= this.#length - ENTRIES_MAX;
  }

  /** How many entries are newer than `revision`; undefined when some of them are forgotten. */
  entriesSince(revision: number): number | undefined {
    const oldest = Math.max(0, this.#length - ENTRIES_MAX);
    let from = oldest;
    let to = this.#length;
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if (this.#mains[middle & (ENTRIES_MAX - 1)]! > revision) to = middle;
      else from = middle + 1;
    }
    return from === oldest && oldest > 0 ? undefined : this.#length - from;
  }

  slot(entry: number): number {
    return this.#changes[entry & (ENTRIES_MAX - 1)]! >>> 1;
  }

  /** 1 for a creation, -1 for a deletion. */
  change(entry: number): number {
    return 1 - 2 * (this.#changes[entry & (ENTRIES_MAX - 1)]! & 1);
  }
}
