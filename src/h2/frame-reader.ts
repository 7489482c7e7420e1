import { allocBytes } from "../base/index.ts";
import {
  ConnectionError,
  ErrorCode,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES,
  PREFACE,
  readUint32,
} from "./frames.ts";

export interface FrameSink {
  /** The payload is `bytes[start, end)`, valid during the call. */
  frame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  /** False once nothing more is to be read. */
  readonly isOpen: boolean;
}

/**
 * Cuts what comes in into frames. Frames are handed on where they lie; only one that comes in
 * parts is put together in a buffer of its own.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  /** Bytes of the client preface still to come. */
  #prefaceLeft: number;
  #carry: Uint8Array = allocBytes(0);
  #carried = 0;

  constructor(sink: FrameSink, options: { expectPreface: boolean }) {
    this.#sink = sink;
    this.#prefaceLeft = options.expectPreface ? PREFACE.length : 0;
  }

  /** Throws ConnectionError for a wrong preface or a frame that is too long. */
  feed(chunk: Uint8Array): void {
    let at = this.#prefaceLeft > 0 ? this.#matchPreface(chunk) : 0;
    while (this.#carried > 0 && at < chunk.length) at = this.#complete(chunk, at);
    if (this.#carried === 0) this.#readWhole(chunk, at);
  }

  #matchPreface(chunk: Uint8Array): number {
    let at = 0;
    while (this.#prefaceLeft > 0 && at < chunk.length) {
      if (chunk[at++] !== PREFACE[PREFACE.length - this.#prefaceLeft--]) {
        throw new ConnectionError(ErrorCode.protocolError, "bad connection preface");
      }
    }
    return at;
  }

  #readWhole(chunk: Uint8Array, from: number): void {
    let at = from;
    while (chunk.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + payloadLength(chunk, at);
      if (end > chunk.length) break;
      this.#emit(chunk, at, end);
      at = end;
      if (!this.#sink.isOpen) return;
    }
    if (at < chunk.length) this.#keep(chunk, at, chunk.length);
  }

  /** Fills up the carried frame from `chunk`; returns where the rest of the chunk begins. */
  #complete(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#carried < FRAME_HEADER_BYTES) {
      const stop = Math.min(chunk.length, at + FRAME_HEADER_BYTES - this.#carried);
      this.#keep(chunk, at, stop);
      at = stop;
      if (this.#carried < FRAME_HEADER_BYTES) return at;
    }
    const size = FRAME_HEADER_BYTES + payloadLength(this.#carry, 0);
    const stop = Math.min(chunk.length, at + size - this.#carried);
    this.#keep(chunk, at, stop);
    if (this.#carried < size) return stop;
    this.#carried = 0;
    this.#emit(this.#carry, 0, size);
    return this.#sink.isOpen ? stop : chunk.length;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#carried + end - start;
    if (needed > this.#carry.length) {
      const larger = allocBytes(needed <= 1024 ? 1024 : FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES);
      larger.set(this.#carry.subarray(0, this.#carried));
      this.#carry = larger;
    }
    this.#carry.set(chunk.subarray(start, end), this.#carried);
    this.#carried = needed;
  }

  #emit(bytes: Uint8Array, at: number, end: number): void {
    const streamId = readUint32(bytes, at + 5) & 0x7fff_ffff;
    this.#sink.frame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes, at + FRAME_HEADER_BYTES, end);
  }
}

function payloadLength(bytes: Uint8Array, at: number): number {
  const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  if (length > FRAME_PAYLOAD_BYTES) {
    throw new ConnectionError(ErrorCode.frameSizeError, "frame larger than permitted");
  }
  return length;
}
