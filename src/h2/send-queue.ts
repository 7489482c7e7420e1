import { allocBytes, copyBytes, EMPTY_BYTES } from "../base/index.ts";
import type { OutputBuffer } from "./output.ts";

/** Small messages of a slow stream share pieces of this size. */
export const PIECE_BYTES = 4096;

/** Whose the bytes of a piece are: copied by us, given to us for good, or lent for one call. */
type Source = "copied" | "given" | "lent";

class Piece {
  readonly bytes: Uint8Array;
  readonly source: Source;
  /** What is still to be sent is `bytes[start, end)`. What lies after `end` is free, if copied. */
  start: number;
  end: number;

  constructor(bytes: Uint8Array, source: Source, end: number) {
    this.bytes = bytes;
    this.source = source;
    this.start = 0;
    this.end = end;
  }
}

const SENT = new Piece(EMPTY_BYTES, "given", 0);

/** Bytes of one stream that wait for the peer to make room. */
export class SendQueue {
  readonly #pieces: Piece[] = [];
  #first = 0;
  bytes = 0;

  /** Queues a copy. */
  push(source: Uint8Array): void {
    if (source.length === 0) return;
    let last = this.#pieces.at(-1);
    if (last?.source !== "copied" || last.bytes.length - last.end < source.length) {
      last = new Piece(allocBytes(Math.max(source.length, PIECE_BYTES)), "copied", 0);
      this.#pieces.push(last);
    }
    last.bytes.set(source, last.end);
    last.end += source.length;
    this.bytes += source.length;
  }

  /** Queues the bytes themselves, which nobody may change while they are here. */
  pushUncopied(bytes: Uint8Array, source: "given" | "lent"): void {
    if (bytes.length === 0) return;
    this.#pieces.push(new Piece(bytes, source, bytes.length));
    this.bytes += bytes.length;
  }

  /** Copies what was lent and is still here: the lender wants it back. */
  returnLent(): void {
    for (let i = this.#first; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i]!;
      if (piece.source !== "lent") continue;
      const copy = copyBytes(piece.bytes.subarray(piece.start, piece.end));
      this.#pieces[i] = new Piece(copy, "copied", copy.length);
    }
  }

  /** Moves the first `count` bytes into `out`. There must be as many. */
  moveTo(out: OutputBuffer, count: number): void {
    this.bytes -= count;
    let left = count;
    while (left > 0) {
      const piece = this.#pieces[this.#first]!;
      const part = Math.min(left, piece.end - piece.start);
      out.appendRegion(piece.bytes, piece.start, piece.start + part);
      piece.start += part;
      left -= part;
      if (piece.start === piece.end) this.#dropFirst();
    }
  }

  /** Its bytes go at once, its place with the next 63: moving the others each time would cost more. */
  #dropFirst(): void {
    this.#pieces[this.#first++] = SENT;
    if (this.#first < this.#pieces.length && this.#first < 64) return;
    this.#pieces.splice(0, this.#first);
    this.#first = 0;
  }
}
