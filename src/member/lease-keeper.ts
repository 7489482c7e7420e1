import { deferred } from "../base/index.ts";
import type { Lease, Lessor } from "../lease/index.ts";
import { api, encodeMessage, type Failure, REQUEST } from "../proto/index.ts";
import type { LogLines } from "./ports.ts";
import type { ProposalWaiter } from "./proposals.ts";

/**
 * Revokes under way at a time. Each batch follows the one before as soon as half of that is done:
 * as fast as the log can take it, and never more at once than leaves room for everybody else.
 */
const REVOKES_MAX = 1000;

/** Leases in one checkpoint entry, of which one is under way at a time (etcd: as many). */
const CHECKPOINTS_MAX = 1000;

export interface LeaseKeeperOptions {
  readonly lessor: Lessor;
  readonly now: () => number;
  readonly lines: LogLines;
  readonly propose: (field: number, request: Uint8Array, waiter: ProposalWaiter) => void;
  /** A revoke that has not been applied after this is proposed again. */
  readonly retryMs: number;
}

/** On the primary: has expired leases revoked, and the time that long ones have left replicated. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #lessor: Lessor;
  #revokes = 0;
  #isCheckpointing = false;
  #waiting: { lease: Lease; until: number; done: (gone: boolean) => void }[] = [];
  /** Leases revoked because their time was over. */
  expired = 0;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#lessor = options.lessor;
  }

  /** To be called every half second. */
  look(): void {
    if (!this.#lessor.isPrimary) return;
    this.#revokeExpired();
    this.#proposeCheckpoints();
  }

  /** Resolves to true once the expired lease is gone, to false when that takes too long. */
  revoked(lease: Lease): Promise<boolean> {
    const { promise, resolve } = deferred<boolean>();
    const until = this.#options.now() + this.#options.retryMs;
    this.#waiting.push({ lease, until, done: resolve });
    return promise;
  }

  /** To be called when entries were applied, and now and then. */
  settle(): void {
    if (this.#waiting.length === 0) return;
    const now = this.#options.now();
    this.#waiting = this.#waiting.filter(({ lease, until, done }) => {
      const gone = this.#lessor.get(lease.id) !== lease;
      if (!gone && now < until) return true;
      done(gone);
      return false;
    });
  }

  /** A renewed lease has its whole time again: resolves when all members know, or may not hear. */
  clearCheckpoint(lease: Lease): Promise<void> {
    const { promise, resolve } = deferred<void>();
    this.#checkpoint([{ ID: lease.id, remainingTTL: 0 }], resolve);
    return promise;
  }

  #revokeExpired(): void {
    const { now, propose, retryMs } = this.#options;
    let isRefused = false;
    const fail = (id: bigint, failure: Failure) => {
      this.#revokes--;
      isRefused = true;
      this.#warn(id, failure);
    };
    for (const { id } of this.#lessor.takeExpired(now(), REVOKES_MAX - this.#revokes, retryMs)) {
      this.#revokes++;
      propose(REQUEST.leaseRevoke, encodeMessage(api.LeaseRevokeRequest, { ID: id }), {
        settle: ({ error }) => this.#revokeDone(error === undefined),
        fail: (failure) => fail(id, failure),
      });
      // The rest comes up again like this one.
      if (isRefused) return;
    }
  }

  #revokeDone(isGone: boolean): void {
    this.#revokes--;
    if (isGone) this.expired++;
    if (this.#revokes > REVOKES_MAX / 2 || !this.#lessor.isPrimary) return;
    if (this.#lessor.hasDue(this.#options.now())) this.#revokeExpired();
  }

  #warn(id: bigint, { message }: Failure): void {
    const hex = BigInt.asUintN(64, id).toString(16).padStart(16, "0");
    this.#options.lines.warn("failed to revoke lease", { "lease-id": hex, error: message });
  }

  #proposeCheckpoints(): void {
    if (this.#isCheckpointing) return;
    const checkpoints = this.#lessor.takeCheckpoints(this.#options.now(), CHECKPOINTS_MAX);
    if (checkpoints.length === 0) return;
    this.#isCheckpointing = true;
    this.#checkpoint(checkpoints, () => {
      this.#isCheckpointing = false;
      if (checkpoints.length === CHECKPOINTS_MAX) this.look();
    });
  }

  #checkpoint(checkpoints: api.LeaseCheckpoint[], done: () => void): void {
    const request = encodeMessage(api.LeaseCheckpointRequest, { checkpoints });
    this.#options.propose(REQUEST.leaseCheckpoint, request, { settle: done, fail: done });
  }
}
