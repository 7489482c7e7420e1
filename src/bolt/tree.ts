import { assert } from "../base/index.ts";
import { BoltError } from "./errors.ts";
import { childOf, countOf, find, isLeaf, type Level, Node, openPage, valueOf } from "./node.ts";
import { childIndex, KEY_BYTES_MAX, VALUE_BYTES_MAX } from "./page.ts";
import { type Pager } from "./pager.ts";
import { BUCKET_BIT } from "./rows.ts";

/** More levels than any real tree has: a deeper one is a cycle. */
export const DEPTH_MAX = 40;
/** Rows at which a changed leaf is cut in two, so that inserting in its middle stays cheap. */
const LEAF_ROWS_MAX = 1024;

/**
 * A sorted map in pages. What is changed hangs in memory above the pages that are not, and all
 * reads see it at once.
 */
export class Tree {
  readonly pager: Pager;
  /** A page number, the image of an inline bucket, or a changed page. */
  root: number | Level;
  /** The root must be written anew. */
  changed = false;
  /** Steps with every change of content or shape: cursors from before it are void. */
  version = 0;

  /** The way of the last descent, and which entry was taken at each level. */
  readonly #levels: Level[] = [];
  readonly #indexes: number[] = [];
  /** Whether that way always took the last entry. */
  #alongEdge = false;
  /** The last leaf, when it is a changed one: keys in ascending order go straight to it. */
  #tail: Node | undefined;

  constructor(pager: Pager, root: number | Level) {
    this.pager = pager;
    this.root = root;
  }

  rootLevel(): Level {
    return typeof this.root === "number" ? this.pager.read(this.root) : this.root;
  }

  /** View of the value of a key. */
  get(key: Uint8Array): Uint8Array | undefined {
    let level = this.rootLevel();
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      const found = find(this.pager, level, key);
      if (isLeaf(level)) return found < 0 ? undefined : valueOf(this.pager, level, found);
      level = childOf(this.pager, level, childIndex(found));
    }
    throw tooDeep(this.root);
  }

  /** Stores a key, and returns the place of its value, to be filled at once. */
  reserve(key: Uint8Array, valueBytes: number, options?: { isBucket: boolean }): Uint8Array {
    assert(key.length > 0 && key.length <= KEY_BYTES_MAX, "a key has 1 to 32768 bytes");
    assert(valueBytes <= VALUE_BYTES_MAX, "a value is shorter than 2 GiB");
    const { pager } = this;
    const last = options?.isBucket ? valueBytes + BUCKET_BIT : valueBytes;
    if (this.#isBeyondTail(key)) {
      pager.takeRoom(key.length + valueBytes);
      this.#tail!.rows.push(pager.roomSource, pager.roomStart, key.length, last);
    } else {
      const found = this.#descend(key);
      const leaf = this.#openWay();
      pager.takeRoom(key.length + valueBytes);
      if (found < 0) this.#insert(leaf, ~found, key.length, last);
      else leaf.rows.set(found, pager.roomSource, pager.roomStart, key.length, last);
    }
    this.changed = true;
    this.version++;
    pager.operations++;
    const room = pager.sources[pager.roomSource]!;
    room.set(key, pager.roomStart);
    const start = pager.roomStart + key.length;
    return room.subarray(start, start + valueBytes);
  }

  /** Takes a key out. Returns whether it was there. */
  delete(key: Uint8Array): boolean {
    const found = this.#descend(key);
    if (found < 0) return false;
    this.#openWay().remove(found);
    this.changed = true;
    this.version++;
    this.pager.operations++;
    return true;
  }

  /** Opens the leaf of a key for change, so that a put to it reads no page any more. */
  open(key: Uint8Array): void {
    this.#descend(key);
    this.#openWay();
  }

  /** Pages were merged, or the root replaced: what was remembered of the shape is void. */
  reshaped(): void {
    this.#tail = undefined;
    this.#levels.length = 0;
    this.version++;
  }

  /** It has become pages; the transaction's memory is void. */
  committed(root: number | Uint8Array): void {
    this.root = root;
    this.changed = false;
    this.reshaped();
  }

  #isBeyondTail(key: Uint8Array): boolean {
    const rows = this.#tail?.rows;
    if (rows === undefined || rows.count === 0 || rows.count >= LEAF_ROWS_MAX) return false;
    return rows.compareKey(this.pager.sources, rows.count - 1, key) < 0;
  }

  /** Finds the way to a key, changing nothing. Returns its row in the leaf as `find` does. */
  #descend(key: Uint8Array): number {
    let level = this.rootLevel();
    this.#alongEdge = true;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      const found = find(this.pager, level, key);
      this.#levels[depth] = level;
      if (isLeaf(level)) {
        this.#levels.length = depth + 1;
        return found;
      }
      const index = childIndex(found);
      this.#indexes[depth] = index;
      if (index < countOf(level) - 1) this.#alongEdge = false;
      level = childOf(this.pager, level, index);
    }
    throw tooDeep(this.root);
  }

  /** Opens the pages along the way for change. Returns the leaf. Reads no page. */
  #openWay(): Node {
    const leaf = this.openLevels(this.#levels, this.#indexes);
    if (this.#alongEdge) this.#tail = leaf;
    return leaf;
  }

  /** Opens a way from the root on for change, in place. Returns the last on it. Reads no page. */
  openLevels(levels: Level[], indexes: readonly number[]): Node {
    let parent: Node | undefined;
    for (let depth = 0; depth < levels.length; depth++) {
      const level = levels[depth]!;
      const node = level instanceof Node ? level : openPage(this.pager, level);
      if (parent === undefined) this.root = node;
      else parent.children[indexes[depth - 1]!] = node;
      levels[depth] = node;
      parent = node;
    }
    return parent!;
  }

  #insert(leaf: Node, row: number, keyBytes: number, last: number): void {
    const { roomSource, roomStart } = this.pager;
    leaf.rows.insert(row, roomSource, roomStart, keyBytes, last);
    if (leaf.rows.count > LEAF_ROWS_MAX) this.#split(leaf, row);
  }

  #split(leaf: Node, inserted: number): void {
    const { count } = leaf.rows;
    // Keys that come in ascending order leave full leaves behind and never move.
    const right = leaf.splitLeaf(inserted === count - 1 ? inserted : count >>> 1);
    const depth = this.#levels.length - 1;
    if (depth === 0) {
      const root = new Node({ isLeaf: false });
      root.insertChild(0, leaf, leaf.rows, 0);
      root.insertChild(1, right, right.rows, 0);
      this.root = root;
    } else {
      const parent = this.#levels[depth - 1] as Node;
      parent.insertChild(this.#indexes[depth - 1]! + 1, right, right.rows, 0);
    }
    if (this.#alongEdge) this.#tail = right;
  }
}

export function tooDeep(root: number | Level): BoltError {
  const where = typeof root === "number" ? `page ${root}` : "a changed page";
  return new BoltError(`the tree at ${where} is deeper than ${DEPTH_MAX} levels: it has a cycle`);
}
