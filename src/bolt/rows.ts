import { compareRegions } from "../base/index.ts";

/** Numbers per row. */
const STRIDE = 4;
/** Top bit of a leaf row's last number: the value is a bucket header. */
export const BUCKET_BIT = 0x8000_0000;

/**
 * The entries of a changed page, four numbers each, so that no entry costs an object:
 *
 *   0  which source (a page, or a piece of the transaction's own bytes) holds the key
 *   1  where in it the key begins
 *   2  key bytes
 *   3  leaf: value bytes (the value follows its key), top bit = the value is a bucket header
 *      branch: page of the child
 */
export class Rows {
  count = 0;
  #cells: Uint32Array;

  constructor(capacity = 16) {
    this.#cells = new Uint32Array(capacity * STRIDE);
  }

  source(row: number): number {
    return this.#cells[row * STRIDE]!;
  }

  keyStart(row: number): number {
    return this.#cells[row * STRIDE + 1]!;
  }

  keyBytes(row: number): number {
    return this.#cells[row * STRIDE + 2]!;
  }

  valueBytes(row: number): number {
    return this.#cells[row * STRIDE + 3]! & ~BUCKET_BIT;
  }

  isBucket(row: number): boolean {
    return this.#cells[row * STRIDE + 3]! >= BUCKET_BIT;
  }

  page(row: number): number {
    return this.#cells[row * STRIDE + 3]!;
  }

  push(source: number, keyStart: number, keyBytes: number, last: number): void {
    if (this.count * STRIDE === this.#cells.length) this.#grow(this.count + 1);
    const at = this.count++ * STRIDE;
    this.#cells[at] = source;
    this.#cells[at + 1] = keyStart;
    this.#cells[at + 2] = keyBytes;
    this.#cells[at + 3] = last;
  }

  set(row: number, source: number, keyStart: number, keyBytes: number, last: number): void {
    const at = row * STRIDE;
    this.#cells[at] = source;
    this.#cells[at + 1] = keyStart;
    this.#cells[at + 2] = keyBytes;
    this.#cells[at + 3] = last;
  }

  insert(row: number, source: number, keyStart: number, keyBytes: number, last: number): void {
    if (row === this.count) return this.push(source, keyStart, keyBytes, last);
    if (this.count * STRIDE === this.#cells.length) this.#grow(this.count + 1);
    this.#cells.copyWithin((row + 1) * STRIDE, row * STRIDE, this.count * STRIDE);
    this.count++;
    this.set(row, source, keyStart, keyBytes, last);
  }

  remove(row: number): void {
    this.#cells.copyWithin(row * STRIDE, (row + 1) * STRIDE, this.count * STRIDE);
    this.count--;
  }

  /** Takes over rows `[from, to)` of another, at the end. */
  append(other: Rows, from = 0, to = other.count): void {
    this.#grow(this.count + to - from);
    this.#cells.set(other.#cells.subarray(from * STRIDE, to * STRIDE), this.count * STRIDE);
    this.count += to - from;
  }

  /** Takes the key of another's row, and keeps its own last number. */
  setKey(row: number, other: Rows, otherRow: number): void {
    const at = otherRow * STRIDE;
    this.#cells.set(other.#cells.subarray(at, at + STRIDE - 1), row * STRIDE);
  }

  /** Index of the row with this key, or `~i` where i is the place it would be inserted at. */
  find(sources: readonly Uint8Array[], key: Uint8Array): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.compareKey(sources, middle, key);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return ~low;
  }

  /** Order of the row's key against `key`: negative when the row comes first. */
  compareKey(sources: readonly Uint8Array[], row: number, key: Uint8Array): number {
    const at = row * STRIDE;
    const start = this.#cells[at + 1]!;
    const end = start + this.#cells[at + 2]!;
    return compareRegions(sources[this.#cells[at]!]!, start, end, key, 0, key.length);
  }

  #grow(needed: number): void {
    if (needed * STRIDE <= this.#cells.length) return;
    const wider = new Uint32Array(Math.max(needed, this.count * 2) * STRIDE);
    wider.set(this.#cells.subarray(0, this.count * STRIDE));
    this.#cells = wider;
  }
}
