import { allocBytes, EMPTY_BYTES } from "../base/index.ts";
import { FRAME_HEADER_BYTES } from "./frames.ts";

/** Output gathers in pieces of this size, so that a busy connection writes a few replies at once. */
const BUFFER_BYTES = 16 * 1024;
/** Buffers kept for reuse: 1 MiB in all. More than this many are rarely busy in one turn. */
const POOLED_BUFFERS_MAX = 64;
/**
 * Large ones, doubled this often at most, of which few are kept: 4 MiB in all. To allocate one for
 * each large reply would make the collector of garbage run again and again.
 */
const DOUBLINGS_MAX = 6;
const POOLED_LARGE_MAX = 2;

/** Lends buffers of few sizes, so that a connection at rest holds none. */
export class BufferPool {
  readonly #free = Array.from({ length: DOUBLINGS_MAX + 1 }, (): Uint8Array[] => []);

  /** A buffer of `BUFFER_BYTES`, doubled as often as it takes to hold so many bytes. */
  take(bytesMin: number): Uint8Array {
    const doublings = doublingsFor(bytesMin);
    return this.#free[doublings]?.pop() ?? allocBytes(BUFFER_BYTES * 2 ** doublings);
  }

  /** Takes back what `take` lent, or drops it. The giver must not touch the bytes again. */
  give(buffer: Uint8Array): void {
    const doublings = doublingsFor(buffer.length);
    if (buffer.length !== BUFFER_BYTES * 2 ** doublings) return;
    const free = this.#free[doublings];
    const countMax = doublings === 0 ? POOLED_BUFFERS_MAX : POOLED_LARGE_MAX;
    if (free !== undefined && free.length < countMax) free.push(buffer);
  }
}

function doublingsFor(bytes: number): number {
  return bytes <= BUFFER_BYTES ? 0 : Math.ceil(Math.log2(bytes / BUFFER_BYTES));
}

/** A growing run of bytes that the peer shall get. */
export class OutputBuffer {
  /** Bytes at and after `length` are free. Replaced whenever the buffer grows or is taken. */
  bytes: Uint8Array = EMPTY_BYTES;
  length = 0;
  #taken: Uint8Array = EMPTY_BYTES;
  readonly #pool: BufferPool;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Makes room for `count` bytes and returns where they go; the caller must fill them all. */
  extend(count: number): number {
    const at = this.length;
    const needed = at + count;
    if (needed > this.bytes.length) this.#grow(needed);
    this.length = needed;
    return at;
  }

  /** Makes room for `count` bytes in one step, for a caller that will append in many. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  append(source: Uint8Array): void {
    const at = this.extend(source.length);
    this.bytes.set(source, at);
  }

  /** Appends `source[start, end)`. */
  appendRegion(source: Uint8Array, start: number, end: number): void {
    const at = this.extend(end - start);
    if (start === 0 && end === source.length) this.bytes.set(source, at);
    else if (end - start < 32)
      for (let i = start; i < end; i++) this.bytes[at + i - start] = source[i]!;
    else this.bytes.set(source.subarray(start, end), at);
  }

  uint32(value: number): void {
    const at = this.extend(4);
    writeUint32(this.bytes, at, value);
  }

  frameHeader(length: number, type: number, flags: number, streamId: number): void {
    const at = this.extend(FRAME_HEADER_BYTES);
    writeFrameHeader(this.bytes, at, length, type, flags, streamId);
  }

  /** The gathered bytes, which are the taker's now. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.#taken = this.bytes;
    this.bytes = EMPTY_BYTES;
    this.length = 0;
    return taken;
  }

  /** The bytes taken last have been dealt with at once: their buffer may be used again. */
  reuse(): void {
    this.#pool.give(this.#taken);
    this.#taken = EMPTY_BYTES;
  }

  #grow(needed: number): void {
    const old = this.bytes;
    this.bytes = this.#pool.take(needed);
    if (this.length > 0) this.bytes.set(old.subarray(0, this.length));
    this.#pool.give(old);
  }
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  writeUint32(bytes, at + 5, streamId);
}
