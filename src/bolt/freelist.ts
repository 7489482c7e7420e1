import { assert } from "../base/index.ts";

const WORD_PAGES = 32;
const ALL_FREE = 0xffff_ffff;

/**
 * The free pages, one bit each, under a binary tree that knows for every stretch of the file the
 * longest run of free pages, and the runs that touch its two ends. So the lowest run of any length
 * is found in one walk down, O(log n), and the file stays dense at its beginning.
 */
export class FreePages {
  /** How many pages are free. */
  count = 0;
  #bits: Uint32Array;
  /** Tree nodes 1 (the whole) to 2 * words - 1; node n has the children 2n and 2n + 1. */
  #first: Uint32Array;
  #last: Uint32Array;
  #longest: Uint32Array;

  /** `bits`: a set bit is a free page. Its length must be a power of two. */
  constructor(bits: Uint32Array = new Uint32Array(1)) {
    assert((bits.length & (bits.length - 1)) === 0, "a power of two");
    this.#bits = bits;
    this.#first = new Uint32Array(2 * bits.length);
    this.#last = new Uint32Array(2 * bits.length);
    this.#longest = new Uint32Array(2 * bits.length);
    this.#update(0, bits.length - 1);
    for (const word of bits) this.count += ones(word);
  }

  /** Takes the lowest run of `pages` free pages. Returns its first page, if there is one. */
  take(pages: number): number | undefined {
    if (this.#longest[1]! < pages) return undefined;
    const first = this.#lowest(pages);
    this.#mark(first, pages, { free: false });
    return first;
  }

  add(first: number, pages: number): void {
    this.#reach(first + pages);
    this.#mark(first, pages, { free: true });
  }

  has(page: number): boolean {
    return page < this.#bits.length * WORD_PAGES && bitOf(this.#bits, page);
  }

  /** How many free pages lie right below page `end`. */
  tail(end: number): number {
    let page = end;
    while (page > 0 && this.has(page - 1)) {
      const isWholeWord = page % WORD_PAGES === 0 && this.#bits[page / WORD_PAGES - 1] === ALL_FREE;
      page -= isWholeWord ? WORD_PAGES : 1;
    }
    return end - page;
  }

  /** Takes free pages out: they are no longer part of the file. */
  drop(first: number, pages: number): void {
    if (pages > 0) this.#mark(first, pages, { free: false });
  }

  #lowest(pages: number): number {
    let node = 1;
    let start = 0;
    let half = (this.#bits.length * WORD_PAGES) / 2;
    while (node < this.#bits.length) {
      const left = 2 * node;
      if (this.#longest[left]! < pages) {
        const across = this.#last[left]! + this.#first[left + 1]!;
        if (across >= pages) return start + half - this.#last[left]!;
        start += half;
        node = left + 1;
      } else node = left;
      half /= 2;
    }
    return start + lowestRun(this.#bits[node - this.#bits.length]!, pages);
  }

  #mark(first: number, pages: number, { free }: { free: boolean }): void {
    const end = first + pages;
    for (let page = first; page < end; ) {
      const word = page >>> 5;
      const until = Math.min(end, (word + 1) * WORD_PAGES);
      const mask = ones32(until - page) << (page & 31);
      const marked = this.#bits[word]! & mask;
      const wrong = free ? marked : marked ^ mask;
      if (wrong !== 0) throw alreadySo(word * WORD_PAGES + lowestRun(wrong, 1), free);
      this.#bits[word]! ^= mask;
      page = until;
    }
    this.count += free ? pages : -pages;
    this.#update(first >>> 5, (first + pages - 1) >>> 5);
  }

  /** Brings the tree up to date above words `[low, high]`. */
  #update(low: number, high: number): void {
    const words = this.#bits.length;
    for (let word = low; word <= high; word++) {
      const bits = this.#bits[word]!;
      this.#first[words + word] = onesAtBottom(bits);
      this.#last[words + word] = Math.clz32(~bits);
      this.#longest[words + word] = longestRun(bits);
    }
    let half = WORD_PAGES;
    let from = (words + low) >>> 1;
    for (let to = (words + high) >>> 1; to > 0; to >>>= 1, from >>>= 1, half *= 2) {
      for (let node = from; node <= to; node++) this.#join(node, half);
    }
  }

  #join(node: number, half: number): void {
    const left = 2 * node;
    const right = left + 1;
    const first = this.#first;
    const last = this.#last;
    first[node] = first[left] === half ? half + first[right]! : first[left]!;
    last[node] = last[right] === half ? half + last[left]! : last[right]!;
    const inOne = Math.max(this.#longest[left]!, this.#longest[right]!);
    this.#longest[node] = Math.max(inOne, last[left]! + first[right]!);
  }

