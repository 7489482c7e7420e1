import { assert } from "../base/index.ts";
import type { TimePort } from "./ports.ts";

/** One piece of work that takes several turns. */
export interface Job {
  /** Resolves when it may go on, in a later turn. */
  next(): Promise<void>;
  /** It is done, or given up. */
  end(): void;
}

/** Work that has had more turns than this counts as long. */
const SHORT_TURNS_MAX = 8;
/** Long work that goes on at a time: each piece may hold much memory until it is done. */
const LONG_AT_ONCE = 4;

/**
 * Shares the turns of the event loop among work of any number of requests: one piece in each turn,
 * short and long by turns. Of the long ones the oldest few take turns among themselves, and the
 * others wait: together they would not be done any sooner, and need memory all at the same time.
 */
export class SharedTurns {
  readonly #time: TimePort;
  readonly #short: SharedJob[] = [];
  /** In the order in which they became long; some are waiting for a turn. */
  readonly #long: SharedJob[] = [];
  #isTurning = false;
  #shortIsNext = true;

  constructor(time: TimePort) {
    this.#time = time;
  }

  begin(): Job {
    return new SharedJob(this);
  }

  // --- For the jobs ------------------------------------------------------------------------------

  waits(job: SharedJob): void {
    job.turns++;
    if (job.turns <= SHORT_TURNS_MAX) this.#short.push(job);
    else if (job.turns === SHORT_TURNS_MAX + 1) this.#long.push(job);
    this.#turn();
  }

  ends(job: SharedJob): void {
    assert(!job.isWaiting, "work that waits for its turn is not over");
    if (job.turns <= SHORT_TURNS_MAX) return;
    this.#long.splice(this.#long.indexOf(job), 1);
    this.#turn();
  }

  #turn(): void {
    if (this.#isTurning || this.#choose() === undefined) return;
    this.#isTurning = true;
    void this.#time.nextTurn().then(() => {
      this.#isTurning = false;
      this.#take()?.goOn();
      this.#turn();
    });
  }

  #choose(): SharedJob | undefined {
    const long = this.#long.slice(0, LONG_AT_ONCE).find((job) => job.isWaiting);
    return this.#shortIsNext ? (this.#short[0] ?? long) : (long ?? this.#short[0]);
  }

  #take(): SharedJob | undefined {
    const job = this.#choose();
    if (job === undefined) return undefined;
    if (job === this.#short[0]) {
      this.#short.shift();
      this.#shortIsNext = false;
    } else {
      this.#shortIsNext = true;
      this.#rotate(job);
    }
    return job;
  }

  /** Behind the others that take turns now, but before those that do not yet. */
  #rotate(job: SharedJob): void {
    this.#long.splice(this.#long.indexOf(job), 1);
    this.#long.splice(LONG_AT_ONCE - 1, 0, job);
  }
}

class SharedJob implements Job {
  readonly #turns: SharedTurns;
  #resume: (() => void) | undefined;
  turns = 0;

  constructor(turns: SharedTurns) {
    this.#turns = turns;
  }

  get isWaiting(): boolean {
    return this.#resume !== undefined;
  }

  next(): Promise<void> {
    return new Promise((resume) => {
      this.#resume = resume;
      this.#turns.waits(this);
    });
  }

  goOn(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  end(): void {
    this.#turns.ends(this);
  }
}

/** A turn for whoever asks: for the ready loop, which must not wait for requests. */
export class OwnTurns {
  readonly #job: Job;

  constructor(time: TimePort) {
    this.#job = { next: () => time.nextTurn(), end: () => {} };
  }

  begin(): Job {
    return this.#job;
  }
}
