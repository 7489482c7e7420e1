/** Calls of which some may have a deadline. */
export interface DeadlineSource {
  readonly deadlines: { readonly size: number };
  /** Ends the calls whose time is up; `performance.now()`. */
  expire(nowMs: number): void;
}

/** Looks at deadlines, but only while there are any: nothing to do costs nothing. */
export class DeadlineWatch {
  readonly #source: DeadlineSource;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: DeadlineSource, everyMs: number) {
    this.#source = source;
    this.#everyMs = everyMs;
  }

  /** To be called when calls may have come that have a deadline. */
  wake(): void {
    if (this.#timer !== undefined || this.#source.deadlines.size === 0) return;
    this.#timer = setInterval(() => this.#look(), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#source.expire(performance.now());
    if (this.#source.deadlines.size === 0) this.stop();
  }
}
