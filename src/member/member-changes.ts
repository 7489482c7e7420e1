import type { ConfChange, ErrorName, Failure } from "../proto/index.ts";
import { fail } from "../proto/index.ts";
import type { Refusal } from "../raft/index.ts";

/** Whoever waits for a change of the members. Exactly one of the two is called, once. */
export interface ChangeWaiter {
  /** The change was applied, or refused when it should have been. */
  settle(error: ErrorName | undefined): void;
  /** It was not, or nobody knows: it may still be applied later. */
  fail(failure: Failure): void;
}

interface Pending {
  readonly change: ConfChange;
  readonly waiter: ChangeWaiter;
  readonly since: number;
  isProposed: boolean;
}

/** Changes that may wait at once; one more is refused (too many requests). */
const PENDING_MAX = 100;

/** Changes of the members on their way through the log. */
export class MemberChanges {
  readonly #pending = new Map<bigint, Pending>();
  readonly #timeoutMs: number;
  readonly #timeoutOf: (since: number) => Failure;

  constructor(options: { timeoutMs: number; timeoutOf: (since: number) => Failure }) {
    this.#timeoutMs = options.timeoutMs;
    this.#timeoutOf = options.timeoutOf;
  }

  get hasGathered(): boolean {
    for (const { isProposed } of this.#pending.values()) if (!isProposed) return true;
    return false;
  }

  add(change: ConfChange, waiter: ChangeWaiter, now: number): Failure | undefined {
    if (this.#pending.size >= PENDING_MAX) return fail("tooManyRequests");
    this.#pending.set(change.id, { change, waiter, since: now, isProposed: false });
    return undefined;
  }

  /** Offers what has gathered to raft. */
  offer(propose: (change: ConfChange) => Refusal | undefined): void {
    for (const pending of this.#pending.values()) {
      if (pending.isProposed) continue;
      pending.isProposed = true;
      if (propose(pending.change) !== undefined) this.#fail(pending, fail("proposalDropped"));
    }
  }

  settle(id: bigint, error: ErrorName | undefined): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.waiter.settle(error);
  }

  expire(now: number): void {
    for (const pending of this.#pending.values()) {
      const { since, isProposed } = pending;
      if (now - since < this.#timeoutMs) return;
      this.#fail(pending, isProposed ? this.#timeoutOf(since) : fail("contextDeadlineExceeded"));
    }
  }

  #fail({ change, waiter }: Pending, failure: Failure): void {
    this.#pending.delete(change.id);
    waiter.fail(failure);
  }

  failAll(failure: Failure): void {
    for (const pending of this.#pending.values()) this.#fail(pending, failure);
  }
}
