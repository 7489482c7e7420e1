const CHUNK_SHIFT = 15;
const CHUNK_ROWS = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ROWS - 1;
const ROW_BYTES = 40;
const LENGTH_BYTES = 4;
const FLOATS = ROW_BYTES / 8;
const WORDS = ROW_BYTES / 4;

const MAIN = 0;
const CREATE = 1;
const VERSION = 2;
const SUB = 6;
const PREVIOUS = 7;
const DEPTH = 8;
const JUMP = 9;

/** No row: the end of a chain. */
export const NO_ROW = -1;

/** What a row says of a revision of a key. */
export interface Row {
  readonly main: number;
  readonly sub: number;
  /** 0 on a tombstone. */
  readonly createRevision: number;
  /** 1 for the put that created the key; 0 marks a tombstone. */
  readonly version: number;
  /** Bytes of the record, so that room for many can be made before they are read. */
  readonly recordBytes: number;
}

/**
 * One row per stored revision of a key, in chunks. The rows of a key are a chain from the newest to
 * the oldest, in which jumps make the way to any revision short:
 *
 *   0   f64  main                 24  i32  sub
 *   8   f64  create revision      28  i32  previous: the key's row before this one, or NO_ROW
 *   16  f64  version              32  i32  depth: one more than that of the row before
 *                                 36  i32  jump: the row of depth `depth & (depth - 1)`, or NO_ROW
 *
 * Beside it, u32: bytes of the record.
 *
 * A jump spans as many rows as the lowest bit of the depth says, so a way of n rows takes about
 * log(n) squared steps. Compaction frees rows that jumps lead to; whoever jumps asks first whether
 * the depth there is below that of the oldest row. Depths wrap around at 2^32.
 */
export class RowSlab {
  readonly #floats: Float64Array[] = [];
  readonly #words: Int32Array[] = [];
  readonly #lengths: Uint32Array[] = [];
  #free = NO_ROW;
  #next = 0;

  get byteLength(): number {
    return this.#floats.length * CHUNK_ROWS * (ROW_BYTES + LENGTH_BYTES);
  }

  /** Adds a row in front of the chain from `newest` to `oldest`, both NO_ROW if it is empty. */
  add(content: Row, newest: number, oldest: number): number {
    const row = this.#allocate();
    const floats = this.#floats[row >>> CHUNK_SHIFT]!;
    const words = this.#words[row >>> CHUNK_SHIFT]!;
    const at = row & CHUNK_MASK;
    floats[at * FLOATS + MAIN] = content.main;
    floats[at * FLOATS + CREATE] = content.createRevision;
    floats[at * FLOATS + VERSION] = content.version;
    words[at * WORDS + SUB] = content.sub;
    this.#lengths[row >>> CHUNK_SHIFT]![at] = content.recordBytes;
    words[at * WORDS + PREVIOUS] = newest;
    const depth = newest === NO_ROW ? 0 : (this.#depth(newest) + 1) | 0;
    words[at * WORDS + DEPTH] = depth;
    words[at * WORDS + JUMP] = newest === NO_ROW ? NO_ROW : this.#jumpTo(depth, newest, oldest);
    return row;
  }

  /** Frees the rows from `newest` back to `oldest`, the last of its chain. */
  freeChain(newest: number, oldest: number): void {
    this.setPrevious(oldest, this.#free);
    this.#free = newest;
  }

  main(row: number): number {
    return this.#floats[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * FLOATS + MAIN]!;
  }

  createRevision(row: number): number {
    return this.#floats[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * FLOATS + CREATE]!;
  }

  version(row: number): number {
    return this.#floats[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * FLOATS + VERSION]!;
  }

  sub(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * WORDS + SUB]!;
  }

  recordBytes(row: number): number {
    return this.#lengths[row >>> CHUNK_SHIFT]![row & CHUNK_MASK]!;
  }

  previous(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * WORDS + PREVIOUS]!;
  }

  setPrevious(row: number, previous: number): void {
    this.#words[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * WORDS + PREVIOUS] = previous;
  }

  isTombstone(row: number): boolean {
    return this.version(row) === 0;
  }

  /** The oldest row after `revision` in the chain; NO_ROW if there is none. */
  firstAfter(revision: number, newest: number, oldest: number): number {
    if (this.main(newest) <= revision) return NO_ROW;
    let row = newest;
    while (row !== oldest) {
      const jump = this.#jump(row, oldest);
      const previous = this.previous(row);
      if (jump !== NO_ROW && this.main(jump) > revision) row = jump;
      else if (this.main(previous) > revision) row = previous;
      else break;
    }
    return row;
  }

  #depth(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT]![(row & CHUNK_MASK) * WORDS + DEPTH]!;
  }

  /** Where the row's jump leads; NO_ROW when that is no longer there. */
  #jump(row: number, oldest: number): number {
    const words = this.#words[row >>> CHUNK_SHIFT]!;
    const at = (row & CHUNK_MASK) * WORDS;
    const depth = words[at + DEPTH]!;
    return this.#isBelow(depth & (depth - 1), oldest) ? NO_ROW : words[at + JUMP]!;
  }

  /** Finds the row that a new row of this depth, in front of `newest`, jumps to. */
  #jumpTo(depth: number, newest: number, oldest: number): number {
    const target = depth & (depth - 1);
    if (target === depth || this.#isBelow(target, oldest)) return NO_ROW;
    let row = newest;
    while (this.#depth(row) !== target) row = this.#jump(row, oldest);
    return row;
  }

  #isBelow(depth: number, oldest: number): boolean {
    return ((depth - this.#depth(oldest)) | 0) < 0;
  }

  #allocate(): number {
    if (this.#free !== NO_ROW) {
      const row = this.#free;
      this.#free = this.previous(row);
      return row;
    }
    if (this.#next === this.#floats.length << CHUNK_SHIFT) {
      const chunk = new ArrayBuffer(CHUNK_ROWS * ROW_BYTES);
      this.#floats.push(new Float64Array(chunk));
      this.#words.push(new Int32Array(chunk));
      this.#lengths.push(new Uint32Array(CHUNK_ROWS));
    }
    return this.#next++;
  }
}
