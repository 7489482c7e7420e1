/** Held for a page beside its own bytes: map entry, object, buffer headers. Measured roughly. */
const ENTRY_BYTES = 256;

interface Entry {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** Read since it came, or since the hand passed it. */
  used: boolean;
  newer: Entry | undefined;
  older: Entry | undefined;
}

/**
 * Pages in memory, up to a number of bytes. They stand in the order in which they came; a hand goes
 * from old to new, spares once what was read, and takes the first that was not (SIEVE, NSDI 2024).
 * So what comes by once drives out nothing that is in use. An evicted page lives on for whoever
 * still refers to it: no memory is reused in place.
 */
export class PageCache {
  readonly #bytesMax: number;
  readonly #entries = new Map<number, Entry>();
  #newest: Entry | undefined;
  #oldest: Entry | undefined;
  #hand: Entry | undefined;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held, entries included. Above the maximum only when a single page is. */
  get bytes(): number {
    return this.#bytes;
  }

  get(id: number): Uint8Array | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    entry.used = true;
    return entry.bytes;
  }

  set(id: number, bytes: Uint8Array): void {
    this.delete(id);
    const cost = bytes.length + ENTRY_BYTES;
    while (this.#bytes + cost > this.#bytesMax && this.#entries.size > 0) this.#evict();
    const entry = { id, bytes, used: false, newer: undefined, older: this.#newest };
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    this.#entries.set(id, entry);
    this.#bytes += cost;
  }

  delete(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (this.#hand === entry) this.#hand = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes.length + ENTRY_BYTES;
  }

  #evict(): void {
    let entry = this.#hand ?? this.#oldest!;
    while (entry.used) {
      entry.used = false;
      entry = entry.newer ?? this.#oldest!;
    }
    this.#hand = entry;
    this.delete(entry.id);
  }
}
