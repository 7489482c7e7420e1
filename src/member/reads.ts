import { type Failure, fail } from "../proto/index.ts";

/** Whoever waits until everything acknowledged before its read has been applied here. */
export interface ReadWaiter {
  ready(): void;
  fail(failure: Failure): void;
}

interface Round {
  readonly context: number;
  readonly since: number;
  readonly waiters: ReadWaiter[];
  /** Applied index that the readers need; known once raft has confirmed the round. */
  index: number | undefined;
}

/** Reads that may wait at once; one more is refused (too many requests). */
const WAITING_MAX = 100_000;

/**
 * Linearizable reads. All readers that arrive before a round begins share it: raft names the index
 * that was committed when the round began, and they are released once that index is applied.
 */
export class Reads {
  #arriving: ReadWaiter[] = [];
  readonly #rounds: Round[] = [];
  #nextContext = 1;

  get hasArriving(): boolean {
    return this.#arriving.length > 0;
  }

  add(waiter: ReadWaiter): Failure | undefined {
    if (this.#arriving.length >= WAITING_MAX) return fail("tooManyRequests");
    this.#arriving.push(waiter);
    return undefined;
  }

  /** Begins a round for everybody who has arrived; returns its name for raft. */
  beginRound(now: number): number {
    const context = this.#nextContext++;
    this.#rounds.push({ context, since: now, waiters: this.#arriving, index: undefined });
    this.#arriving = [];
    return context;
  }

  /** Names of the rounds that raft has not confirmed: it drops reads while it has no leader. */
  unconfirmed(): number[] {
    return this.#rounds.flatMap(({ context, index }) => (index === undefined ? [context] : []));
  }

  confirm(context: number, index: number): void {
    const round = this.#rounds.find((candidate) => candidate.context === context);
    if (round !== undefined) round.index = index;
  }

  /** Lets those go whose index is applied. */
  release(appliedIndex: number): void {
    for (;;) {
      const round = this.#rounds[0];
      if (round?.index === undefined || round.index > appliedIndex) return;
      this.#rounds.shift();
      for (const waiter of round.waiters) waiter.ready();
    }
  }

  /** Gives up on rounds that have waited too long; answers how many. */
  expire(now: number, timeoutMs: number): number {
    for (let count = 0; ; count++) {
      const round = this.#rounds[0];
      if (round === undefined || now - round.since < timeoutMs) return count;
      this.#rounds.shift();
      for (const waiter of round.waiters) waiter.fail(fail("timeout"));
    }
  }

  failAll(failure: Failure): void {
    const waiters = [...this.#rounds.flatMap((round) => round.waiters), ...this.#arriving];
    this.#rounds.length = 0;
    this.#arriving = [];
    for (const waiter of waiters) waiter.fail(failure);
  }
}
