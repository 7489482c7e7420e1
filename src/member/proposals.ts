import type { Applied } from "../apply/index.ts";
import { Arena } from "../base/index.ts";
import { encodeInternalRequest, type Failure, fail } from "../proto/index.ts";
import type { Refusal } from "../raft/index.ts";
import type { Meters } from "./meters.ts";

/** Whoever waits for the answer to a proposal. Exactly one of the two is called, once. */
export interface ProposalWaiter {
  /** The entry was applied. The reply is valid during the call. */
  settle(applied: Applied): void;
  /** It was not, or nobody knows: the entry may still be applied later. */
  fail(failure: Failure): void;
}

interface Pending {
  readonly sequence: number;
  readonly field: number;
  readonly waiter: ProposalWaiter | undefined;
  readonly since: number;
  /** To be proposed in this term of a leader only: what it goes by must not outlive its lead. */
  readonly ledIn: number | undefined;
  /** The entry's data, until raft has it. */
  data: Uint8Array | undefined;
}

/** Requests that leave together. */
type Taken = readonly Pending[];

/** Proposals that may wait for their entry at once; one more is refused (too many requests). */
const PENDING_MAX = 20_000;
const PENDING_BYTES_MAX = 128 * 1024 * 1024;

/** Bytes that go into one write of the log: more would hold the loop for long. */
const TAKEN_BYTES_MAX = 2 * 1024 * 1024;

export interface ProposalOptions {
  /** Low 16 bits of the member id: the member's part of every request id. */
  readonly member: number;
  /** Where sequences begin: wall-clock milliseconds shifted by 8 bits (etcd: `pkg/idutil`). */
  readonly firstSequence: number;
  readonly requestBytesMax: number;
  readonly timeoutMs: number;
  /** Why a request that raft took then was not answered in time. */
  readonly timeoutOf: (since: number) => Failure;
  /** Where the time that requests took is noted. */
  readonly meters?: Meters;
}

/**
 * Requests on their way through the log. They gather until the ready loop takes them all at once;
 * each answer finds its waiter by the id in the entry.
 */
export class Proposals {
  readonly #options: ProposalOptions;
  readonly #arena = new Arena();
  readonly #pending = new Map<number, Pending>();
  #gathered: Pending[] = [];
  #gatheredBytes = 0;
  #sequence: number;
  /** Counters for metrics. */
  failed = 0;
  /** The time it is while entries are applied. */
  nowMs = 0;

  constructor(options: ProposalOptions) {
    this.#options = options;
    this.#sequence = options.firstSequence;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  get hasGathered(): boolean {
    return this.#gathered.length > 0;
  }

  /** A new id, unique among all members: member part and counter. */
  nextId(): bigint {
    return (BigInt(this.#options.member) << 48n) | BigInt(this.#nextSequence());
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) % 0x1_0000_0000_0000;
    return this.#sequence;
  }

  /**
   * Takes a request in, or answers why not. `request` is copied. Without a waiter nobody is told
   * of the outcome.
   */
  add(
    field: number,
    request: Uint8Array,
    waiter: ProposalWaiter | undefined,
    now: number,
    ledIn?: number,
  ): Failure | undefined {
    if (this.#pending.size >= PENDING_MAX || this.#gatheredBytes > PENDING_BYTES_MAX) {
      return fail("tooManyRequests");
    }
    const sequence = this.#nextSequence();
    const id = { member: this.#options.member, sequence };
    const data = encodeInternalRequest(this.#arena, field, request, id);
    if (data.length > this.#options.requestBytesMax) return fail("requestTooLarge");
    const pending = { sequence, field, waiter, since: now, ledIn, data };
    this.#pending.set(sequence, pending);
    this.#gathered.push(pending);
    this.#gatheredBytes += data.length;
    return undefined;
  }

  /**
   * Offers what has gathered to raft, in order of arrival; of very much, a part: at least one
   * request. What raft refuses has failed. `leadsIn`: the term, where this member leads.
   */
  offer(leadsIn: number | undefined, propose: (datas: Uint8Array[]) => Refusal | undefined): void {
    const taken = this.#take();
    const datas: Uint8Array[] = [];
    for (const pending of taken) {
      const { ledIn } = pending;
      if (ledIn !== undefined && ledIn !== leadsIn) this.#fail(pending, fail("notLeader"));
      else if (pending.data !== undefined) datas.push(pending.data);
      pending.data = undefined;
    }
    if (datas.length === 0 || propose(datas) === undefined) return;
    for (const pending of taken) this.#fail(pending, fail("proposalDropped"));
  }

  #take(): Taken {
    let count = 0;
    let bytes = 0;
    for (const { data } of this.#gathered) {
      const length = data?.length ?? 0;
      if (count > 0 && bytes + length > TAKEN_BYTES_MAX) break;
      bytes += length;
      count++;
    }
    this.#gatheredBytes -= bytes;
    if (count < this.#gathered.length) return this.#gathered.splice(0, count);
    const gathered = this.#gathered;
    this.#gathered = [];
    return gathered;
  }

  /** Whether somebody here waits for the entry with this id. */
  has(member: number, sequence: number): boolean {
    return member === this.#options.member && this.#pending.get(sequence)?.waiter !== undefined;
  }

  settle(member: number, sequence: number, applied: Applied): void {
    if (member !== this.#options.member) return;
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return;
    this.#pending.delete(sequence);
    this.#measure(pending, applied.error === undefined, this.nowMs);
    pending.waiter?.settle(applied);
  }

  /**
   * Gives up on those that have waited too long. They are held in order of arrival. Who has waited
   * for a leader all the time hears what etcd's library says then.
   */
  expire(now: number): void {
    this.nowMs = now;
    let withdrawn = 0;
    for (const pending of this.#pending.values()) {
      const { since, data } = pending;
      if (now - since < this.#options.timeoutMs) break;
      if (data !== undefined) {
        this.#gatheredBytes -= data.length;
        withdrawn++;
      }
      const isProposed = data === undefined;
      const failure = isProposed ? this.#options.timeoutOf(since) : fail("contextDeadlineExceeded");
      this.#fail(pending, failure);
    }
    // What was not proposed is not going to be: it is first among what has gathered, too.
    if (withdrawn > 0) this.#gathered.splice(0, withdrawn);
  }

  #fail(pending: Pending, failure: Failure): void {
    if (!this.#pending.delete(pending.sequence)) return;
    this.failed++;
    this.#measure(pending, false, this.nowMs);
    pending.waiter?.fail(failure);
  }

  #measure({ field, since }: Pending, isOk: boolean, now: number): void {
    this.#options.meters?.requests.observe(field, isOk, now - since);
  }

  failAll(failure: Failure): void {
    for (const { waiter } of this.#pending.values()) waiter?.fail(failure);
    this.#pending.clear();
  }
}
