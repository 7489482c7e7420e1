import { digestOf, type KeyTable } from "./key-table.ts";

/** Most entries of a node: with the head, a leaf is 512 bytes and an inner node 1024. */
export const NODE_ENTRIES_MAX = 63;

/** The words of an entry. The first two are in every node; the others in inner nodes only. */
const DIGEST = 0;
export const KEY = 1;
export const CHILD = 2;
export const LIVE = 3;

const LEAF_ENTRY_WORDS = 2;
const INNER_ENTRY_WORDS = 4;

/** The words of a node's head, which takes the room of one entry. */
const COUNT = 0;
const PREFIX = 1;

const CHUNK_SHIFT = 10;
const CHUNK_NODES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_NODES - 1;
export const NO_NODE = -1;

/** What a way down the tree knows about the key it looks for. */
export class Search {
  /** How many bytes the key shares with the greatest key found smaller, the smallest greater. */
  low = 0;
  high = 0;
  /** Whether the last node has the key itself at the place found. */
  found = false;
}

/**
 * Tree nodes of one kind, in chunks: a head and up to 63 entries in the order of their keys. All
 * words are i32.
 *
 *   head    count, prefix
 *   entry   digest: the key's 4 bytes behind the first `prefix` ones
 *           key: its slot times two, plus one when the key is dead (only in leaves)
 *           child: the node with the keys from this one on          (inner nodes)
 *           live: how many live keys are in or below that node      (inner nodes)
 *
 * All keys of a node agree in their first `prefix` bytes. So a search can mostly tell by the
 * digests, which lie together, and not by the keys, which lie far apart in memory: at a million
 * keys this makes it four times as fast.
 */
export class KeyNodes {
  readonly #table: KeyTable;
  readonly #chunks: Int32Array[] = [];
  readonly #entryWords: number;
  readonly #nodeWords: number;
  #free = NO_NODE;
  #next = 0;

  static leaves(table: KeyTable): KeyNodes {
    return new KeyNodes(table, LEAF_ENTRY_WORDS);
  }

  static inner(table: KeyTable): KeyNodes {
    return new KeyNodes(table, INNER_ENTRY_WORDS);
  }

  private constructor(table: KeyTable, entryWords: number) {
    this.#table = table;
    this.#entryWords = entryWords;
    this.#nodeWords = (1 + NODE_ENTRIES_MAX) * entryWords;
  }

  get byteLength(): number {
    return this.#chunks.length * CHUNK_NODES * this.#nodeWords * 4;
  }

  /** A node without entries. */
  add(): number {
    const node = this.#allocate();
    this.#setCount(node, 0);
    this.#words(node)[this.#base(node) + PREFIX] = 0;
    return node;
  }

  free(node: number): void {
    this.#words(node)[this.#base(node)] = this.#free;
    this.#free = node;
  }

  count(node: number): number {
    return this.#words(node)[this.#base(node) + COUNT]!;
  }

  get(node: number, index: number, word: number): number {
    return this.#words(node)[this.#entry(node, index) + word]!;
  }

  set(node: number, index: number, word: number, value: number): void {
    this.#words(node)[this.#entry(node, index) + word] = value;
  }

  slot(node: number, index: number): number {
    return this.get(node, index, KEY) >>> 1;
  }

  /** How many of the entries before `end` have the mark of a live key. */
  countLive(node: number, end: number): number {
    let live = 0;
    for (let i = 0; i < end; i++) live += 1 - (this.get(node, i, KEY) & 1);
    return live;
  }

  /** The first entry from `index` on with the mark of a live key, or the count of entries. */
  nextLive(node: number, index: number): number {
    const count = this.count(node);
    while (index < count && (this.get(node, index, KEY) & 1) === 1) index++;
    return index;
  }

  /** Adds an entry for the live key in `slot`; the caller fills what an inner node has more. */
  insert(node: number, index: number, slot: number): void {
    const count = this.count(node);
    const from = this.#entry(node, index);
    this.#words(node).copyWithin(from + this.#entryWords, from, this.#entry(node, count));
    this.#setCount(node, count + 1);
    this.setSlot(node, index, slot);
  }

