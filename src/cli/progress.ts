import { formatBytes } from "./go-text.ts";
import type { Output } from "./output.ts";

const EVERY_MS = 200;
/** Back to the start of the line, and all of it gone. */
const CLEAR = "\r\u001b[K";

/**
 * One line at a terminal that tells how far long work is, written over and over. Where there is no
 * terminal nothing is written.
 */
export class Progress {
  readonly #out: Output;
  readonly #what: string;
  readonly #total: number | undefined;
  readonly #show: (amount: number) => string;
  #shownAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  /** `total` is how much there is to do, undefined when nobody knows; bytes unless shown otherwise. */
  constructor(
    out: Output,
    what: string,
    total?: number,
    show: (amount: number) => string = formatBytes,
  ) {
    this.#out = out;
    this.#what = what;
    this.#total = total;
    this.#show = show;
  }

  /** Tells how much is done, unless it was told just now. */
  update(done: number): void {
    const now = performance.now();
    if (this.#out.isTTY !== true || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    this.#out.write(`${CLEAR}${this.#what}: ${this.#show(done)}${this.#ofTotal(done)}`);
  }

  #ofTotal(done: number): string {
    if (this.#total === undefined) return "";
    const share = this.#total === 0 ? 100 : Math.floor((100 * done) / this.#total);
    return ` of ${this.#show(this.#total)} (${share}%)`;
  }

  /** Takes the line away, before anything else is written. */
  clear(): void {
    if (this.#shown) this.#out.write(CLEAR);
    this.#shown = false;
  }
}