  /** Grows to hold `pages` pages. */
  #reach(pages: number): void {
    if (pages <= this.#bits.length * WORD_PAGES) return;
    const bits = new Uint32Array(wordsFor(pages));
    bits.set(this.#bits);
    const wider = new FreePages(bits);
    this.#bits = wider.#bits;
    this.#first = wider.#first;
    this.#last = wider.#last;
    this.#longest = wider.#longest;
  }
}

/** Length of a bit set for so many pages: a power of two. */
export function wordsFor(pages: number): number {
  let words = 1;
  while (words * WORD_PAGES < pages) words *= 2;
  return words;
}

/** A word with its lowest `count` bits set; 1 to 32. */
function ones32(count: number): number {
  return count === WORD_PAGES ? -1 : (1 << count) - 1;
}

function alreadySo(page: number, free: boolean): Error {
  return new Error(`assertion failed: page ${page} is already ${free ? "free" : "used"}`);
}

export function bitOf(bits: Uint32Array, page: number): boolean {
  return (bits[page >>> 5]! & (1 << (page & 31))) !== 0;
}

function ones(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function onesAtBottom(word: number): number {
  const lowestZero = ~word & (word + 1);
  return lowestZero === 0 ? WORD_PAGES : 31 - Math.clz32(lowestZero);
}

function longestRun(word: number): number {
  let length = 0;
  // Each round takes one bit off every run.
  for (let rest = word; rest !== 0; rest &= rest << 1) length++;
  return length;
}

/** Where the lowest run of `length` ones begins. There must be one. */
function lowestRun(word: number, length: number): number {
  let starts = word;
  for (let i = 1; i < length; i++) starts &= word >>> i;
  return 31 - Math.clz32(starts & -starts);
}

/**
 * When pages become free. What transaction T replaced is still read by a file that fell back to
 * T - 1, and by pins of earlier commits: it waits until T is durable and they are gone.
 */
export class Freelist {
  readonly #free: FreePages;
  readonly #waiting: { txid: number; runs: readonly number[] }[] = [];
  readonly #pins: number[] = [];
  /** First page to page count of the runs kept for pages that are to be moved there. */
  readonly #reserved = new Map<number, number>();
  #durable = 0;

  constructor(free = new FreePages()) {
    this.#free = free;
  }

  /** Pages that can be reused at once. */
  get count(): number {
    return this.#free.count;
  }

  take(pages: number): number | undefined {
    return this.#free.take(pages);
  }

  /** How many free pages lie right below page `end`. */
  tail(end: number): number {
    return this.#free.tail(end);
  }

  /** Keeps the lowest run of so many pages for somebody, if it lies below page `end`. */
  reserve(pages: number, end: number): number | undefined {
    const first = this.#free.take(pages);
    if (first === undefined) return undefined;
    if (first < end) this.#reserved.set(first, pages);
    else this.#free.add(first, pages);
    return first < end ? first : undefined;
  }

  /** Takes a run that was kept. False when it is not kept, or has another length. */
  takeReserved(first: number, pages: number): boolean {
    return this.#reserved.get(first) === pages && this.#reserved.delete(first);
  }

  /**
   * The commit knows what it needs: runs kept in vain are free again, and free pages at the end are
   * no longer part of the file. Returns where it ends now.
   */
  trim(end: number): number {
    for (const [first, pages] of this.#reserved) this.#free.add(first, pages);
    this.#reserved.clear();
    const tail = this.#free.tail(end);
    this.#free.drop(end - tail, tail);
    return end - tail;
  }

  /** `runs` are pairs of first page and page count that transaction `txid` no longer refers to. */
  wait(txid: number, runs: readonly number[]): void {
    this.#waiting.push({ txid, runs });
  }

  durable(txid: number): void {
    this.#durable = txid;
    this.#settle();
  }

  pin(txid: number): void {
    this.#pins.push(txid);
  }

  unpin(txid: number): void {
    this.#pins.splice(this.#pins.indexOf(txid), 1);
    this.#settle();
  }

  #settle(): void {
    const until = Math.min(this.#durable, ...this.#pins);
    while (this.#waiting.length > 0 && this.#waiting[0]!.txid <= until) {
      const { runs } = this.#waiting.shift()!;
      for (let i = 0; i < runs.length; i += 2) this.#free.add(runs[i]!, runs[i + 1]!);
    }
  }
}
