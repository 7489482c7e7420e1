import { assert } from "../base/index.ts";
import { type KeyTable, NO_SLOT } from "./key-table.ts";
import { CHILD, KEY, KeyNodes, LIVE, NO_NODE, NODE_ENTRIES_MAX, Search } from "./key-nodes.ts";

/** Two neighbours whose entries fit in this many are made one. */
const MERGED_ENTRIES_MAX = 48;
/** 2^30 keys in nodes that are, on the long run, at least a third full. */
const LEVELS_MAX = 12;

/** A place in the tree: the way down to an entry of a leaf, or to behind its last entry. */
export class Cursor {
  /** The node at each level, the root first, and the entry taken in it. */
  readonly nodes = new Int32Array(LEVELS_MAX);
  readonly at = new Int32Array(LEVELS_MAX);
  shape = -1;
}

/**
 * The keys in order: a B-tree of slots whose inner nodes know how many live keys are below each
 * child, so that ranks and counts cost one way down. An inner entry names a child by its smallest
 * key; a leaf entry marks a key dead when its last revision is a tombstone.
 */
export class KeyTree {
  readonly #leaves: KeyNodes;
  readonly #inner: KeyNodes;
  readonly #search = new Search();
  #root: number;
  /** Inner levels above the leaves. */
  #height = 0;
  #live = 0;
  #size = 0;
  /** Counts the changes of shape: a cursor placed before one is no longer good. */
  #shape = 0;

  constructor(table: KeyTable) {
    this.#leaves = KeyNodes.leaves(table);
    this.#inner = KeyNodes.inner(table);
    this.#root = this.#leaves.add();
  }

  /** Keys, dead ones included. */
  get size(): number {
    return this.#size;
  }

  get live(): number {
    return this.#live;
  }

  get byteLength(): number {
    return this.#leaves.byteLength + this.#inner.byteLength;
  }

