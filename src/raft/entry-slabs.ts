import { allocBytes, assert } from "../base/index.ts";
import { type Entry, entryBytes } from "./types.ts";

const SLAB_BYTES = 256 * 1024;
const SLAB_ENTRIES = 1024;
/** Emptied slabs kept for reuse; more are left to the garbage collector. */
const SPARE_SLABS_MAX = 4;

/** Up to 1024 consecutive entries. Entry `i` has the bytes from `ends[i - 1]` to `ends[i]`. */
interface Slab {
  first: number;
  count: number;
  readonly terms: Float64Array;
  readonly types: Uint8Array;
  readonly ends: Uint32Array;
  bytes: Uint8Array;
}

/**
 * Consecutive log entries, copied into a few big buffers: however many are kept, the garbage
 * collector sees a handful of objects. Slabs that compaction empties are used again.
 */
export class EntrySlabs {
  #slabs: Slab[] = [];
  readonly #spare: Slab[] = [];

  get lastIndex(): number {
    const slab = this.#slabs.at(-1);
    return slab === undefined ? 0 : slab.first + slab.count - 1;
  }

  /** The entry must follow the last one, if there is any. */
  append(entry: Entry): void {
    const { index, data } = entry;
    let slab = this.#slabs.at(-1);
    assert(slab === undefined || index === slab.first + slab.count, "entries are consecutive");
    if (slab === undefined || !fits(slab, data.length)) slab = this.#open(index, data.length);
    const at = slab.count++;
    const start = at === 0 ? 0 : slab.ends[at - 1]!;
    slab.terms[at] = entry.term;
    slab.types[at] = entry.type;
    slab.ends[at] = start + data.length;
    slab.bytes.set(data, start);
  }

  /** The term of an entry that is kept. */
  term(index: number): number {
    const slab = this.#slabs[this.#find(index)]!;
    return slab.terms[index - slab.first]!;
  }

  /** Forgets whole slabs that end before `index`; single entries before it may remain. */
  dropBefore(index: number): void {
    let drop = 0;
    for (const slab of this.#slabs) {
      if (slab.first + slab.count > index) break;
      drop++;
    }
    for (const slab of this.#slabs.splice(0, drop)) this.#recycle(slab);
  }

  /** Forgets `index` and everything behind it. */
  truncate(index: number): void {
    for (;;) {
      const slab = this.#slabs.at(-1);
      if (slab === undefined || slab.first + slab.count <= index) return;
      slab.count = Math.max(0, index - slab.first);
      if (slab.count > 0) return;
      this.#recycle(this.#slabs.pop()!);
    }
  }

  clear(): void {
    this.truncate(0);
  }

  /** Copies of the kept entries of `[from, to)` within `bytesMax`, at least one. */
  read(from: number, to: number, bytesMax: number): Entry[] {
    const views: Entry[] = [];
    let bytes = 0;
    let dataBytes = 0;
    for (let at = this.#find(from); views.length < to - from; at++) {
      const slab = this.#slabs[at]!;
      const end = Math.min(to, slab.first + slab.count);
      for (let index = from + views.length; index < end; index++) {
        const entry = view(slab, index);
        bytes += entryBytes(entry);
        if (bytes > bytesMax && views.length > 0) return owned(views, dataBytes);
        dataBytes += entry.data.length;
        views.push(entry);
      }
    }
    return owned(views, dataBytes);
  }

  #find(index: number): number {
    let low = 0;
    let high = this.#slabs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#slabs[middle]!.first <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #open(first: number, length: number): Slab {
    const slab = this.#spare.pop() ?? newSlab();
    slab.first = first;
    // An entry larger than a slab gets a buffer of its own, which is not used again.
    if (length > slab.bytes.length) slab.bytes = allocBytes(length);
    this.#slabs.push(slab);
    return slab;
  }

  #recycle(slab: Slab): void {
    slab.count = 0;
    if (slab.bytes.length !== SLAB_BYTES || this.#spare.length >= SPARE_SLABS_MAX) return;
    this.#spare.push(slab);
  }
}

function newSlab(): Slab {
  return {
    first: 0,
    count: 0,
    terms: new Float64Array(SLAB_ENTRIES),
    types: new Uint8Array(SLAB_ENTRIES),
    ends: new Uint32Array(SLAB_ENTRIES),
    bytes: allocBytes(SLAB_BYTES),
  };
}

function fits(slab: Slab, length: number): boolean {
  const used = slab.count === 0 ? 0 : slab.ends[slab.count - 1]!;
  return slab.count < SLAB_ENTRIES && used + length <= slab.bytes.length;
}

function view(slab: Slab, index: number): Entry {
  const at = index - slab.first;
  const start = at === 0 ? 0 : slab.ends[at - 1]!;
  const data = slab.bytes.subarray(start, slab.ends[at]!);
  return { term: slab.terms[at]!, index, type: slab.types[at]!, data };
}

/**
 * The entries with bytes of their own: they may sit in a queue to a slow follower long after their
 * slab was emptied and filled anew.
 */
function owned(views: readonly Entry[], dataBytes: number): Entry[] {
  const bytes = allocBytes(dataBytes);
  let end = 0;
  return views.map(({ term, index, type, data }) => {
    bytes.set(data, end);
    const start = end;
    end += data.length;
    return { term, index, type, data: bytes.subarray(start, end) };
  });
}
