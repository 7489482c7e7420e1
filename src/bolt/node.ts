import { viewBytes } from "../base/index.ts";
import { type Pager } from "./pager.ts";
import {
  BUCKET_ELEMENT,
  childPage,
  damaged,
  ELEMENT_BYTES,
  elementFlags,
  findInPage,
  isLeafPage,
  keyBytes,
  keyStart,
  PAGE_HEADER_BYTES,
  pageCount,
  pageId,
  pageOverflow,
  valueBytes,
} from "./page.ts";
import { BUCKET_BIT, Rows } from "./rows.ts";

/** A page that the open transaction changes. It refers to the bytes of the page it came from. */
export class Node {
  readonly isLeaf: boolean;
  readonly rows: Rows;
  /** Branch: the changed children, beside the rows; undefined where the child is as on its page. */
  readonly children: (Node | undefined)[] = [];
  /** Something was taken out, so it may have become too small. */
  thinned = false;
  /** The first of the pages that are reserved for it, or 0. */
  home = 0;

  constructor(options: { isLeaf: boolean; capacity?: number }) {
    this.isLeaf = options.isLeaf;
    this.rows = new Rows(options.capacity);
  }

  /** Size as one page, header included. */
  get bytes(): number {
    return nodeBytes(this.rows, this.isLeaf, 0, this.rows.count);
  }

  /** Adds a changed child at a place, under the key that `from` holds in one of its rows. */
  insertChild(at: number, child: Node, from: Rows, fromRow: number): void {
    this.rows.insert(at, from.source(fromRow), from.keyStart(fromRow), from.keyBytes(fromRow), 0);
    this.children.splice(at, 0, child);
  }

  remove(row: number): void {
    this.rows.remove(row);
    if (!this.isLeaf) this.children.splice(row, 1);
    this.thinned = true;
  }

  /** Takes over everything of its right neighbour. */
  append(right: Node): void {
    this.rows.append(right.rows);
    this.children.push(...right.children);
  }

  /** Moves rows `[from, count)` into a new leaf. */
  splitLeaf(from: number): Node {
    const right = new Node({ isLeaf: true, capacity: this.rows.count });
    right.rows.append(this.rows, from);
    this.rows.count = from;
    return right;
  }
}

/** Size as one page of rows `[from, to)`, header included. */
export function nodeBytes(rows: Rows, isLeaf: boolean, from: number, to: number): number {
  let bytes = PAGE_HEADER_BYTES + (to - from) * ELEMENT_BYTES;
  for (let row = from; row < to; row++) {
    bytes += rows.keyBytes(row) + (isLeaf ? rows.valueBytes(row) : 0);
  }
  return bytes;
}

/** Opens a page for change. Its own pages count as free from now on. */
export function openPage(pager: Pager, page: Uint8Array): Node {
  const isLeaf = isLeafPage(page);
  const count = pageCount(page);
  const node = new Node({ isLeaf, capacity: count + 4 });
  const source = pager.addSource(page);
  for (let i = 0; i < count; i++) {
    const length = keyBytes(page, i);
    if (length === 0) throw damaged(page, `element ${i} has an empty key`);
    const last = isLeaf ? valueNumber(page, i) : checkedChild(pager, page, i);
    node.rows.push(source, keyStart(page, i), length, last);
  }
  if (!isLeaf) node.children.length = count;
  // The image of an inline bucket is page 0: it lies inside another page and frees none.
  if (pageId(page) !== 0) pager.free(pageId(page), 1 + pageOverflow(page));
  return node;
}

function valueNumber(page: Uint8Array, index: number): number {
  const isBucket = elementFlags(page, index) === BUCKET_ELEMENT;
  return valueBytes(page, index) + (isBucket ? BUCKET_BIT : 0);
}

function checkedChild(pager: Pager, page: Uint8Array, index: number): number {
  const child = childPage(page, index);
  pager.checkReference(child);
  return child;
}

/** One step of a way through a tree: a page as it is in the file, or a changed one. */
export type Level = Node | Uint8Array;

export function isLeaf(level: Level): boolean {
  return level instanceof Node ? level.isLeaf : isLeafPage(level);
}

export function countOf(level: Level): number {
  return level instanceof Node ? level.rows.count : pageCount(level);
}

/** Index of the entry with this key, or `~i` where i is the place it would be inserted at. */
export function find(pager: Pager, level: Level, key: Uint8Array): number {
  return level instanceof Node ? level.rows.find(pager.sources, key) : findInPage(level, key);
}

export function childOf(pager: Pager, branch: Level, index: number): Level {
  return openedChild(branch, index) ?? pager.read(childId(branch, index));
}

/** A child that is changed, or undefined where it is as on its page. */
export function openedChild(branch: Level, index: number): Node | undefined {
  return branch instanceof Node ? branch.children[index] : undefined;
}

/** The page a child is or was. */
export function childId(branch: Level, index: number): number {
  return branch instanceof Node ? branch.rows.page(index) : childPage(branch, index);
}

/** View of a key. */
export function keyOf(pager: Pager, level: Level, index: number): Uint8Array {
  if (level instanceof Node) {
    const start = level.rows.keyStart(index);
    const source = pager.sources[level.rows.source(index)]!;
    return viewBytes(source, start, level.rows.keyBytes(index));
  }
  const start = keyStart(level, index);
  return viewBytes(level, start, keyBytes(level, index));
}

/** View of a value. */
export function valueOf(pager: Pager, leaf: Level, index: number): Uint8Array {
  if (leaf instanceof Node) {
    const start = leaf.rows.keyStart(index) + leaf.rows.keyBytes(index);
    const source = pager.sources[leaf.rows.source(index)]!;
    return viewBytes(source, start, leaf.rows.valueBytes(index));
  }
  const length = valueBytes(leaf, index);
  const start = keyStart(leaf, index) + keyBytes(leaf, index);
  return viewBytes(leaf, start, length);
}
