import { assert, bytesToKey, exponentialBounds, Histogram, sortInSlices } from "../base/index.ts";
import type { Bucket } from "../bolt/index.ts";
import { Deadlines } from "./deadlines.ts";
import {
  type CheckpointDue,
  decodeLease,
  encodeLease,
  encodeLeaseKey,
  FOREVER,
  type Lease,
  newLease,
  NO_KEYS,
  secondsToLive,
} from "./lease.ts";
import { spread } from "./spread.ts";

/** Largest TTL that may be asked for (etcd: `lease.MaxLeaseTTL`). */
export const LEASE_TTL_SECONDS_MAX = 9_000_000_000;

/** Leases looked at in one look for expired ones; the rest waits for the next. */
const LOOKS_MAX = 5000;

/** Leases changed in one slice of long work. */
const LEASES_PER_SLICE = 5000;
const KEYS_PER_SLICE = 5000;

export type LeaseRefusal = "leaseExist" | "leaseNotFound" | "leaseTtlTooLarge";

/** How much time a lease has left, to be replicated. */
export interface Checkpoint {
  readonly ID: bigint;
  readonly remainingTTL: number;
}

export interface LessorOptions {
  /** Bucket `lease` of the page file. */
  readonly bucket: Bucket;
  /** Shorter TTLs are raised to this: three half elections (etcd: `minTTL`). */
  readonly ttlSecondsMin: number;
  /** Time between two checkpoints of a lease that lives longer; without, none are made. */
  readonly checkpointSeconds?: number | undefined;
}

/** What long work on leases yields between its slices. */
type Slices<T> = Generator<undefined, T, void>;

/** Holds all leases. `grant`, `remove`, `attach` and `detach` are called by apply only. */
export class Lessor {
  #bucket: Bucket;
  readonly #ttlSecondsMin: number;
  readonly #checkpointSeconds: number;
  #leases = new Map<bigint, Lease>();
  #leaseOfKey = new Map<string, Lease>();
  /** All leases of a primary. One that was renewed moves only when its old time has come. */
  readonly #expiries = new Deadlines<Lease>();
  readonly #checkpoints = new Deadlines<CheckpointDue>();
  /** Since the start: leases granted, revoked and renewed, and the seconds they were granted. */
  readonly ttls = new Histogram(exponentialBounds(1, 2, 24));
  granted = 0;
  revoked = 0;
  renewed = 0;
  #primary = false;

  constructor(options: LessorOptions) {
    this.#bucket = options.bucket;
    this.#ttlSecondsMin = options.ttlSecondsMin;
    this.#checkpointSeconds = options.checkpointSeconds ?? FOREVER;
  }

  get size(): number {
    return this.#leases.size;
  }

  get isPrimary(): boolean {
    return this.#primary;
  }

