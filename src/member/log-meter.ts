import type { Entry } from "../proto/index.ts";

/** How far apart the marks are. */
const MARK_BYTES = 1024 * 1024;

/** Knows about how many bytes of the log lie behind an index, to a megabyte. */
export class LogMeter {
  /** Bytes of all entries so far, and marks: so many came up to and with the entry. */
  #total = 0;
  #marks: { index: number; total: number }[] = [];

  add(entries: readonly Entry[]): void {
    for (const { index, data } of entries) {
      this.#total += data.length;
      const last = this.#marks.at(-1)?.total ?? 0;
      if (this.#total - last >= MARK_BYTES) this.#marks.push({ index, total: this.#total });
    }
  }

  /** Bytes of the entries behind the index. */
  bytesAfter(index: number): number {
    return this.#total - (this.#marks.findLast((mark) => mark.index <= index)?.total ?? 0);
  }

  /** The least index known that no more than so many bytes lie behind. */
  indexWithin(bytes: number): number {
    return this.#marks.find((mark) => this.#total - mark.total <= bytes)?.index ?? 0;
  }

  /** Forgets what lies before the index. */
  release(index: number): void {
    const first = this.#marks.findLastIndex((mark) => mark.index <= index);
    if (first > 0) this.#marks = this.#marks.slice(first);
  }
}
