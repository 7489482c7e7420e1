/** A timer may go off that much early: both its start and its length are cut to milliseconds. */
const TIMER_EARLY_MS = 2;

/** When something must be done, by the clock that only goes forward. */
export class Deadline {
  static readonly never: Deadline = new Deadline(undefined);
  readonly #at: number | undefined;

  private constructor(at: number | undefined) {
    this.#at = at;
  }

  static in(ms: number): Deadline {
    return new Deadline(performance.now() + ms);
  }

  /** Undefined for ever. */
  get remainingMs(): number | undefined {
    return this.#at === undefined ? undefined : Math.max(0, this.#at - performance.now());
  }

  get expired(): boolean {
    return this.#at !== undefined && performance.now() > this.#at - TIMER_EARLY_MS;
  }
}
