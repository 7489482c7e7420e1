import { assert } from "../base/index.ts";

/**
 * Append messages that a follower has not yet acknowledged, each by the index of its last entry
 * and its bytes of data: a ring, grown on demand up to `countMax`.
 */
export class Inflights {
  readonly #countMax: number;
  /** A soft limit: the message that passes it is still accepted. Infinity for none. */
  readonly #bytesMax: number;
  #indices = new Float64Array(0);
  #sizes = new Float64Array(0);
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.#countMax || this.#bytes >= this.#bytesMax;
  }

  /** Indices must come in ascending order, and only while not full. */
  add(index: number, bytes: number): void {
    assert(!this.isFull, "a full window takes no more messages");
    if (this.#count === this.#indices.length) this.#grow();
    const at = (this.#start + this.#count) % this.#indices.length;
    this.#indices[at] = index;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Forgets messages whose last entry is at or below `index`. */
  freeTo(index: number): void {
    while (this.#count > 0 && this.#indices[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#indices.length;
      this.#count--;
    }
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const length = Math.min(Math.max(1, this.#count * 2), this.#countMax);
    this.#indices = this.#unrolled(this.#indices, length);
    this.#sizes = this.#unrolled(this.#sizes, length);
    this.#start = 0;
  }

  #unrolled(ring: Float64Array, length: number): Float64Array<ArrayBuffer> {
    const grown = new Float64Array(length);
    grown.set(ring.subarray(this.#start));
    grown.set(ring.subarray(0, this.#start), ring.length - this.#start);
    return grown;
  }
}
