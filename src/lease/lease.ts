import { Reader, VARINT, Writer } from "../proto/index.ts";
import type { Timed } from "./deadlines.ts";

/** Expiry of every lease while this member is not the primary. */
export const FOREVER = Number.POSITIVE_INFINITY;

/** Keys of all leases that have none; most have none or one, and there may be very many leases. */
export const NO_KEYS: Set<string> = new Set();

/** A lease; as `Timed` it stands in the queue of expiries, where a renewal need not move it. */
export interface Lease extends Timed {
  readonly id: bigint;
  readonly ttlSeconds: number;
  /** What a checkpoint left of the TTL; 0 when none was made. */
  remainingSeconds: number;
  /** Attached keys, as `bytesToKey` strings. */
  keys: Set<string>;
  /** Monotonic milliseconds, or infinity when this member is not the primary. */
  expiresAt: number;
  /** When a checkpoint of it is due, where that is wanted. */
  checkpoint: CheckpointDue | undefined;
}

export interface CheckpointDue extends Timed {
  readonly lease: Lease;
}

export function newLease(id: bigint, ttlSeconds: number, remainingSeconds: number): Lease {
  return {
    id,
    ttlSeconds,
    remainingSeconds,
    keys: NO_KEYS,
    expiresAt: FOREVER,
    checkpoint: undefined,
    at: FOREVER,
    place: -1,
  };
}

/** Seconds that the lease lives from now on, unless it is renewed. */
export function secondsToLive({ ttlSeconds, remainingSeconds }: Lease): number {
  return remainingSeconds > 0 ? remainingSeconds : ttlSeconds;
}

const scratch = new Writer(64);

/** leasepb.Lease: 1 ID, 2 TTL, 3 RemainingTTL. A view until the next call. */
export function encodeLease(lease: Lease): Uint8Array {
  scratch.reset();
  scratch.bigField(1, lease.id);
  scratch.intField(2, lease.ttlSeconds);
  scratch.intField(3, lease.remainingSeconds);
  return scratch.view();
}

export function decodeLease(bytes: Uint8Array, ttlSecondsMin: number): Lease {
  let id = 0n;
  let ttlSeconds = 0;
  let remainingSeconds = 0;
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 8 + VARINT) id = r.signedBig();
    else if (r.tag === 16 + VARINT) ttlSeconds = r.int();
    else if (r.tag === 24 + VARINT) remainingSeconds = r.int();
    else r.skip();
  }
  return newLease(id, Math.max(ttlSeconds, ttlSecondsMin), remainingSeconds);
}

/** Bucket key: the id as u64, big endian. */
export function encodeLeaseKey(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigInt64(0, id);
  return key;
}
