import { allocBytes, EMPTY_BYTES } from "../base/index.ts";

/** Bytes that are not the protobuf message they were said to be. */
export class ProtoError extends Error {}

/** A field that should hold text and does not. Go's protobuf says this in other words. */
export class Utf8Error extends ProtoError {
  constructor() {
    super("string field contains invalid UTF-8");
  }
}

/** Wire types of the protobuf encoding. */
export const VARINT = 0;
const FIXED64 = 1;
export const BYTES = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
const FIXED32 = 5;

const GROUP_DEPTH_MAX = 100;
const TWO_32 = 0x1_0000_0000;
const TWO_63 = 2 ** 63;
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Reads one message field by field: `while (r.next()) switch (r.tag) …`, a tag being
 * `field * 8 + wire type`. A field that the caller does not read must be skipped with `skip()`;
 * so a known field of the wrong wire type is an unknown field, as in Go's protobuf.
 */
export class Reader {
  bytes: Uint8Array;
  at: number;
  end: number;
  /** `field * 8 + wire type` of the field that `next()` found. */
  tag = 0;
  /** What `uint64` read. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  next(): boolean {
    if (this.at >= this.end) return false;
    const first = this.bytes[this.at]!;
    // Fields 1 to 15 have a tag of one byte.
    const tag = first < 0x80 ? (this.at++, first) : this.uint();
    if (tag < 8 || tag > 0xffffffff) throw new ProtoError("invalid field number");
    this.tag = tag;
    return true;
  }

  /** An unsigned varint; above 2^53 it is rounded (a counter never is, an opaque id uses `big`). */
  uint(): number {
    const bytes = this.bytes;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte(bytes);
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return low;
    }
    let high = 0;
    for (let scale = 1, i = 4; i < 10; i++, scale *= 128) {
      const byte = this.#byte(bytes);
      high += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (i === 9 && byte > 1) throw new ProtoError("varint overflows 64 bits");
        return low + high * 0x1000_0000;
      }
    }
    throw new ProtoError("varint overflows 64 bits");
  }

  /** An exact unsigned 64-bit varint, left in `high` and `low` as two 32-bit numbers. */
  uint64(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte(this.bytes);
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high |= bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) break;
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new ProtoError("varint overflows 64 bits");
  }

  /** A signed 64-bit field (int64) as a number, rounded above 2^53. */
  int(): number {
    const start = this.at;
    const value = this.uint();
    if (value < 0x8000_0000_0000_0000) return value;
    this.at = start;
    return Number(BigInt.asIntN(64, this.big()));
  }

  /** A term or an index: a counter, which 2^53 bounds. */
  counter(): number {
    const value = this.uint();
    if (value > Number.MAX_SAFE_INTEGER) throw new ProtoError("counter above 2^53");
    return value;
  }

  /** An exact unsigned 64-bit varint. */
  big(): bigint {
    this.uint64();
    return this.high === 0 ? BigInt(this.low) : (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** An exact signed 64-bit varint (lease ids). */
  signedBig(): bigint {
    return BigInt.asIntN(64, this.big());
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  /** An int32 or enum field. */
  int32(): number {
    return Number(BigInt.asIntN(32, this.big()));
  }

  /** A view of a bytes field; copy it to keep it. */
  view(): Uint8Array {
    const length = this.uint();
    const start = this.at;
    if (length > this.end - start) throw new ProtoError("unexpected end of message");
    this.at = start + length;
    return length === 0 ? EMPTY_BYTES : this.bytes.subarray(start, this.at);
  }

  /** A view of everything that was not read yet. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.at, this.end);
  }

  /** Enters a nested message: a reader over its bytes; this reader continues behind it. */
  nested(): Reader {
    const length = this.uint();
    const start = this.at;
    if (length > this.end - start) throw new ProtoError("unexpected end of message");
    this.at = start + length;
    return new Reader(this.bytes, start, this.at);
  }

  fail(reason: string): never {
    throw new ProtoError(reason);
  }

  skip(): void {
    this.#skip(this.tag, 0);
  }

  #skip(tag: number, depth: number): void {
    switch (tag % 8) {
      case VARINT:
        this.uint();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case BYTES:
        this.#advance(this.uint());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      case START_GROUP:
        if (depth >= GROUP_DEPTH_MAX) throw new ProtoError("groups are nested too deep");
        this.#skipGroup(tag - START_GROUP + END_GROUP, depth);
        return;
      default:
        throw new ProtoError("invalid wire type");
    }
  }

  #skipGroup(endTag: number, depth: number): void {
    while (this.next()) {
      if (this.tag === endTag) return;
      if (this.tag % 8 === END_GROUP) throw new ProtoError("mismatched end of group");
      this.#skip(this.tag, depth + 1);
    }
    throw new ProtoError("unexpected end of group");
  }

  #advance(length: number): void {
    if (length > this.end - this.at) throw new ProtoError("unexpected end of message");
    this.at += length;
  }

  #byte(bytes: Uint8Array): number {
    if (this.at >= this.end) throw new ProtoError("unexpected end of message");
    return bytes[this.at++]!;
  }
}

