import { assert } from "../base/index.ts";
import {
  childId,
  childOf,
  countOf,
  find,
  isLeaf,
  keyOf,
  type Level,
  Node,
  openedChild,
  valueOf,
} from "./node.ts";
import { childIndex, isLeafPage, pageId } from "./page.ts";
import { DEPTH_MAX, tooDeep, type Tree } from "./tree.ts";

/**
 * A place in a tree, moved in key order. It is void after any change to the bucket and after any
 * step of a commit: place it again with `seek`. When a move answers false there is no such entry,
 * and the cursor must be placed again too. A move that throws PageMiss can be repeated.
 *
 * A passing cursor reads leaves into memory that is used again, many at a time, and leaves nothing
 * in the cache: for going through a whole bucket. Its views are valid until anything is read.
 */
export class Cursor {
  readonly #tree: Tree;
  #version = -1;
  /** From the root to the leaf, and the entry at each; in the leaf, the entry we stand on. */
  #levels: Level[] = [];
  #indexes: number[] = [];
  readonly #isPassing: boolean;
  /** Where leaves are, once it is known: what lies above them is read as usual. */
  #leafDepth = DEPTH_MAX;
  /** The number of the leaf's page, when it was read for a short while; and when that was. */
  #briefLeaf = 0;
  #readAt = 0;

  constructor(tree: Tree, options: { passing: boolean } = { passing: false }) {
    this.#tree = tree;
    this.#isPassing = options.passing;
  }

  /** View of the key we stand on. */
  get key(): Uint8Array {
    return keyOf(this.#tree.pager, this.#leaf, this.#index);
  }

  /** View of the value we stand on. */
  get value(): Uint8Array {
    return valueOf(this.#tree.pager, this.#leaf, this.#index);
  }

  first(): boolean {
    this.#descend([], [], this.#tree.rootLevel(), { toEnd: false });
    return countOf(this.#leaf) > 0 || this.#step(1);
  }

  last(): boolean {
    this.#descend([], [], this.#tree.rootLevel(), { toEnd: true });
    return countOf(this.#leaf) > 0 || this.#step(-1);
  }

  /** To the first key that is not below `key`. */
  seek(key: Uint8Array): boolean {
    const levels: Level[] = [];
    const indexes: number[] = [];
    let level = this.#tree.rootLevel();
    while (!isLeaf(level)) {
      const index = childIndex(find(this.#tree.pager, level, key));
      levels.push(level);
      indexes.push(index);
      if (levels.length > DEPTH_MAX) throw tooDeep(this.#tree.root);
      level = this.#child(level, index, levels.length);
    }
    const found = find(this.#tree.pager, level, key);
    levels.push(level);
    indexes.push(found < 0 ? ~found : found);
    this.#place(levels, indexes);
    return this.#index < countOf(level) || this.#step(1);
  }

  next(): boolean {
    this.#refresh();
    const last = this.#indexes.length - 1;
    if (this.#indexes[last]! + 1 >= countOf(this.#levels[last]!)) return this.#step(1);
    this.#indexes[last]!++;
    return true;
  }

  previous(): boolean {
    this.#refresh();
    const last = this.#indexes.length - 1;
    if (this.#indexes[last]! <= 0) return this.#step(-1);
    this.#indexes[last]!--;
    return true;
  }

  get #leaf(): Level {
    this.#checkVersion();
    assert(this.#isFresh, "what a passing cursor shows is void when anything is read");
    return this.#levels[this.#levels.length - 1]!;
  }

  get #index(): number {
    return this.#indexes[this.#indexes.length - 1]!;
  }

  #checkVersion(): void {
    assert(this.#version === this.#tree.version, "the cursor must be placed again after a change");
  }

  get #isFresh(): boolean {
    return this.#briefLeaf === 0 || this.#readAt === this.#tree.pager.briefReads;
  }

  /** Reads the leaf again where its memory was used for another. */
  #refresh(): void {
    this.#checkVersion();
    if (this.#isFresh) return;
    this.#levels[this.#levels.length - 1] = this.#readLeaf(this.#briefLeaf);
    this.#readAt = this.#tree.pager.briefReads;
  }

  #child(branch: Level, index: number, depth: number): Level {
    const { pager } = this.#tree;
    if (!this.#isPassing || depth < this.#leafDepth) return childOf(pager, branch, index);
    return openedChild(branch, index) ?? this.#readLeaf(childId(branch, index));
  }

  /** The tree may have become deeper: then it is a branch. */
  #readLeaf(id: number): Level {
    const { pager } = this.#tree;
    const page = pager.readBriefly(id);
    return isLeafPage(page) ? page : pager.read(id);
  }

  /** To the nearest entry in a later (1) or earlier (-1) leaf. Deletes leave empty leaves. */
  #step(by: 1 | -1): boolean {
    do {
      let depth = this.#levels.length - 2;
      while (depth >= 0 && !this.#has(depth, this.#indexes[depth]! + by)) depth--;
      if (depth < 0) return false;
      const index = this.#indexes[depth]! + by;
      const child = this.#child(this.#levels[depth]!, index, depth + 1);
      const levels = this.#levels.slice(0, depth + 1);
      const indexes = this.#indexes.slice(0, depth);
      indexes.push(index);
      this.#descend(levels, indexes, child, { toEnd: by === -1 });
    } while (countOf(this.#leaf) === 0);
    return true;
  }

  #has(depth: number, index: number): boolean {
    return index >= 0 && index < countOf(this.#levels[depth]!);
  }

  /** Follows the first or last entries down to a leaf, and only then moves. */
  #descend(levels: Level[], indexes: number[], top: Level, { toEnd }: { toEnd: boolean }): void {
    let level = top;
    for (;;) {
      const index = toEnd ? countOf(level) - 1 : 0;
      levels.push(level);
      indexes.push(index);
      if (levels.length > DEPTH_MAX) throw tooDeep(this.#tree.root);
      if (isLeaf(level)) break;
      level = this.#child(level, index, levels.length);
    }
    this.#place(levels, indexes);
  }

  #place(levels: Level[], indexes: number[]): void {
    this.#levels = levels;
    this.#indexes = indexes;
    this.#version = this.#tree.version;
    if (!this.#isPassing) return;
    const leaf = levels.at(-1)!;
    this.#leafDepth = levels.length - 1;
    this.#readAt = this.#tree.pager.briefReads;
    this.#briefLeaf = levels.length === 1 || leaf instanceof Node ? 0 : pageId(leaf);
  }
}