  /** Places the cursor at the first key not below `key`. True when that is `key` itself. */
  seek(cursor: Cursor, key: Uint8Array): boolean {
    const search = this.#search;
    search.low = 0;
    search.high = 0;
    cursor.shape = this.#shape;
    let node = this.#root;
    for (let level = 0; level < this.#height; level++) {
      const bound = this.#inner.lowerBound(node, key, search);
      const index = search.found || bound === 0 ? bound : bound - 1;
      cursor.nodes[level] = node;
      cursor.at[level] = index;
      node = this.#inner.get(node, index, CHILD);
    }
    cursor.nodes[this.#height] = node;
    cursor.at[this.#height] = this.#leaves.lowerBound(node, key, search);
    return search.found;
  }

  /** The slot under the cursor, moved on to the next leaf if need be; NO_SLOT behind the last. */
  slot(cursor: Cursor): number {
    this.#check(cursor);
    const height = this.#height;
    const atEnd = cursor.at[height]! >= this.#leaves.count(cursor.nodes[height]!);
    if (atEnd && !this.#climbRight(cursor, false)) return NO_SLOT;
    return this.#leaves.slot(cursor.nodes[height]!, cursor.at[height]!);
  }

  next(cursor: Cursor): void {
    cursor.at[this.#height]!++;
  }

  /** Like `slot`, but passes over dead keys, whole subtrees at once. */
  liveSlot(cursor: Cursor): number {
    this.#check(cursor);
    do {
      const leaf = cursor.nodes[this.#height]!;
      const at = this.#leaves.nextLive(leaf, cursor.at[this.#height]!);
      cursor.at[this.#height] = at;
      if (at < this.#leaves.count(leaf)) return this.#leaves.slot(leaf, at);
    } while (this.#climbRight(cursor, true));
    return NO_SLOT;
  }

  /** Moves the cursor one key back, dead or not; NO_SLOT before the first. */
  previousSlot(cursor: Cursor): number {
    this.#check(cursor);
    const before = cursor.at[this.#height]!;
    if (before === 0 && !this.#climbLeft(cursor)) return NO_SLOT;
    const at = --cursor.at[this.#height]!;
    return this.#leaves.slot(cursor.nodes[this.#height]!, at);
  }

  /** Places the cursor behind the last key. */
  seekEnd(cursor: Cursor): void {
    cursor.shape = this.#shape;
    let node = this.#root;
    for (let level = 0; level < this.#height; level++) {
      const last = this.#inner.count(node) - 1;
      cursor.nodes[level] = node;
      cursor.at[level] = last;
      node = this.#inner.get(node, last, CHILD);
    }
    cursor.nodes[this.#height] = node;
    cursor.at[this.#height] = this.#leaves.count(node);
  }

  /** How many live keys are before the cursor. */
  rank(cursor: Cursor): number {
    let rank = 0;
    for (let level = 0; level < this.#height; level++) {
      const node = cursor.nodes[level]!;
      for (let i = 0; i < cursor.at[level]!; i++) rank += this.#inner.get(node, i, LIVE);
    }
    return rank + this.#leaves.countLive(cursor.nodes[this.#height]!, cursor.at[this.#height]!);
  }

  /** Puts the slot of a new live key where `seek` of that key left the cursor. */
  insert(cursor: Cursor, slot: number): void {
    this.#check(cursor);
    this.#shape++;
    this.#size++;
    this.#live++;
    let level = this.#height;
    const smallest = cursor.at[level] === 0;
    let right = this.#insertInLeaf(cursor, slot);
    while (right !== NO_NODE && level > 0) {
      level--;
      right = this.#insertInInner(cursor, level, right);
    }
    if (right === NO_NODE) this.#addLive(cursor, level, 1);
    else this.#growRoot(right);
    if (smallest) this.#setSmallest(slot);
  }

  /** Takes out the dead key under the cursor. */
  remove(cursor: Cursor): void {
    const leaf = cursor.nodes[this.#height]!;
    const at = cursor.at[this.#height]!;
    this.#check(cursor);
    assert((this.#leaves.get(leaf, at, KEY) & 1) === 1, "a live key is removed");
    this.#shape++;
    this.#size--;
    this.#leaves.remove(leaf, at);
    for (let level = this.#height; level > 0; level--) this.#tidyChild(cursor, level);
    while (this.#height > 0 && this.#inner.count(this.#root) === 1) this.#shrinkRoot();
  }

  /** Marks the key under the cursor live or dead; it must have been the other. */
  setLive(cursor: Cursor, live: boolean): void {
    const leaf = cursor.nodes[this.#height]!;
    const at = cursor.at[this.#height]!;
    this.#leaves.set(leaf, at, KEY, this.#leaves.get(leaf, at, KEY) ^ 1);
    const change = live ? 1 : -1;
    this.#live += change;
    this.#addLive(cursor, this.#height, change);
  }

  #check(cursor: Cursor): void {
    assert(cursor.shape === this.#shape, "a cursor is used after the tree changed its shape");
  }

  /** Moves to the next leaf (with a live key, if asked). False, and not moved, at the end. */
  #climbRight(cursor: Cursor, liveOnly: boolean): boolean {
    for (let level = this.#height - 1; level >= 0; level--) {
      const node = cursor.nodes[level]!;
      const count = this.#inner.count(node);
      for (let i = cursor.at[level]! + 1; i < count; i++) {
        if (liveOnly && this.#inner.get(node, i, LIVE) === 0) continue;
        cursor.at[level] = i;
        this.#descendLeft(cursor, level, liveOnly);
        return true;
      }
    }
    return false;
  }

  /** From the entry taken at `level`, down to the first key (first leaf with a live key). */
  #descendLeft(cursor: Cursor, level: number, liveOnly: boolean): void {
    for (; level < this.#height; level++) {
      const child = this.#inner.get(cursor.nodes[level]!, cursor.at[level]!, CHILD);
      let index = 0;
      if (liveOnly && level + 1 < this.#height) {
        while (this.#inner.get(child, index, LIVE) === 0) index++;
      }
      cursor.nodes[level + 1] = child;
      cursor.at[level + 1] = index;
    }
  }

  /** Moves to behind the last key of the leaf before. */
  #climbLeft(cursor: Cursor): boolean {
    let level = this.#height - 1;
    while (level >= 0 && cursor.at[level] === 0) level--;
    if (level < 0) return false;
    cursor.at[level]!--;
    for (; level < this.#height; level++) {
      const child = this.#inner.get(cursor.nodes[level]!, cursor.at[level]!, CHILD);
      cursor.nodes[level + 1] = child;
      const count = this.#countAt(child, level + 1);
      cursor.at[level + 1] = level + 1 === this.#height ? count : count - 1;
    }
    return true;
  }

  #addLive(cursor: Cursor, levels: number, change: number): void {
    for (let level = 0; level < levels; level++) {
      const node = cursor.nodes[level]!;
      const index = cursor.at[level]!;
      this.#inner.set(node, index, LIVE, this.#inner.get(node, index, LIVE) + change);
    }
  }

  /** Returns the new right half when the leaf had to be split. */
  #insertInLeaf(cursor: Cursor, slot: number): number {
    const leaf = cursor.nodes[this.#height]!;
    const at = cursor.at[this.#height]!;
    const right = this.#splitFull(this.#leaves, leaf, at);
    const kept = this.#leaves.count(leaf);
    if (right === NO_NODE || goesLeft(at, kept)) {
      this.#leaves.insert(leaf, at, slot);
    } else {
      this.#leaves.insert(right, at - kept, slot);
    }
    return right;
  }

  /** Adds `child`, split off from the child taken at `level`. Returns the right half, if split. */
  #insertInInner(cursor: Cursor, level: number, child: number): number {
    const node = cursor.nodes[level]!;
    const index = cursor.at[level]!;
    const left = this.#inner.get(node, index, CHILD);
    this.#inner.set(node, index, LIVE, this.#liveIn(left, level + 1));
    const at = index + 1;
    const right = this.#splitFull(this.#inner, node, at);
    const kept = this.#inner.count(node);
    if (right === NO_NODE || goesLeft(at, kept)) this.#fillEntry(node, at, child, level + 1);
    else this.#fillEntry(right, at - kept, child, level + 1);
    return right;
  }

  #fillEntry(node: number, at: number, child: number, childLevel: number): void {
    this.#inner.insert(node, at, this.#nodesAt(childLevel).slot(child, 0));
    this.#inner.set(node, at, CHILD, child);
    this.#inner.set(node, at, LIVE, this.#liveIn(child, childLevel));
  }

  /** Splits a full node, in the middle, or at its end when keys arrive in ascending order. */
  #splitFull(nodes: KeyNodes, node: number, at: number): number {
    if (nodes.count(node) < NODE_ENTRIES_MAX) return NO_NODE;
    return nodes.split(node, at === NODE_ENTRIES_MAX ? at : NODE_ENTRIES_MAX >>> 1);
  }

  #growRoot(right: number): void {
    const root = this.#inner.add();
    this.#fillEntry(root, 0, this.#root, 0);
    this.#fillEntry(root, 1, right, 0);
    this.#root = root;
    this.#height++;
    assert(this.#height < LEVELS_MAX, "the key tree is deeper than its cursors");
  }

  #shrinkRoot(): void {
    const root = this.#root;
    this.#root = this.#inner.get(root, 0, CHILD);
    this.#inner.free(root);
    this.#height--;
  }

  #setSmallest(slot: number): void {
    let node = this.#root;
    for (let level = 0; level < this.#height; level++) {
      this.#inner.setSlot(node, 0, slot);
      node = this.#inner.get(node, 0, CHILD);
    }
  }

  /** After a removal below: drops the child of `level` if empty, else mends or merges its entry. */
  #tidyChild(cursor: Cursor, level: number): void {
    const child = cursor.nodes[level]!;
    const parent = cursor.nodes[level - 1]!;
    const index = cursor.at[level - 1]!;
    if (this.#countAt(child, level) === 0) {
      this.#nodesAt(level).free(child);
      this.#inner.remove(parent, index);
      return;
    }
    const first = this.#nodesAt(level).slot(child, 0);
    if (first !== this.#inner.slot(parent, index)) this.#inner.setSlot(parent, index, first);
    const last = this.#inner.count(parent) - 1;
    if (last > 0) this.#mergeIfSmall(parent, index < last ? index : index - 1, level);
  }

  /** Makes the children `left` and `left + 1` of `parent` one, if they fit. */
  #mergeIfSmall(parent: number, left: number, level: number): void {
    const to = this.#inner.get(parent, left, CHILD);
    const from = this.#inner.get(parent, left + 1, CHILD);
    if (this.#countAt(to, level) + this.#countAt(from, level) > MERGED_ENTRIES_MAX) return;
    const live = this.#inner.get(parent, left, LIVE) + this.#inner.get(parent, left + 1, LIVE);
    this.#nodesAt(level).merge(to, from);
    this.#inner.set(parent, left, LIVE, live);
    this.#inner.remove(parent, left + 1);
  }

  #nodesAt(level: number): KeyNodes {
    return level === this.#height ? this.#leaves : this.#inner;
  }

  #countAt(node: number, level: number): number {
    return this.#nodesAt(level).count(node);
  }

  /** How many live keys are in or below `node`. */
  #liveIn(node: number, level: number): number {
    if (level === this.#height) return this.#leaves.countLive(node, this.#leaves.count(node));
    let live = 0;
    for (let i = 0; i < this.#inner.count(node); i++) live += this.#inner.get(node, i, LIVE);
    return live;
  }
}

/** Where an entry for position `at` belongs when `kept` of the split node's entries stay left. */
function goesLeft(at: number, kept: number): boolean {
  return at < kept || (at === kept && kept < NODE_ENTRIES_MAX);
}
