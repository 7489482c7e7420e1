import { EMPTY_BYTES } from "../base/index.ts";
import { varintBytes } from "../proto/index.ts";
import { writeVarint } from "./key-value.ts";
import type { ReplyMemory } from "./reply-memory.ts";

/** Tag of the field `kvs` of a RangeResponse. */
const KVS_TAG = 0x12;
const CHUNK_BYTES_MIN = 512;
const CHUNK_BYTES_MAX = 256 * 1024;

/**
 * Encoded pairs, copied out of the page file and framed as a repeated field (tag, length, pair), so
 * that a reply takes them over as they are.
 */
export class KeyValueList {
  readonly #memory: ReplyMemory;
  readonly #tag: number;
  readonly #full: Uint8Array[] = [];
  #chunk: Uint8Array = EMPTY_BYTES;
  #used = 0;
  #lastBytes = 0;
  #length = 0;
  #byteLength = 0;
  /** What `reserveFrames` has taken from the memory, last. */
  #taken: Uint8Array | undefined;

  constructor(memory: ReplyMemory, tag = KVS_TAG) {
    this.#memory = memory;
    this.#tag = tag;
  }

  /** How many pairs. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of all frames. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** The frames, back to back in few pieces. */
  get chunks(): Uint8Array[] {
    if (this.#used === 0) return this.#full.slice();
    return [...this.#full, this.#chunk.subarray(0, this.#used)];
  }

  /** Whether its memory is wanted back, see `release`. */
  get isLent(): boolean {
    const taken = this.#taken;
    return taken !== undefined && this.#full.length === 0 && this.#memory.isSpare(taken);
  }

  /** Gives back its memory, if that is lent. Neither the list nor its chunks are good afterwards. */
  release(): void {
    if (!this.isLent) return;
    this.#memory.give(this.#taken!);
    this.#taken = undefined;
    this.#chunk = EMPTY_BYTES;
    this.#used = 0;
  }

  /** A view of the pair that was added last; there must be one. */
  get last(): Uint8Array {
    return this.#chunk.subarray(this.#used - this.#lastBytes, this.#used);
  }

  /** Adds a copy of an encoded pair. */
  push(pair: Uint8Array): void {
    this.reserve(pair.length).set(pair);
  }

  /** Bytes of a pair in its frame. */
  frameBytes(pairBytes: number): number {
    return 1 + varintBytes(pairBytes) + pairBytes;
  }

  /**
   * Adds so many frames of so many bytes together, which the caller writes, with `writeFrame`, into
   * what is returned. `last` is void then, until the last of them is written.
   */
  reserveFrames(byteLength: number, count: number): Uint8Array {
    if (this.#used > 0) this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#taken = this.#memory.take(byteLength);
    this.#chunk = this.#taken.subarray(0, byteLength);
    this.#used = byteLength;
    this.#length += count;
    this.#byteLength += byteLength;
    return this.#chunk;
  }

  writeFrame(target: Uint8Array, at: number, pair: Uint8Array): void {
    target[at] = this.#tag;
    const start = writeVarint(target, at + 1, pair.length);
    target.set(pair, start);
    if (start + pair.length === this.#used && target === this.#chunk) this.#lastBytes = pair.length;
  }

  /** Adds a pair of so many bytes, which the caller writes at once into what is returned. */
  reserve(pairBytes: number): Uint8Array {
    const frameBytes = this.frameBytes(pairBytes);
    if (this.#used + frameBytes > this.#chunk.length) this.#openChunk(frameBytes);
    this.#chunk[this.#used] = this.#tag;
    const start = writeVarint(this.#chunk, this.#used + 1, pairBytes);
    this.#used = start + pairBytes;
    this.#lastBytes = pairBytes;
    this.#length++;
    this.#byteLength += frameBytes;
    return this.#chunk.subarray(start, this.#used);
  }

  /** The pairs, each a view without its frame. */
  *[Symbol.iterator](): Generator<Uint8Array, void> {
    for (const chunk of this.chunks) {
      for (let at = 0; at < chunk.length; ) {
        const end = frameEnd(chunk, at);
        yield chunk.subarray(pairStart(chunk, at), end);
        at = end;
      }
    }
  }

  /** The frames in pieces of about `bytesMax`, but at least one frame, each in parts back to back. */
  *pieces(bytesMax: number): Generator<Uint8Array[], void> {
    let parts: Uint8Array[] = [];
    let room = bytesMax;
    for (const chunk of this.chunks) {
      for (let start = 0; start < chunk.length; ) {
        const end = cutAt(chunk, start, room);
        parts.push(chunk.subarray(start, end));
        room -= end - start;
        start = end;
        if (room > 0) continue;
        yield parts;
        parts = [];
        room = bytesMax;
      }
    }
    if (parts.length > 0) yield parts;
  }

  #openChunk(frameBytes: number): void {
    if (this.#used > 0) this.#full.push(this.#chunk.subarray(0, this.#used));
    const doubled = Math.min(this.#chunk.length * 2, CHUNK_BYTES_MAX);
    this.#chunk = this.#memory.alloc(Math.max(frameBytes, doubled, CHUNK_BYTES_MIN));
    this.#used = 0;
  }
}

/** The end of the frame that fills `room`, counted from `start` on, or that of the chunk. */
function cutAt(chunk: Uint8Array, start: number, room: number): number {
  if (chunk.length - start <= room) return chunk.length;
  let at = start;
  while (at - start < room && at < chunk.length) at = frameEnd(chunk, at);
  return at;
}

/** Where the pair begins in the frame at `at`: behind tag and length. */
function pairStart(chunk: Uint8Array, at: number): number {
  let start = at + 1;
  while (chunk[start++]! >= 0x80);
  return start;
}

function frameEnd(chunk: Uint8Array, at: number): number {
  let length = 0;
  let scale = 1;
  let start = at + 1;
  for (; chunk[start]! >= 0x80; start++, scale *= 128) length += (chunk[start]! & 0x7f) * scale;
  return start + 1 + length + chunk[start]! * scale;
}