/** Appends fields to one growing buffer. Field order is the caller's: ascending where it is hashed. */
export class Writer {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = allocBytes(capacity);
  }

  reset(): void {
    this.length = 0;
  }

  /** What was written, as a view that the next `reset` invalidates. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** What was written, owned by the caller. */
  copy(): Uint8Array {
    const whole = allocBytes(this.length);
    whole.set(this.view());
    return whole;
  }

  reserve(length: number): void {
    const needed = this.length + length;
    if (needed <= this.bytes.length) return;
    const grown = allocBytes(Math.max(needed, this.bytes.length * 2));
    grown.set(this.view());
    this.bytes = grown;
  }

  tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  /** An unsigned varint up to 2^53. */
  varint(value: number): void {
    this.reserve(10);
    const bytes = this.bytes;
    let at = this.length;
    while (value >= TWO_32) {
      bytes[at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    let low = value >>> 0;
    while (low >= 0x80) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[at++] = low;
    this.length = at;
  }

  /** A signed or unsigned 64-bit varint, exact. */
  bigVarint(value: bigint): void {
    const low = Number(BigInt.asUintN(32, value));
    const high = Number(BigInt.asUintN(32, value >> 32n));
    if (high < 0x20_0000) return this.varint(high * TWO_32 + low);
    this.reserve(10);
    const bytes = this.bytes;
    let at = this.length;
    for (let shift = 0; shift < 28; shift += 7) bytes[at++] = ((low >>> shift) & 0x7f) | 0x80;
    bytes[at++] = (low >>> 28) | ((high & 7) << 4) | 0x80;
    let rest = high >>> 3;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.length = at;
  }

  /**
   * A counter (int64, uint64). One that was rounded up to 2^63 when it was read stays the largest
   * int64 instead of turning negative.
   */
  counter(value: number): void {
    if (value >= TWO_63) this.bigVarint(INT64_MAX);
    else if (value >= 0) this.varint(value);
    else this.bigVarint(BigInt(value));
  }

  /** A counter's field, left out when zero (proto3). */
  intField(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, VARINT);
    this.counter(value);
  }

  bigField(field: number, value: bigint): void {
    if (value === 0n) return;
    this.tag(field, VARINT);
    this.bigVarint(value);
  }

  boolField(field: number, value: boolean): void {
    if (!value) return;
    this.tag(field, VARINT);
    this.varint(1);
  }

  /** A bytes or string field, left out when empty. */
  bytesField(field: number, value: Uint8Array): void {
    if (value.length !== 0) this.messageField(field, value);
  }

  /** A nested message that is already encoded; kept even when empty. */
  messageField(field: number, message: Uint8Array): void {
    this.tag(field, BYTES);
    this.varint(message.length);
    this.raw(message);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /**
   * Opens a nested message of unknown size. Room for a length of `lengthBytes` is left and filled
   * by `close`; when the message turns out longer, its bytes are moved.
   */
  open(field: number): number {
    this.tag(field, BYTES);
    this.reserve(1);
    return ++this.length;
  }

  close(start: number): void {
    const length = this.length - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    const extra = varintBytes(length) - 1;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.length);
    this.length = start - 1;
    this.varint(length);
    this.length += length;
  }
}

/** Bytes that the varint of `value` (>= 0, up to 2^53) takes. */
export function varintBytes(value: number): number {
  let bytes = 1;
  while (value >= 0x80) {
    value = Math.floor(value / 128);
    bytes++;
  }
  return bytes;
}
