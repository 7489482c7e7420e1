import { Portion } from "./watch-catch-up.ts";
import type { EventBatch, WatchEvent } from "./watch-events.ts";
import type { Watcher } from "./watcher.ts";

/** More than this is not kept in memory: its watchers read it from the history. */
const BACKLOG_BYTES_MAX = 1024 * 1024;

/**
 * Published events that a large audience is still to be told, in one response to each watcher. It
 * is told in slices; what is published meanwhile gathers in the next backlog.
 */
export class Backlog {
  /** The revision of the first event. */
  readonly first: number;
  /** Everything below this revision, from `first` on, is in it. */
  end: number;
  readonly #portion = new Portion();
  #bytes = 0;
  #isWhole = true;
  #missed = false;

  constructor(first: number) {
    this.first = first;
    this.end = first + 1;
  }

  /** Whether it still holds everything. If not, its watchers are to fall behind. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether a previous pair was not at hand: those who want it are to fall behind. */
  get missed(): boolean {
    return this.#missed;
  }

  /** The next events, all of one revision. */
  add(revision: number, events: readonly WatchEvent[], { missed }: { missed: boolean }): void {
    this.end = revision + 1;
    this.#missed ||= missed;
    for (const event of events) this.#addOne(event);
  }

  #addOne(event: WatchEvent): void {
    this.#bytes += event.withPrevious.length;
    this.#isWhole &&= this.#bytes <= BACKLOG_BYTES_MAX && this.#portion.takes(event.revision);
    if (this.#isWhole) this.#portion.add(event);
  }

  /** What is in it for a watcher; null when nothing is. */
  batchOf(watcher: Watcher): EventBatch | null {
    return this.#portion.batchOf(watcher);
  }
}
