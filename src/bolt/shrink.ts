import { copyBytes, EMPTY_BYTES } from "../base/index.ts";
import { type Freelist } from "./freelist.ts";
import {
  childId,
  countOf,
  find,
  isLeaf,
  keyOf,
  type Level,
  Node,
  openedChild,
  openPage,
} from "./node.ts";
import { childIndex, pageId, pageOverflow } from "./page.ts";
import { type Pager } from "./pager.ts";
import { PAGE_COST, ROW_COST, Slices } from "./slices.ts";
import { DEPTH_MAX, tooDeep, type Tree } from "./tree.ts";

/** A file with less to give back than this is left alone. */
const GAIN_BYTES_MIN = 1024 * 1024;
/** So is one of which less than a tenth is free. */
const FREE_SHARE_MIN = 1 / 10;
/** What stays free when a sweep has done its work, so that the next changes find room. */
const SLACK_SHARE = 1 / 16;
const SLACK_PAGES = 16;
/** Branches looked through between two commits, so that a sweep that finds little costs little. */
const BRANCHES_MAX = 64;
/** A defragmentation ends after so many sweeps, whatever is written meanwhile. */
const SWEEPS_MAX = 8;

/** A way down to a branch above leaves, or to a root that is a leaf. */
interface Way {
  readonly levels: Level[];
  readonly indexes: number[];
  /** The first key behind everything below the branch; undefined at the end of the tree. */
  next: Uint8Array | undefined;
}

/**
 * Moves pages from the end of the file into free ones before them, so that free pages gather at the
 * end, where a commit drops them. A sweep goes through all trees once, in the order of keys, and
 * opens for change what lies too high; the commit that follows writes it where there is room. So
 * nothing is moved but by commits, a little in each.
 */
export class Shrinker {
  readonly #pager: Pager;
  readonly #freelist: Freelist;
  /** What the sweep has still to go through, the tree it is in first. Empty: there is no sweep. */
  #trees: Tree[] = [];
  /** Where in the first tree it goes on. */
  #from: Uint8Array = EMPTY_BYTES;
  /** Pages from here on lie too high. */
  #goal = 0;
  /** Pages that the sweep has moved, and how many of them the open transaction moves. */
  #moved = 0;
  #movedNow = 0;
  /** Sweeps left of a defragmentation. 0: there is none. */
  #sweepsLeft = 0;
  /** A sweep that gained little is not repeated before more pages than these are free. */
  #patience = 0;
  /** However few free pages lie at the end, the next commit is to drop them. */
  #trimsAll = false;

  constructor(pager: Pager, freelist: Freelist) {
    this.#pager = pager;
    this.#freelist = freelist;
  }

  /** Goes on until nothing more can be gained. */
  defragment(): void {
    this.#sweepsLeft = SWEEPS_MAX;
  }

  get isDefragmenting(): boolean {
    return this.#sweepsLeft > 0 || this.#trimsAll;
  }

  /** Whether there is something to do for the next commit. */
  get isDue(): boolean {
    return this.#trees.length > 0 || this.wantsTrim || this.#wantsSweep();
  }

