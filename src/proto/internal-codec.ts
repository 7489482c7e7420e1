import { type Arena, EMPTY_BYTES } from "../base/index.ts";
import { BYTES, Reader, VARINT, varintBytes } from "./wire.ts";

/**
 * The content of a normal log entry, etcdserverpb.InternalRaftRequest: one request, as the client
 * sent its bytes, and a header with an id. Written and read for every write, so by hand.
 */

/** Field numbers of the requests inside (etcdserverpb/raft_internal.proto). */
export const REQUEST = {
  range: 3,
  put: 4,
  deleteRange: 5,
  txn: 6,
  compaction: 7,
  leaseGrant: 8,
  leaseRevoke: 9,
  alarm: 10,
  leaseCheckpoint: 11,
  header: 100,
  clusterVersionSet: 1300,
  clusterMemberAttrSet: 1301,
  downgradeInfoSet: 1302,
} as const;

const HEADER_FIELD = REQUEST.header * 8 + BYTES;

/**
 * A request id: 64 bits, the upper 16 from the member that drew it, the lower 48 counting up
 * (etcd: `pkg/idutil`). Both parts are exact numbers.
 */
export interface RequestId {
  readonly member: number;
  readonly sequence: number;
}

/** Encodes an entry's data into the arena. `request` is the encoded request message. */
export function encodeInternalRequest(
  arena: Arena,
  field: number,
  request: Uint8Array,
  id: RequestId,
): Uint8Array {
  const length = request.length;
  const low = id.sequence % 0x1_0000_0000;
  const high = id.member * 0x1_0000 + Math.floor(id.sequence / 0x1_0000_0000);
  const idBytes = varint64Bytes(low, high);
  const tag = field * 8 + BYTES;
  const total =
    varintBytes(tag) + varintBytes(length) + length + varintBytes(HEADER_FIELD) + 2 + idBytes;
  const out = arena.alloc(total);
  // Fields in ascending order, as etcd writes them: the header (100) is behind the old requests
  // and before the newer ones.
  let at = 0;
  if (field > REQUEST.header) at = writeHeader(out, at, idBytes, low, high);
  at = writeVarint(out, at, tag);
  at = writeVarint(out, at, length);
  out.set(request, at);
  at += length;
  if (field < REQUEST.header) writeHeader(out, at, idBytes, low, high);
  return out;
}

function writeHeader(
  out: Uint8Array,
  start: number,
  idBytes: number,
  low: number,
  high: number,
): number {
  let at = writeVarint(out, start, HEADER_FIELD);
  out[at++] = 1 + idBytes;
  out[at++] = 8 + VARINT;
  for (let i = 1; i < idBytes; i++) {
    out[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  out[at++] = low & 0x7f;
  return at;
}

/** Bytes that the varint of `high · 2^32 + low` takes. */
function varint64Bytes(low: number, high: number): number {
  if (high === 0) return varintBytes(low);
  const bits = 64 - Math.clz32(high);
  return Math.ceil(bits / 7);
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

/** A decoded entry. One object is used again and again: take what you need before the next. */
export class InternalRequest {
  /** Number of the request's field; 0 when the entry has none. */
  field = 0;
  /** Stands at the request's bytes. */
  body = new Reader(EMPTY_BYTES);
  /** Parts of the id, see `RequestId`. */
  member = 0;
  sequence = 0;

  /** Throws ProtoError on bytes that are no entry of a log. */
  decode(data: Uint8Array): this {
    const r = new Reader(data);
    this.field = 0;
    this.member = 0;
    this.sequence = 0;
    let hasHeader = false;
    while (r.next()) {
      if (r.tag === HEADER_FIELD) {
        hasHeader = true;
        this.#header(r.nested());
      } else if (r.tag % 8 === BYTES) {
        this.field = Math.floor(r.tag / 8);
        this.body = r.nested();
      } else r.skip();
    }
    if (!hasHeader || this.field === 0) r.fail("a log entry holds no request");
    return this;
  }

  #header(r: Reader): void {
    while (r.next()) {
      if (r.tag === 8 + VARINT) {
        r.uint64();
        this.member = r.high >>> 16;
        this.sequence = (r.high & 0xffff) * 0x1_0000_0000 + r.low;
      } else r.skip();
    }
  }
}
