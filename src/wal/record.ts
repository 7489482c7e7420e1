import { crc32c } from "../base/index.ts";
import {
  type Entry,
  entryBytes,
  type HardState,
  type SnapshotMeta,
  varintBytes,
  Writer,
  writeEntry,
  writeHardState,
  writeWalSnapshot,
} from "../proto/index.ts";

// A segment is a row of frames, each starting at a multiple of 8:
//
//   0      u64le   N in the low 56 bits; the top byte is 0x80 | P, or 0 when P is 0
//   8      N       Record { 1 type: varint, 2 crc: varint, 3 data: bytes }
//   8 + N  P       zeros, P = (8 - N mod 8) mod 8
//
// A length field of 0 ends the segment: what follows is space prepared for later. `crc` is the
// CRC32C of the data of this record and of all before it, over all segments; it covers neither
// type nor length nor padding. A crc record has no data and repeats the sum so far; each segment
// begins with one, so that reading can begin at any segment.

/** Record types. */
export const RECORD = { metadata: 1, entry: 2, state: 3, crc: 4, snapshot: 5 } as const;

const LENGTH_BYTES = 8;
/** Tag and type, tag and checksum, tag of the data: what stands before the data's length. */
const HEAD_BYTES_MAX = 2 + 6 + 1;
export const TYPE_TAG = 0x08;
export const CRC_TAG = 0x10;
const DATA_TAG = 0x1a;
/** Memory that an encoder keeps from one batch to the next. */
const BUFFER_BYTES_KEPT = 4 * 1024 * 1024;

/** Encodes records one behind the other into one reused buffer, to leave in one write. */
export class RecordEncoder {
  /** The checksum that the log's next record continues from. */
  crc: number;
  #w = new Writer(64 * 1024);
  readonly #scratch = new Writer(256);

  constructor(crc: number) {
    this.crc = crc;
  }

  /** Bytes encoded since `reset`. */
  get length(): number {
    return this.#w.length;
  }

  /** What was encoded since `reset`; valid until then. */
  view(): Uint8Array {
    return this.#w.view();
  }

  reset(): void {
    if (this.#w.bytes.length > BUFFER_BYTES_KEPT) this.#w = new Writer(64 * 1024);
    else this.#w.reset();
  }

  entry(entry: Entry): void {
    const length = entryBytes(entry);
    const start = this.#open(length);
    writeEntry(this.#w, entry);
    this.#close(start, RECORD.entry, length);
  }

  state(state: HardState): void {
    this.#scratch.reset();
    writeHardState(this.#scratch, state);
    this.#record(RECORD.state, this.#scratch.view());
  }

  snapshot(meta: SnapshotMeta): void {
    this.#scratch.reset();
    writeWalSnapshot(this.#scratch, meta);
    this.#record(RECORD.snapshot, this.#scratch.view());
  }

  metadata(bytes: Uint8Array): void {
    this.#record(RECORD.metadata, bytes);
  }

  /** The record that every segment begins with. */
  checksum(): void {
    const w = this.#w;
    const start = w.length;
    w.reserve(LENGTH_BYTES + HEAD_BYTES_MAX + 8);
    w.length += LENGTH_BYTES;
    this.#head(RECORD.crc);
    this.#frame(start);
  }

  #record(type: number, data: Uint8Array): void {
    const start = this.#open(data.length);
    this.#w.raw(data);
    this.#close(start, type, data.length);
  }

  /** Leaves room for the longest head, so that the data can be encoded in place behind it. */
  #open(dataBytes: number): number {
    const w = this.#w;
    const start = w.length;
    const head = LENGTH_BYTES + HEAD_BYTES_MAX + varintBytes(dataBytes);
    w.reserve(head + dataBytes + 8);
    w.length = start + head;
    return start;
  }

  /** The checksum is known now, and so is the length of its varint: moves the data if it is short. */
  #close(start: number, type: number, dataBytes: number): void {
    const w = this.#w;
    const dataStart = w.length - dataBytes;
    this.crc = crc32c(this.crc, w.bytes, dataStart, w.length);
    const unused = 5 - varintBytes(this.crc);
    if (unused > 0) w.bytes.copyWithin(dataStart - unused, dataStart, w.length);
    w.length = start + LENGTH_BYTES;
    this.#head(type);
    w.bytes[w.length++] = DATA_TAG;
    w.varint(dataBytes);
    w.length += dataBytes;
    this.#frame(start);
  }

  #head(type: number): void {
    const w = this.#w;
    w.bytes[w.length++] = TYPE_TAG;
    w.bytes[w.length++] = type;
    w.bytes[w.length++] = CRC_TAG;
    w.varint(this.crc);
  }

