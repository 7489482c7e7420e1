/** The store that is measured: how its keys look, how it is filled and changed. */
import { api, encodeMessage, type Init, type MessageOf } from "../src/proto/index.ts";
import type { Wire } from "./bench-calm-wire.ts";

export const RANGE = "/etcdserverpb.KV/Range";
export const RANGE_STREAM = "/etcdserverpb.KV/RangeStream";
export const PUT = "/etcdserverpb.KV/Put";
export const TXN = "/etcdserverpb.KV/Txn";
export const COMPACT = "/etcdserverpb.KV/Compact";
export const WATCH = "/etcdserverpb.Watch/Watch";
export const SNAPSHOT = "/etcdserverpb.Maintenance/Snapshot";
export const DEFRAGMENT = "/etcdserverpb.Maintenance/Defragment";

/** etcd's default bound is 128 operations. */
const PUTS_PER_TXN = 100;
/** Requests under way at a time while a store is filled. */
const FILL_CLIENTS = 20;
const VALUE_BYTES = 256;

const encoder = new TextEncoder();

/** All keys. */
export const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
const VALUE: Uint8Array = new Uint8Array(VALUE_BYTES).fill(0x76);

/** Keys sort as their numbers do. */
export function keyOf(index: number): Uint8Array {
  return encoder.encode(`/calm/objects/${String(index).padStart(10, "0")}`);
}

export function putRequest(key: Uint8Array, value = VALUE): Uint8Array {
  return encodeMessage(api.PutRequest, { key, value });
}

export function rangeRequest(fields: Init<MessageOf<typeof api.RangeRequest>> = {}): Uint8Array {
  return encodeMessage(api.RangeRequest, { ...ALL, ...fields });
}

/** Steps through 0 to count - 1, each once, in an order that looks like none. */
export function* shuffled(count: number): Generator<number> {
  // Any step without a common factor visits all; this one is near the golden section.
  let step = Math.floor(count * 0.618) | 1;
  while (gcd(step, count) !== 1) step += 2;
  for (let i = 0, at = 0; i < count; i++, at = (at + step) % count) yield at;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Puts the keys of these numbers, in transactions of many. */
export async function fill(wire: Wire, indexes: Iterator<number>): Promise<void> {
  const work = async () => {
    for (let request = nextTxn(indexes); request !== undefined; request = nextTxn(indexes)) {
      await wire.unary(TXN, request);
    }
  };
  await Promise.all(Array.from({ length: FILL_CLIENTS }, work));
}

function nextTxn(indexes: Iterator<number>): Uint8Array | undefined {
  const success = [];
  while (success.length < PUTS_PER_TXN) {
    const next = indexes.next();
    if (next.done === true) break;
    success.push({ requestPut: { key: keyOf(next.value), value: VALUE } });
  }
  return success.length === 0 ? undefined : encodeMessage(api.TxnRequest, { success });
}
