import { allocBytes, EMPTY_BYTES } from "../base/index.ts";

/** Read at once at most. Larger pieces are hardly faster, and cost more when they are in vain. */
const AHEAD_BYTES = 256 * 1024;
/** A read that begins so little behind the one before goes forward through the file. */
const NEAR_BYTES = 64 * 1024;

/**
 * Reads that are looked at once. While they go forward through the file they are made in pieces
 * that grow, so that a walk over all pages costs few calls. All use the same memory: a result is
 * valid until the next call.
 */
export class ReadAhead {
  readonly #read: (bytes: Uint8Array, offset: number) => void;
  #memory: Uint8Array = EMPTY_BYTES;
  /** What of the file is in memory. */
  #start = 0;
  #end = 0;
  /** Where the last read ended, and how much the next one reads ahead if it goes on there. */
  #last = Number.POSITIVE_INFINITY;
  #aheadBytes = 0;

  /** `read` fills bytes from an offset of the file on. */
  constructor(read: (bytes: Uint8Array, offset: number) => void) {
    this.#read = read;
  }

  /** Bytes of a file that ends at `fileBytes`. */
  read(offset: number, length: number, fileBytes: number): Uint8Array {
    if (offset < this.#start || offset + length > this.#end) {
      this.#fill(offset, Math.max(length, this.#pieceFrom(offset, fileBytes)));
    }
    this.#last = offset + length;
    return this.#memory.subarray(offset - this.#start, offset - this.#start + length);
  }

  /** The file has changed. */
  forget(): void {
    this.#end = this.#start;
  }

  #pieceFrom(offset: number, fileBytes: number): number {
    const gap = offset - this.#last;
    const isForward = gap >= 0 && gap <= NEAR_BYTES;
    this.#aheadBytes = isForward ? Math.min(AHEAD_BYTES, this.#aheadBytes * 2 + 4096) : 0;
    return Math.min(this.#aheadBytes, fileBytes - offset);
  }

  #fill(offset: number, length: number): void {
    this.#end = this.#start;
    if (length > this.#memory.length || this.#memory.length > 2 * AHEAD_BYTES) {
      this.#memory = allocBytes(Math.max(AHEAD_BYTES, length));
    }
    this.#read(this.#memory.subarray(0, length), offset);
    this.#start = offset;
    this.#end = offset + length;
  }
}
