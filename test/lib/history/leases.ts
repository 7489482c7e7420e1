/** What a history says about leases: none ends early, and keys go with theirs, all at once. */
import type { Say } from "./log.ts";
import type { Change, Operation, Pair } from "./types.ts";

interface Life {
  /** No expiry may be known before this. */
  livesUntil: number;
  /** Calls with which a client ended it. */
  readonly revokes: Operation[];
  endedAt: number | undefined;
}

export class LeaseRules {
  readonly #lives = new Map<string, Life>();
  readonly #say: Say;
  /** Of each renewal that was granted: when it was asked for, and for how long. */
  readonly #renewals = new Map<string, { readonly at: number; readonly until: number }[]>();

  constructor(operations: readonly Operation[], say: Say) {
    this.#say = say;
    for (const operation of operations) this.#add(operation);
  }

  #add(operation: Operation): void {
    const { request, answer, calledAt } = operation;
    if (request.kind === "grant") {
      this.#lives.set(request.lease, { livesUntil: 0, revokes: [], endedAt: undefined });
    }
    if (request.kind === "revoke") this.#lives.get(request.lease)?.revokes.push(operation);
    if (request.kind !== "grant" && request.kind !== "renew") return;
    const ttlSeconds = answer?.ttlSeconds ?? 0;
    if (ttlSeconds <= 0) return;
    const renewals = this.#renewals.get(request.lease) ?? [];
    renewals.push({ at: calledAt, until: calledAt + ttlSeconds * 1000 });
    this.#renewals.set(request.lease, renewals);
  }

  /**
   * Explains deletions that nobody asked for: a lease that ended. Undefined when none did.
   * `happenedBy` is when the revision was known at the latest.
   */
  ended(
    revision: number,
    changes: readonly Change[],
    state: ReadonlyMap<string, Pair>,
    happenedBy: number,
  ): { readonly operation: Operation | undefined } | undefined {
    const lease = state.get(changes[0]!.key)?.lease;
    const life = lease === undefined ? undefined : this.#lives.get(lease);
    if (lease === undefined || life === undefined) return undefined;
    const attached = [...state.values()].filter((pair) => pair.lease === lease);
    const gone = new Set(changes.map(({ key }) => key));
    if (changes.some(({ pair }) => pair !== undefined) || gone.size !== attached.length) {
      return undefined;
    }
    if (!attached.every(({ key }) => gone.has(key))) return undefined;
    if (life.endedAt !== undefined) this.#say(`lease ${lease} ended twice, again at ${revision}`);
    life.endedAt = revision;
    const revoked = life.revokes.find(({ answer }) => answer !== undefined);
    // A revoke without an answer may have been carried out, or come too late.
    const mayBeRevoked = life.revokes.some(({ calledAt }) => calledAt < happenedBy);
    if (!mayBeRevoked) this.#checkEarly(lease, revision, happenedBy);
    return { operation: revoked };
  }

  #checkEarly(lease: string, revision: number, happenedBy: number): void {
    const early = this.#renewals
      .get(lease)
      ?.find(({ at, until }) => at < happenedBy && happenedBy < until);
    if (early === undefined) return;
    const late = (early.until - happenedBy).toFixed(0);
    this.#say(`lease ${lease} ended ${late} ms early, at revision ${revision}`);
  }

  /** Keys of a lease that was revoked, with an answer, must be gone. */
  finish(state: ReadonlyMap<string, Pair>, last: number): void {
    for (const { lease, key } of state.values()) {
      const revokes = (lease === undefined ? undefined : this.#lives.get(lease))?.revokes ?? [];
      if (revokes.some(({ answer }) => answer !== undefined)) {
        this.#say(`at ${last} key ${key} is still there, its lease ${lease} was revoked`);
      }
    }
  }
}
