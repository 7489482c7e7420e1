import { crc32c } from "../base/index.ts";

const SLOTS_MIN = 1 << 16;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Counts keys that come and go, of any number, in 16 to 32 bytes each. A key is known by 63 bits of
 * hashes: among ten million keys two are taken for one once in 200,000 times.
 */
export class KeyCount {
  /** Keys that came and did not go. */
  live = 0;
  #known = 0;
  /** Two words a slot: one hash, and the other with a mark in place of its lowest bit. */
  #slots = new Uint32Array(2 * SLOTS_MIN);

  add(key: Uint8Array): void {
    const at = this.#place(key);
    if ((this.#slots[at + 1]! & 1) === 1) return;
    this.#slots[at + 1]! |= 1;
    this.live++;
  }

  delete(key: Uint8Array): void {
    const at = this.#place(key);
    if ((this.#slots[at + 1]! & 1) === 0) return;
    this.#slots[at + 1]! &= ~1;
    this.live--;
  }

  /** The slot of a key, taken for it when it was not known. */
  #place(key: Uint8Array): number {
    if (4 * this.#known >= this.#slots.length) this.#grow();
    // A slot of two zeros is free.
    const first = crc32c(0, key) || 1;
    const second = fnv(key) & ~1;
    const at = find(this.#slots, first, second);
    if (this.#slots[at] === 0) {
      this.#slots[at] = first;
      this.#slots[at + 1] = second;
      this.#known++;
    }
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] === 0) continue;
      const place = find(this.#slots, old[at]!, old[at + 1]!);
      this.#slots[place] = old[at]!;
      this.#slots[place + 1] = old[at + 1]!;
    }
  }
}

/** Where the hashes stand, or where they would. */
function find(slots: Uint32Array, first: number, second: number): number {
  const mask = slots.length - 1;
  for (let at = (first << 1) & mask; ; at = (at + 2) & mask) {
    if (slots[at] === 0) return at;
    if (slots[at] === first && ((slots[at + 1]! ^ second) & ~1) === 0) return at;
  }
}

function fnv(bytes: Uint8Array): number {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}
