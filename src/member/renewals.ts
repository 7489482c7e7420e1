import type { State } from "../apply/index.ts";
import { keyToBytes } from "../base/index.ts";
import { type Failure, fail } from "../proto/index.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { Leadership } from "./leadership.ts";
import type { NetworkPort, PeerLease, PeerReply, TimePort } from "./ports.ts";

/** How long a peer that asks waits until what is committed here is applied (etcd: `applyTimeout`). */
const APPLY_MS_MAX = 1000;

export interface RenewalsOptions {
  readonly state: State;
  readonly leases: LeaseKeeper;
  readonly leadership: Leadership;
  readonly network: NetworkPort;
  readonly time: TimePort;
  readonly caughtUp: () => Promise<Failure | undefined>;
  /** Whether a leader that ticks trusts that it leads (gate FastLeaseKeepAlive). */
  readonly isFast: boolean;
}

/**
 * The times of leases, which the leader alone knows: it counts them, and they do not go through the
 * log. Other members ask it.
 */
export class Renewals {
  readonly #options: RenewalsOptions;

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  /**
   * Renews a lease that is known and alive, by who leads without doubt; its TTL in seconds.
   * Undefined when it takes a closer look.
   */
  now(id: bigint): number | undefined {
    const { state, time, leadership, isFast } = this.#options;
    const { lessor } = state;
    const lease = lessor.get(id);
    if (!isFast || lease === undefined || !lessor.isPrimary || !leadership.isFresh)
      return undefined;
    const now = time.now();
    if (lessor.isExpired(lease, now)) return undefined;
    // What a checkpoint has left of it must be taken back first.
    if (lease.remainingSeconds > 0) return undefined;
    return lessor.renew(lease, now);
  }

  /** Renews a lease wherever its time is counted. TTL 0: there is none. */
  renew(id: bigint): Promise<number | Failure> {
    return this.#atLeader(
      () => this.#renewHere(id),
      (leader, ms) => this.#options.network.renewLease(leader, id, ms),
      0,
    );
  }

  /** What is left of a lease. `ttlSeconds` is -1 when there is none. */
  timeToLive(id: bigint, keys: boolean): Promise<PeerLease | Failure> {
    return this.#atLeader(
      () => this.#timeToLiveHere(id, keys),
      (leader, ms) => this.#options.network.timeToLive(leader, { lease: id, keys }, ms),
      GONE,
    );
  }

  /** For a peer: by this member, or not at all. */
  answerRenewal(id: bigint): Promise<PeerReply<number>> {
    return this.#answer(() => this.#renewHere(id), isGoneTtl);
  }

  answerTimeToLive(id: bigint, keys: boolean): Promise<PeerReply<PeerLease>> {
    return this.#answer(() => this.#timeToLiveHere(id, keys), isGoneLease);
  }

  async #answer<T>(
    here: () => Promise<T | Failure>,
    isGone: (value: T) => boolean,
  ): Promise<PeerReply<T>> {
    const { leadership, time } = this.#options;
    if (!leadership.isOwn) return { kind: "refused", failure: fail("notPrimaryLessor") };
    const late = time.sleep(APPLY_MS_MAX).then(() => fail("timeout"));
    const value = await Promise.race([here(), late]);
    if (isFailure(value)) {
      if (value === fail("timeout")) return { kind: "unreached", reason: value.message };
      return { kind: "refused", failure: value };
    }
    return isGone(value)
      ? { kind: "refused", failure: fail("leaseNotFound") }
      : { kind: "value", value };
  }

  #atLeader<T>(
    here: () => Promise<T | Failure>,
    there: (leader: bigint, timeoutMs: number) => Promise<PeerReply<T>>,
    gone: T,
  ): Promise<T | Failure> {
    const { leadership } = this.#options;
    return leadership.reach(async (leader, timeoutMs) => {
      if (leadership.isOwn) {
        const value = await here();
        return value === fail("notPrimaryLessor") ? undefined : value;
      }
      const reply = await there(leader, timeoutMs);
      if (reply.kind === "value") return reply.value;
      const isGone = reply.kind === "refused" && reply.failure === fail("leaseNotFound");
      return isGone ? gone : undefined;
    });
  }

  /**
   * Waits for what may be on its way: the grant in the log, the revoke of an expired lease, or word
   * to all members that the lease has its whole time again.
   */
  async #renewHere(id: bigint): Promise<number | Failure> {
    const { state, leases, leadership, time } = this.#options;
    const { stops } = leadership;
    const failure = await this.#options.caughtUp();
    if (failure !== undefined) return failure;
    const { lessor } = state;
    if (!lessor.isPrimary) return fail("notPrimaryLessor");
    leadership.confirmed(stops);
    const lease = lessor.get(id);
    if (lease === undefined) return 0;
    if (lessor.isExpired(lease, time.now())) {
      return (await leases.revoked(lease)) ? 0 : fail("timeout");
    }
    if (lease.remainingSeconds > 0) await leases.clearCheckpoint(lease);
    if (!lessor.isPrimary) return fail("notPrimaryLessor");
    const now = time.now();
    return lessor.get(id) === lease && !lessor.isExpired(lease, now) ? lessor.renew(lease, now) : 0;
  }

  async #timeToLiveHere(id: bigint, keys: boolean): Promise<PeerLease | Failure> {
    const failure = await this.#options.caughtUp();
    if (failure !== undefined) return failure;
    const { state, time } = this.#options;
    const { lessor } = state;
    if (!lessor.isPrimary) return fail("notPrimaryLessor");
    const lease = lessor.get(id);
    const now = time.now();
    if (lease === undefined || lessor.isExpired(lease, now)) return GONE;
    return {
      ttlSeconds: lessor.remainingSeconds(lease, now),
      grantedSeconds: lease.ttlSeconds,
      keys: keys ? Array.from(lease.keys, keyToBytes) : [],
    };
  }
}

const GONE: PeerLease = { ttlSeconds: -1, grantedSeconds: 0, keys: [] };

const isGoneTtl = (ttlSeconds: number): boolean => ttlSeconds === 0;
const isGoneLease = ({ ttlSeconds }: PeerLease): boolean => ttlSeconds < 0;

function isFailure(value: unknown): value is Failure {
  return typeof value === "object" && value !== null && "code" in value;
}
