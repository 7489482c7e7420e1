import { type Failure, fail } from "../proto/index.ts";

/** Whoever waits until everything acknowledged before its read has been applied here. */
export interface ReadWaiter {
  ready(): void;
  fail(failure: Failure): void;
}

/** Told the index that was committed when a round began; of a round that fails, nothing. */
export type IndexWaiter = (index: number) => void;

interface Round {
  /** Names by which raft was asked: once more with another name when no answer comes. */
  readonly contexts: bigint[];
  readonly since: number;
  readonly waiters: ReadWaiter[];
  readonly others: IndexWaiter[];
  /** Applied index that the readers need; known once raft has confirmed the round. */
  index: number | undefined;
}

/** Reads that may wait at once; one more is refused (too many requests). */
const WAITING_MAX = 100_000;

/** Rounds of other members that may wait at once; one more is dropped: they ask again. */
const OTHERS_MAX = 1000;

/**
 * Linearizable reads. All readers that arrive before a round begins share it: raft names the index
 * that was committed when the round began, and they are released once that index is applied. One
 * round at a time waits for raft; whoever arrives meanwhile shares the next.
 */
export class Reads {
  #arriving: ReadWaiter[] = [];
  #others: IndexWaiter[] = [];
  readonly #rounds: Round[] = [];

  /** Whether a round may begin that somebody waits for. */
  get mayBegin(): boolean {
    const hasArriving = this.#arriving.length > 0 || this.#others.length > 0;
    return hasArriving && this.#asking === undefined;
  }

  /** The round that raft has not confirmed. */
  get #asking(): Round | undefined {
    const last = this.#rounds.at(-1);
    return last?.index === undefined ? last : undefined;
  }

  get isAsking(): boolean {
    return this.#asking !== undefined;
  }

  add(waiter: ReadWaiter): Failure | undefined {
    if (this.#arriving.length >= WAITING_MAX) return fail("tooManyRequests");
    this.#arriving.push(waiter);
    return undefined;
  }

  /** Another member's round, which needs the index only. */
  addOther(waiter: IndexWaiter): void {
    if (this.#others.length < OTHERS_MAX) this.#others.push(waiter);
  }

  /** Begins a round for everybody who has arrived, under a name. */
  begin(context: bigint, now: number): void {
    const waiters = this.#arriving;
    const others = this.#others;
    this.#arriving = [];
    this.#others = [];
    this.#rounds.push({ contexts: [context], since: now, waiters, others, index: undefined });
  }

  /** Another name for the round that is not confirmed. */
  askAgain(context: bigint): void {
    this.#asking?.contexts.push(context);
  }

  /** False: no round of that name waits. */
  confirm(context: bigint, index: number): boolean {
    const round = this.#asking;
    if (round === undefined || !round.contexts.includes(context)) return false;
    round.index = index;
    for (const waiter of round.others) waiter(index);
    return true;
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

  /** Gives up on what has waited too long; answers how many rounds. */
  expire(now: number, timeoutMs: number): number {
    for (let count = 0; ; count++) {
      const round = this.#rounds[0];
      if (round === undefined || now - round.since < timeoutMs) return count;
      this.#rounds.shift();
      for (const waiter of round.waiters) waiter.fail(fail("timeout"));
    }
  }

  /** The readers of the round that is not confirmed hear why. Whether there is one. */
  failAsking(failure: Failure): boolean {
    if (this.#asking === undefined) return false;
    for (const waiter of this.#rounds.pop()!.waiters) waiter.fail(failure);
    return true;
  }

  failAll(failure: Failure): void {
    const waiters = [...this.#rounds.flatMap((round) => round.waiters), ...this.#arriving];
    this.#rounds.length = 0;
    this.#arriving = [];
    this.#others = [];
    for (const waiter of waiters) waiter.fail(failure);
  }
}
