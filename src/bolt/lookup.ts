import { compareRegions } from "../base/index.ts";
import { countOf, find, isLeaf, type Level, Node, valueOf } from "./node.ts";
import { childIndex, childPage, isLeafPage, keyBytes, keyStart, pageId } from "./page.ts";
import { DEPTH_MAX, tooDeep, type Tree } from "./tree.ts";

/**
 * Finds keys one after the other for somebody who copies what he finds at once. Leaves are read
 * into memory that is used again, so that a walk over millions of values neither makes garbage
 * nor drives out of the cache what others use. Neighbours are found without a new descent.
 */
export class Lookup {
  readonly #tree: Tree;
  #leaf: Level | undefined;
  /** The number of the leaf's page; 0 when it is a changed one. */
  #leafId = 0;
  /** The tree's version that the leaf belongs to. */
  #version = -1;
  /** Where the last leaf was: what lies above it is read as usual. */
  #leafDepth = DEPTH_MAX;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** View of the value of a key, valid until anything else is read or written. Throws PageMiss. */
  get(key: Uint8Array): Uint8Array | undefined {
    const { pager } = this.#tree;
    const leaf = this.#isInLeaf(key) ? this.#leaf! : this.#descend(key);
    const found = find(pager, leaf, key);
    return found < 0 ? undefined : valueOf(pager, leaf, found);
  }

  /** Whether the leaf is still what it was, and the key lies between its first and its last. */
  #isInLeaf(key: Uint8Array): boolean {
    const leaf = this.#leaf;
    if (leaf === undefined || this.#version !== this.#tree.version) return false;
    // Another lookup may have used the memory.
    if (!(leaf instanceof Node) && pageId(leaf) !== this.#leafId) return false;
    const last = countOf(leaf) - 1;
    return last >= 0 && this.#order(leaf, 0, key) <= 0 && this.#order(leaf, last, key) >= 0;
  }

  /** Order of a leaf's key against `key`. */
  #order(leaf: Level, index: number, key: Uint8Array): number {
    if (leaf instanceof Node) return leaf.rows.compareKey(this.#tree.pager.sources, index, key);
    const start = keyStart(leaf, index);
    return compareRegions(leaf, start, start + keyBytes(leaf, index), key, 0, key.length);
  }

  #descend(key: Uint8Array): Level {
    const { pager } = this.#tree;
    this.#leaf = undefined;
    let level = this.#tree.rootLevel();
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      if (isLeaf(level)) return this.#keep(level, depth);
      level = this.#child(level, childIndex(find(pager, level, key)), depth + 1);
    }
    throw tooDeep(this.#tree.root);
  }

  #keep(leaf: Level, depth: number): Level {
    this.#leaf = leaf;
    this.#leafId = leaf instanceof Node ? 0 : pageId(leaf);
    this.#leafDepth = depth;
    this.#version = this.#tree.version;
    return leaf;
  }

  #child(branch: Level, index: number, depth: number): Level {
    const { pager } = this.#tree;
    const changed = branch instanceof Node ? branch.children[index] : undefined;
    if (changed !== undefined) return changed;
    const id = branch instanceof Node ? branch.rows.page(index) : childPage(branch, index);
    if (depth < this.#leafDepth) return pager.read(id);
    const page = pager.readBriefly(id);
    return isLeafPage(page) ? page : pager.read(id);
  }
}