  /**
   * Loads all leases from the page file. Keys are attached afterwards, by the store. After
   * a PageMiss, run again.
   */
  *restore(): Slices<void> {
    const cursor = this.#bucket.cursor();
    let count = 0;
    for (let found = cursor.first(); found; found = cursor.next()) {
      const lease = decodeLease(cursor.value, this.#ttlSecondsMin);
      this.#leases.set(lease.id, lease);
      if (++count % LEASES_PER_SLICE === 0) yield;
    }
  }

  /** Holds the leases of another one, which must not be used by itself any more, as no primary. */
  become(other: Lessor): void {
    this.demote();
    this.#bucket = other.#bucket;
    this.#leases = other.#leases;
    this.#leaseOfKey = other.#leaseOfKey;
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  /** The lease that the key hangs on. */
  leaseOf(key: Uint8Array): bigint {
    if (this.#leaseOfKey.size === 0) return 0n;
    return this.#leaseOfKey.get(bytesToKey(key))?.id ?? 0n;
  }

  grant(id: bigint, ttlSeconds: number, now: number): Lease | LeaseRefusal {
    if (id === 0n) return "leaseNotFound";
    if (ttlSeconds > LEASE_TTL_SECONDS_MAX) return "leaseTtlTooLarge";
    if (this.#leases.has(id)) return "leaseExist";
    const lease = newLease(id, Math.max(ttlSeconds, this.#ttlSecondsMin), 0);
    // First what may miss a page: until it has not, nothing has changed.
    this.#persist(lease);
    this.#leases.set(id, lease);
    this.granted++;
    this.ttls.observe(lease.ttlSeconds);
    if (this.#primary) {
      lease.expiresAt = now + lease.ttlSeconds * 1000;
      this.#schedule(lease, now);
    }
    return lease;
  }

  /** Forgets the lease. Its keys have been deleted by the caller before. May miss a page at first. */
  *remove(id: bigint): Slices<void> {
    const lease = this.#leases.get(id);
    assert(lease !== undefined, "an unknown lease cannot be removed");
    this.#bucket.delete(encodeLeaseKey(id));
    this.#leases.delete(id);
    this.revoked++;
    this.#expiries.delete(lease);
    if (lease.checkpoint !== undefined) this.#checkpoints.delete(lease.checkpoint);
    let count = 0;
    for (const key of lease.keys) {
      this.#leaseOfKey.delete(key);
      if (++count % KEYS_PER_SLICE === 0) yield;
    }
  }

  /** Keys to delete when the lease is revoked, as `bytesToKey` strings in byte order. */
  sortedKeys(lease: Lease): Slices<string[]> {
    return sortInSlices([...lease.keys], (a, b) => (a < b ? -1 : 1));
  }

  /** Moves the key to the lease; id 0 only detaches. An unknown lease must have been refused before. */
  attach(id: bigint, key: Uint8Array): void {
    if (id === 0n && this.#leaseOfKey.size === 0) return;
    const name = bytesToKey(key);
    const previous = this.#leaseOfKey.get(name);
    if (previous !== undefined) {
      if (previous.id === id) return;
      if (previous.keys.size === 1) previous.keys = NO_KEYS;
      else previous.keys.delete(name);
      this.#leaseOfKey.delete(name);
    }
    if (id === 0n) return;
    const lease = this.#leases.get(id);
    // A restored key may name a lease that is gone; etcd only logs that.
    if (lease === undefined) return;
    if (lease.keys === NO_KEYS) lease.keys = new Set();
    lease.keys.add(name);
    this.#leaseOfKey.set(name, lease);
  }

  detach(key: Uint8Array): void {
    this.attach(0n, key);
  }

  /**
   * This member became the leader: every lease gets the time it had left at its last checkpoint
   * plus `extendMs`, because nobody knows how much of it the old leader had counted down since.
   */
  *promote(now: number, extendMs: number): Slices<void> {
    this.#expiries.clear();
    this.#checkpoints.clear();
    for (const lease of this.#leases.values()) {
      lease.expiresAt = now + extendMs + secondsToLive(lease) * 1000;
    }
    yield;
    const leases = [...this.#leases.values()];
    const ordered = yield* sortInSlices(leases, (a, b) => a.expiresAt - b.expiresAt);
    spread(ordered);
    let count = 0;
    for (const lease of ordered) {
      this.#schedule(lease, now);
      if (++count % LEASES_PER_SLICE === 0) yield;
    }
    this.#primary = true;
  }

  /** This member is no longer the leader: it must not let any lease expire. */
  demote(): void {
    this.#primary = false;
    for (const lease of this.#leases.values()) lease.expiresAt = FOREVER;
    this.#expiries.clear();
    this.#checkpoints.clear();
  }

  /**
   * Gives the lease its full time again. Returns its TTL in seconds. What a checkpoint has left of
   * it stands until another one takes it back, through the log.
   */
  renew(lease: Lease, now: number): number {
    assert(this.#primary, "only the primary renews leases");
    this.renewed++;
    lease.expiresAt = now + lease.ttlSeconds * 1000;
    return lease.ttlSeconds;
  }

  isExpired(lease: Lease, now: number): boolean {
    return lease.expiresAt <= now;
  }

  /** Whole seconds left, as TimeToLive tells them. */
  remainingSeconds(lease: Lease, now: number): number {
    if (lease.expiresAt === FOREVER) return lease.ttlSeconds;
    return Math.trunc((lease.expiresAt - now) / 1000);
  }

  /** Ids ordered by the time they have left. */
  *ids(): Slices<bigint[]> {
    const leases = [...this.#leases.values()];
    const compare = (a: Lease, b: Lease) =>
      a.expiresAt === b.expiresAt ? 0 : a.expiresAt - b.expiresAt;
    return (yield* sortInSlices(leases, compare)).map((lease) => lease.id);
  }

  /**
   * Leases to be revoked now, at most `max`. One that is not revoked in time comes up again after
   * `retryMs`.
   */
  takeExpired(now: number, max: number, retryMs: number): Lease[] {
    const expired: Lease[] = [];
    for (let looks = 0; looks < LOOKS_MAX && expired.length < max; looks++) {
      const lease = this.#expiries.next;
      if (lease === undefined || lease.at > now) break;
      if (lease.expiresAt > now) this.#expiries.set(lease, lease.expiresAt);
      else {
        expired.push(lease);
        this.#expiries.set(lease, now + retryMs);
      }
    }
    return expired;
  }

  /** Whether `takeExpired` has more to look at. */
  hasDue(now: number): boolean {
    return (this.#expiries.next?.at ?? FOREVER) <= now;
  }

  /** Checkpoints to be proposed now, at most `max` (etcd: `findDueScheduledCheckpoints`). */
  takeCheckpoints(now: number, max: number): Checkpoint[] {
    const due: Checkpoint[] = [];
    while (due.length < max) {
      const next = this.#checkpoints.next;
      if (next === undefined || next.at > now) break;
      this.#checkpoints.delete(next);
      const { id, expiresAt, ttlSeconds } = next.lease;
      const remainingTTL = Math.ceil((expiresAt - now) / 1000);
      // A lease that was renewed just now needs none; nor does one that is at its end.
      if (remainingTTL > 0 && remainingTTL < ttlSeconds) due.push({ ID: id, remainingTTL });
    }
    return due;
  }

  /** A replicated note of how much time the lease has left; 0 takes an earlier one back. */
  checkpoint({ ID, remainingTTL }: Checkpoint, now: number, options: { persist: boolean }): void {
    const lease = this.#leases.get(ID);
    if (lease === undefined) return;
    lease.remainingSeconds = remainingTTL;
    if (options.persist) this.#persist(lease);
    if (this.#primary) this.#scheduleCheckpoint(lease, now);
  }

  #schedule(lease: Lease, now: number): void {
    this.#expiries.set(lease, lease.expiresAt);
    this.#scheduleCheckpoint(lease, now);
  }

  #scheduleCheckpoint(lease: Lease, now: number): void {
    if (secondsToLive(lease) <= this.#checkpointSeconds) return;
    lease.checkpoint ??= { lease, at: FOREVER, place: -1 };
    this.#checkpoints.set(lease.checkpoint, now + this.#checkpointSeconds * 1000);
  }

  #persist(lease: Lease): void {
    this.#bucket.put(encodeLeaseKey(lease.id), encodeLease(lease));
  }
}