  /** Whether free pages at the end are worth a commit of their own. */
  get wantsTrim(): boolean {
    const { limit, pageSize } = this.#pager;
    const tail = this.#freelist.tail(limit);
    if (this.#trimsAll) return tail > 0;
    return tail * pageSize >= GAIN_BYTES_MIN && tail >= limit * FREE_SHARE_MIN;
  }

  /** A commit has moved what was opened, and dropped the free pages at the end. */
  committed(): void {
    this.#trimsAll = false;
    this.#movedNow = 0;
  }

  #wantsSweep(): boolean {
    const { size, free } = this.#sizes();
    if (this.#sweepsLeft > 0) return true;
    this.#patience = Math.min(this.#patience, free + size * SLACK_SHARE);
    const isMuch = free * this.#pager.pageSize >= GAIN_BYTES_MIN && free >= size * FREE_SHARE_MIN;
    return isMuch && free >= this.#patience;
  }

  /** Pages of the file, and how many of them are free, both without the free ones at its end. */
  #sizes(): { size: number; free: number } {
    const tail = this.#freelist.tail(this.#pager.limit);
    return { size: this.#pager.limit - tail, free: this.#freelist.count - tail };
  }

  /**
   * Opens what the next commit is to move, until that is about `pagesMax` pages. After a PageMiss
   * run it again: it goes on from there.
   */
  *run(trees: Iterable<Tree>, pagesMax: number): Generator<void> {
    if (this.#trees.length === 0) {
      if (!this.#wantsSweep()) return;
      this.#begin(trees);
    }
    const slices = new Slices();
    for (let branches = 0; branches < BRANCHES_MAX && this.#trees.length > 0; branches++) {
      if (this.#movedNow >= pagesMax) return;
      const before = this.#movedNow;
      const tree = this.#trees[0]!;
      const way = wayTo(tree, this.#from);
      this.#moveBelow(tree, way, pagesMax);
      this.#goOnFrom(way.next);
      const cost = PAGE_COST + countOf(way.levels.at(-1)!) * ROW_COST;
      if (slices.spend(cost + (this.#movedNow - before) * 2 * PAGE_COST)) yield;
    }
  }

  #begin(trees: Iterable<Tree>): void {
    const { size, free } = this.#sizes();
    const used = size - free;
    const slack = this.#sweepsLeft > 0 ? 0 : used * SLACK_SHARE;
    this.#goal = Math.ceil(used + slack) + SLACK_PAGES;
    this.#trees = [...trees];
    this.#from = EMPTY_BYTES;
    this.#moved = 0;
  }

  #goOnFrom(next: Uint8Array | undefined): void {
    this.#from = next === undefined ? EMPTY_BYTES : copyBytes(next);
    if (next !== undefined) return;
    this.#trees.shift();
    if (this.#trees.length === 0) this.#end();
  }

  #end(): void {
    const { size, free } = this.#sizes();
    const gainedLittle = this.#moved < (size * SLACK_SHARE) / 4;
    this.#patience = gainedLittle ? free + size * SLACK_SHARE : 0;
    if (this.#sweepsLeft === 0) return;
    this.#sweepsLeft = this.#moved === 0 ? 0 : this.#sweepsLeft - 1;
    this.#trimsAll = this.#freelist.tail(this.#pager.limit) > 0;
  }

  /** Opens what lies too high on the way and below its last branch. */
  #moveBelow(tree: Tree, way: Way, pagesMax: number): void {
    const { levels, indexes } = way;
    if (levels.some((level) => this.#isHigh(level))) this.#open(tree, way);
    const branch = levels.at(-1)!;
    if (isLeaf(branch)) return;
    for (let i = indexes.at(-1)!; i < countOf(branch); i++) {
      if (this.#movedNow >= pagesMax) {
        way.next = keyOf(this.#pager, levels.at(-1)!, i);
        return;
      }
      this.#moveLeaf(tree, way, i);
    }
  }

  #isHigh(level: Level): boolean {
    return !(level instanceof Node) && pageId(level) >= this.#goal;
  }

  #open(tree: Tree, way: Way): Node {
    this.#count(way.levels.filter((level) => this.#isHigh(level)).length);
    tree.changed = true;
    return tree.openLevels(way.levels, way.indexes);
  }

  /** A leaf goes only where it is certain to lie lower: else it could wander up and down for ever. */
  #moveLeaf(tree: Tree, way: Way, index: number): void {
    const branch = way.levels.at(-1)!;
    const id = childId(branch, index);
    if (openedChild(branch, index) !== undefined || id < this.#goal) return;
    const page = this.#pager.readBriefly(id);
    const pages = 1 + pageOverflow(page);
    const home = this.#freelist.reserve(pages, id);
    if (home === undefined) return;
    const leaf = openPage(this.#pager, copyBytes(page));
    leaf.home = home;
    this.#open(tree, way).children[index] = leaf;
    this.#count(pages);
  }

  #count(pages: number): void {
    this.#moved += pages;
    this.#movedNow += pages;
  }
}

function wayTo(tree: Tree, key: Uint8Array): Way {
  const { pager } = tree;
  const way: Way = { levels: [], indexes: [], next: undefined };
  let level = tree.rootLevel();
  while (way.levels.push(level) <= DEPTH_MAX) {
    if (isLeaf(level)) return way;
    const index = childIndex(find(pager, level, key));
    way.indexes.push(index);
    const child = openedChild(level, index) ?? pager.readFirst(childId(level, index));
    if (isLeaf(child)) return way;
    if (index + 1 < countOf(level)) way.next = keyOf(pager, level, index + 1);
    level = child instanceof Node ? child : pager.read(pageId(child));
  }
  throw tooDeep(tree.root);
}
