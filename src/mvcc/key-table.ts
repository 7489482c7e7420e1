const GRANULE_SHIFT = 3;
const CHUNK_SHIFT = 17;
const CHUNK_GRANULES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_GRANULES - 1;

const NEWEST = 0;
const OLDEST = 1;
const LENGTH = 2;
const HEADER_BYTES = 12;

/** No slot: the key is not known. */
export const NO_SLOT = -1;

/**
 * The keys, each in a slot that stands for it everywhere else. Slots lie in chunks of a mebibyte
 * and are numbered by where they begin, in granules of 8 bytes:
 *
 *   0   i32  newest row of the key; in a free slot, the next free slot of the same size
 *   4   i32  oldest row of the key
 *   8   i32  length of the key
 *   12  ...  the key
 *
 * Header and key are together so that a comparison costs one visit to main memory. A freed slot
 * is given to the next key that needs as many granules.
 */
export class KeyTable {
  readonly #bytes: Uint8Array[] = [];
  readonly #words: Int32Array[] = [];
  /** Head of the list of free slots for each size in granules. */
  readonly #free = new Map<number, number>();
  /** The unused rest of the newest chunk, in granules. */
  #next = 0;
  #left = 0;
  /** How many first bytes the last `compare` found equal. */
  matched = 0;

  get byteLength(): number {
    let total = 0;
    for (const chunk of this.#bytes) total += chunk.length;
    return total;
  }

  /** A slot for a copy of `key`; both rows are for the caller to set. */
  add(key: Uint8Array): number {
    const slot = this.#allocate(granulesFor(key.length));
    this.#words[slot >>> CHUNK_SHIFT]![(slot & CHUNK_MASK) * 2 + LENGTH] = key.length;
    this.#bytes[slot >>> CHUNK_SHIFT]!.set(key, startOf(slot));
    return slot;
  }

  free(slot: number): void {
    this.#release(slot, granulesFor(this.#length(slot)));
  }

  /** The order of `key` against the key in `slot`. They must agree in their first `from` bytes. */
  compare(key: Uint8Array, slot: number, from: number): number {
    const chunk = this.#bytes[slot >>> CHUNK_SHIFT]!;
    const length = this.#length(slot);
    const start = startOf(slot);
    const shared = key.length < length ? key.length : length;
    for (let i = from; i < shared; i++) {
      const difference = key[i]! - chunk[start + i]!;
      if (difference !== 0) {
        this.matched = i;
        return difference;
      }
    }
    this.matched = shared;
    return key.length - length;
  }

  /** How many first bytes the keys of two slots share. */
  shared(a: number, b: number): number {
    const bytesA = this.#bytes[a >>> CHUNK_SHIFT]!;
    const bytesB = this.#bytes[b >>> CHUNK_SHIFT]!;
    const startA = startOf(a);
    const startB = startOf(b);
    const length = Math.min(this.#length(a), this.#length(b));
    let i = 0;
    while (i < length && bytesA[startA + i] === bytesB[startB + i]) i++;
    return i;
  }

  /** The digest of the key in `slot` at `from`; see `digestOf`. */
  digest(slot: number, from: number): number {
    const start = startOf(slot);
    return digestIn(this.#bytes[slot >>> CHUNK_SHIFT]!, start + from, start + this.#length(slot));
  }

  /** A view of the key's bytes, valid as long as the slot is in use. */
  key(slot: number): Uint8Array {
    const start = startOf(slot);
    return this.#bytes[slot >>> CHUNK_SHIFT]!.subarray(start, start + this.#length(slot));
  }

  newest(slot: number): number {
    return this.#words[slot >>> CHUNK_SHIFT]![(slot & CHUNK_MASK) * 2 + NEWEST]!;
  }

  setNewest(slot: number, row: number): void {
    this.#words[slot >>> CHUNK_SHIFT]![(slot & CHUNK_MASK) * 2 + NEWEST] = row;
  }

  oldest(slot: number): number {
    return this.#words[slot >>> CHUNK_SHIFT]![(slot & CHUNK_MASK) * 2 + OLDEST]!;
  }

  setOldest(slot: number, row: number): void {
    this.#words[slot >>> CHUNK_SHIFT]![(slot & CHUNK_MASK) * 2 + OLDEST] = row;
  }

  #length(slot: number): number {
    return this.#words[slot >>> CHUNK_SHIFT]![(slot & CHUNK_MASK) * 2 + LENGTH]!;
  }

  #allocate(granules: number): number {
    const reused = this.#free.get(granules) ?? NO_SLOT;
    if (reused !== NO_SLOT) {
      this.#free.set(granules, this.newest(reused));
      return reused;
    }
    // A key longer than a chunk has one of its own.
    if (granules > CHUNK_GRANULES) return this.#addChunk(granules);
    if (granules > this.#left) this.#openChunk();
    const slot = this.#next;
    this.#next += granules;
    this.#left -= granules;
    return slot;
  }

  #release(slot: number, granules: number): void {
    this.setNewest(slot, this.#free.get(granules) ?? NO_SLOT);
    this.#free.set(granules, slot);
  }

  #openChunk(): void {
    if (this.#left > 0) this.#release(this.#next, this.#left);
    this.#next = this.#addChunk(CHUNK_GRANULES);
    this.#left = CHUNK_GRANULES;
  }

  #addChunk(granules: number): number {
    const chunk = new ArrayBuffer(granules << GRANULE_SHIFT);
    this.#bytes.push(new Uint8Array(chunk));
    this.#words.push(new Int32Array(chunk));
    return (this.#bytes.length - 1) * CHUNK_GRANULES;
  }
}

function granulesFor(keyBytes: number): number {
  return (HEADER_BYTES + keyBytes + 7) >>> GRANULE_SHIFT;
}

function startOf(slot: number): number {
  return ((slot & CHUNK_MASK) << GRANULE_SHIFT) + HEADER_BYTES;
}

/**
 * Four bytes of a key from `from` on as a signed number that sorts as they do. Zeros stand for
 * what is behind the end, so keys with equal digests may still differ.
 */
export function digestOf(key: Uint8Array, from: number): number {
  return digestIn(key, from, key.length);
}

function digestIn(bytes: Uint8Array, from: number, end: number): number {
  let digest = 0;
  if (from + 4 <= end) {
    digest =
      (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!;
  } else {
    for (let i = from, shift = 24; i < end; i++, shift -= 8) digest |= bytes[i]! << shift;
  }
  return digest ^ 0x8000_0000;
}