  #frame(start: number): void {
    const w = this.#w;
    const bytes = w.bytes;
    const length = w.length - start - LENGTH_BYTES;
    const padding = -length & 7;
    for (let i = 0; i < padding; i++) bytes[w.length++] = 0;
    bytes[start] = length;
    bytes[start + 1] = length >>> 8;
    bytes[start + 2] = length >>> 16;
    bytes[start + 3] = length >>> 24;
    bytes[start + 4] = 0;
    bytes[start + 5] = 0;
    bytes[start + 6] = 0;
    bytes[start + 7] = padding === 0 ? 0 : 0x80 | padding;
  }
}

/**
 * - `record`: a frame of the exact form that writers give it.
 * - `end`: a length field of zero.
 * - `short`: the bytes end before the frame does; `bytesNeeded` says where it would end.
 * - `malformed`: no writer writes such bytes.
 */
export type FrameStatus = "record" | "end" | "short" | "malformed";

/**
 * Takes frames apart. Stricter than a protobuf reader: the three fields in order, each at most
 * once, nothing else, zeros as padding; so that no flipped bit in a frame passes unnoticed, but
 * for the type's, which `Replay` looks for. The checksum is not computed here.
 */
export class Frame {
  type = 0;
  crc = 0;
  hasData = false;
  dataStart = 0;
  dataEnd = 0;
  /** Where the next frame begins. */
  end = 0;
  /** Whole length of the frame at hand, also when it is short; 8 while that is unknown. */
  bytesNeeded = 0;
  /** How many of these are padding. */
  padding = 0;

  /** Looks at the frame at `start`, in `bytes[start, end)`. Fields are valid after `record`. */
  parse(bytes: Uint8Array, start: number, end: number): FrameStatus {
    this.bytesNeeded = LENGTH_BYTES;
    if (end - start < LENGTH_BYTES) return "short";
    const length = readUint32(bytes, start);
    const top = bytes[start + 7]!;
    const middle = bytes[start + 4]! | bytes[start + 5]! | bytes[start + 6]!;
    if (length === 0 && middle === 0 && top === 0) return "end";
    const padding = -length & 7;
    if (middle !== 0 || top !== (padding === 0 ? 0 : 0x80 | padding)) return "malformed";
    this.bytesNeeded = LENGTH_BYTES + length + padding;
    this.padding = padding;
    if (end - start < this.bytesNeeded) return "short";
    this.end = start + this.bytesNeeded;
    const recordEnd = this.end - padding;
    for (let i = recordEnd; i < this.end; i++) if (bytes[i] !== 0) return "malformed";
    return this.#record(bytes, start + LENGTH_BYTES, recordEnd) ? "record" : "malformed";
  }

  /** The running checksum behind this record, given the one before it. */
  checksum(before: number, bytes: Uint8Array): number {
    return this.hasData ? crc32c(before, bytes, this.dataStart, this.dataEnd) : before;
  }

  #record(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < 4) return false;
    if (bytes[start] !== TYPE_TAG || bytes[start + 1]! >= 0x80) return false;
    if (bytes[start + 2] !== CRC_TAG) return false;
    this.type = bytes[start + 1]!;
    let at = this.#varint(bytes, start + 3, end);
    this.crc = this.#value;
    if (at < 0) return false;
    this.hasData = at < end;
    if (!this.hasData) return true;
    if (bytes[at] !== DATA_TAG) return false;
    at = this.#varint(bytes, at + 1, end);
    if (at < 0 || this.#value !== end - at) return false;
    this.dataStart = at;
    this.dataEnd = end;
    return true;
  }

  #value = 0;

  /** Reads a varint of at most 32 bits into `#value`. Returns what follows it, or -1. */
  #varint(bytes: Uint8Array, start: number, end: number): number {
    let value = 0;
    for (let i = 0; i < 5 && start + i < end; i++) {
      const byte = bytes[start + i]!;
      if (i === 4 && byte > 0x0f) return -1;
      value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        this.#value = value >>> 0;
        return start + i + 1;
      }
    }
    return -1;
  }
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}