  /** Puts the live key in `slot` in the place of the one at `index`. */
  setSlot(node: number, index: number, slot: number): void {
    this.set(node, index, KEY, slot << 1);
    const count = this.count(node);
    const other = index === 0 ? count - 1 : 0;
    if (this.#table.shared(slot, this.slot(node, other)) < this.#prefix(node) || count < 3) {
      this.#renewDigests(node);
    } else {
      this.set(node, index, DIGEST, this.#table.digest(slot, this.#prefix(node)));
    }
  }

  remove(node: number, index: number): void {
    const count = this.count(node);
    const at = this.#entry(node, index);
    this.#words(node).copyWithin(at, at + this.#entryWords, this.#entry(node, count));
    this.#setCount(node, count - 1);
  }

  /** Moves the entries from `index` on to a new node, and returns it. */
  split(node: number, index: number): number {
    const right = this.add();
    this.#moveTail(node, index, right);
    if (this.count(right) > 0) this.#renewDigests(node);
    return right;
  }

  /** Moves all entries of `from`, which is freed, behind those of `to`. */
  merge(to: number, from: number): void {
    this.#moveTail(from, 0, to);
    this.free(from);
  }

  /** The first entry whose key is not below `key`. Narrows the bounds of `search`. */
  lowerBound(node: number, key: Uint8Array, search: Search): number {
    const words = this.#words(node);
    const base = this.#base(node);
    const count = words[base + COUNT]!;
    const prefix = words[base + PREFIX]!;
    const size = this.#entryWords;
    const digests = base + size + DIGEST;
    const digest = digestOf(key, prefix);
    search.found = false;
    let index = 0;
    let end = count;
    while (index < end) {
      const middle = (index + end) >>> 1;
      if (words[digests + middle * size]! < digest) index = middle + 1;
      else end = middle;
    }
    // The digests say nothing unless `key` has the node's prefix too. One comparison tells; where
    // the digests tie it is needed anyway.
    const known = search.low < search.high ? search.low : search.high;
    const ties = index < count && words[digests + index * size] === digest;
    if (ties || (known < prefix && count > 0)) {
      const order = this.#table.compare(
        key,
        this.slot(node, index < count ? index : index - 1),
        known,
      );
      if (this.#table.matched < prefix) return this.#outside(count, order, search);
      if (ties && order === 0) search.found = true;
      else if (ties && order > 0) index = this.#pastTies(node, key, search, index + 1, digest);
    }
    if (search.found) search.low = key.length;
    else if (index > 0)
      search.low = sharedBytes(search.low, prefix, words[digests + (index - 1) * size]!, digest);
    const above = search.found ? index + 1 : index;
    if (above < count)
      search.high = sharedBytes(search.high, prefix, words[digests + above * size]!, digest);
    return index;
  }

  /** Where a key without the node's prefix belongs: before all entries or behind all. */
  #outside(count: number, order: number, search: Search): number {
    if (order < 0) search.high = this.#table.matched;
    else search.low = this.#table.matched;
    return order < 0 ? 0 : count;
  }

  /** The first entry not below `key`, from `index` on, where the digest may still be the same. */
  #pastTies(node: number, key: Uint8Array, search: Search, index: number, digest: number): number {
    let end = index;
    while (end < this.count(node) && this.get(node, end, DIGEST) === digest) end++;
    while (index < end) {
      const middle = (index + end) >>> 1;
      const order = this.#table.compare(key, this.slot(node, middle), this.#prefix(node));
      if (order > 0) {
        index = middle + 1;
      } else {
        end = middle;
        search.found = order === 0;
      }
    }
    return index;
  }

  #renewDigests(node: number): void {
    const last = this.count(node) - 1;
    const prefix = this.#table.shared(this.slot(node, 0), this.slot(node, last));
    this.#words(node)[this.#base(node) + PREFIX] = prefix;
    for (let i = 0; i <= last; i++) {
      this.set(node, i, DIGEST, this.#table.digest(this.slot(node, i), prefix));
    }
  }

  #moveTail(from: number, index: number, to: number): void {
    const moved = this.count(from) - index;
    const count = this.count(to);
    const source = this.#words(from);
    const target = this.#words(to);
    const start = this.#entry(from, index);
    const at = this.#entry(to, count);
    for (let i = 0; i < moved * this.#entryWords; i++) target[at + i] = source[start + i]!;
    this.#setCount(from, index);
    this.#setCount(to, count + moved);
    if (moved > 0) this.#renewDigests(to);
  }

  #prefix(node: number): number {
    return this.#words(node)[this.#base(node) + PREFIX]!;
  }

  #setCount(node: number, count: number): void {
    this.#words(node)[this.#base(node) + COUNT] = count;
  }

  #entry(node: number, index: number): number {
    return this.#base(node) + (index + 1) * this.#entryWords;
  }

  #words(node: number): Int32Array {
    return this.#chunks[node >>> CHUNK_SHIFT]!;
  }

  #base(node: number): number {
    return (node & CHUNK_MASK) * this.#nodeWords;
  }

  #allocate(): number {
    if (this.#free !== NO_NODE) {
      const node = this.#free;
      this.#free = this.#words(node)[this.#base(node)]!;
      return node;
    }
    if (this.#next === this.#chunks.length << CHUNK_SHIFT) {
      this.#chunks.push(new Int32Array(CHUNK_NODES * this.#nodeWords));
    }
    return this.#next++;
  }
}

/** The larger of `known` and what two digests behind a shared prefix tell. */
function sharedBytes(known: number, prefix: number, a: number, b: number): number {
  const shared = prefix + (Math.clz32(a ^ b) >>> 3);
  return shared > known ? shared : known;
}
