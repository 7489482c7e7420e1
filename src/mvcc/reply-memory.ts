import { allocBytes, Arena } from "../base/index.ts";

/** Larger pieces are not kept: they are rare, and cost more to fill than to allocate. */
const SPARE_BYTES_MAX = 512 * 1024;
/** Pieces kept: 2 MiB at most. More replies than these are rarely made at a time. */
const SPARES_MAX = 4;

/** Room for replies on their way out. */
export class ReplyMemory {
  readonly #arena = new Arena();
  readonly #spares: Uint8Array[] = [];

  /** A piece that nobody gives back. */
  alloc(length: number): Uint8Array {
    return this.#arena.alloc(length);
  }

  copy(source: Uint8Array): Uint8Array {
    return this.#arena.copy(source);
  }

  /**
   * A large piece. It may come back with `give`: to allocate one for each page of a list would make
   * the collector of garbage run again and again.
   */
  take(length: number): Uint8Array {
    if (length > SPARE_BYTES_MAX) return allocBytes(length);
    const spare = this.#spares.pop();
    return spare !== undefined && spare.length >= length ? spare : allocBytes(length);
  }

  /** Takes back what `take` gave, or drops it. The giver must not touch the bytes again. */
  give(piece: Uint8Array): void {
    if (this.isSpare(piece) && this.#spares.length < SPARES_MAX) this.#spares.push(piece);
  }

  /** Whether a piece is of a size that is kept. */
  isSpare(piece: Uint8Array): boolean {
    return piece.length <= SPARE_BYTES_MAX;
  }
}
