import type { Exchange } from "./exchange.ts";

/** A response that waits for a slow client may hold so much before writing waits, too. */
export const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Wall time that one turn may spend on making parts. */
const TURN_MS = 1;

/** Parts of a response, made when they are wanted. */
export type Parts = Iterator<string | Uint8Array, void>;

/**
 * Writes a response whose parts take time to make: gives way between them, and makes no more while
 * the client does not read. Several may wait in line.
 */
export class PartWriter {
  readonly #exchange: Exchange;
  readonly #waiting: Parts[] = [];
  readonly #onDrain: () => void;
  #isScheduled = false;
  #isGone = false;
  #onDone: (() => void) | undefined;

  /** `onDrain` is called when the client has read, and nothing waits here any more. */
  constructor(exchange: Exchange, onDrain: () => void = () => {}) {
    this.#exchange = exchange;
    this.#onDrain = onDrain;
    // Not at once: what is written through to the kernel drains in the same turn, over and over.
    exchange.onDrain = () => this.#runLater();
  }

  /** Whether there is room for more. */
  get hasRoom(): boolean {
    return this.#waiting.length === 0 && this.#exchange.bufferedBytes < BUFFERED_BYTES_MAX;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  write(parts: Parts): void {
    if (this.#waiting.push(parts) === 1 && !this.#isScheduled) this.#run();
  }

  /** Calls `done` once everything is written. */
  finish(done: () => void): void {
    if (this.isIdle) done();
    else this.#onDone = done;
  }

  /** The client is gone: nothing more is made. */
  stop(): void {
    this.#isGone = true;
    for (const parts of this.#waiting.splice(0)) parts.return?.();
  }

  #run(): void {
    const began = performance.now();
    while (this.#waiting.length > 0) {
      if (this.#exchange.bufferedBytes >= BUFFERED_BYTES_MAX) return;
      const step = this.#waiting[0]!.next();
      if (step.done === true) this.#waiting.shift();
      else this.#exchange.write(step.value);
      if (performance.now() - began >= TURN_MS && this.#waiting.length > 0) return this.#runLater();
    }
    if (this.#isGone) return;
    const done = this.#onDone;
    this.#onDone = undefined;
    if (done !== undefined) done();
    else if (this.#exchange.bufferedBytes < BUFFERED_BYTES_MAX) this.#onDrain();
  }

  #runLater(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isGone) this.#run();
    });
  }
}
