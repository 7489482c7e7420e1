import { allocBytes, assert, EMPTY_BYTES } from "../base/index.ts";
import { type Freelist } from "./freelist.ts";
import { setU64 } from "./meta.ts";
import { type Node, nodeBytes } from "./node.ts";
import {
  BRANCH_PAGE,
  BUCKET_ELEMENT,
  ELEMENT_BYTES,
  LEAF_PAGE,
  PAGE_HEADER_BYTES,
} from "./page.ts";
import { type Pager } from "./pager.ts";
import { Rows } from "./rows.ts";
import { PAGE_COST, ROW_COST, type Slices } from "./slices.ts";

/**
 * Whole pages to be written: one page with its overflow. The bytes lie in a piece of memory shared
 * with other pages of the commit, so a copy is what to keep for long.
 */
export interface PageWrite {
  readonly page: number;
  readonly bytes: Uint8Array;
}

const FILL_MIN = 0.1;
/** Pages made at a time. They share memory, so that neighbours can be written in one piece. */
const SLAB_PAGES_MIN = 16;
const SLAB_PAGES_MAX = 256;
/** A page keeps at least this many entries, so that every level above is at most half as long. */
const ROWS_MIN = 2;

/** Makes pages of changed trees. The trees themselves stay as they are, for readers meanwhile. */
export class Spill {
  readonly pages: PageWrite[] = [];
  /** Pages that exist, with those added at the end. */
  limit: number;
  readonly #pager: Pager;
  readonly #freelist: Freelist;
  readonly #slices: Slices;
  #slab: Uint8Array = EMPTY_BYTES;
  #slabUsed = 0;
  #slabPages = SLAB_PAGES_MIN;

  constructor(pager: Pager, freelist: Freelist, slices: Slices) {
    this.#pager = pager;
    this.#freelist = freelist;
    this.#slices = slices;
    this.limit = pager.limit;
  }

  /** Returns the page of the root. */
  *tree(root: Node, fillPercent: number): Generator<void, number> {
    const fillBytes = this.#pager.pageSize * Math.min(1, Math.max(FILL_MIN, fillPercent));
    let rows = yield* this.#node(root, fillBytes);
    while (rows.count > 1) rows = yield* this.#level(rows, false, fillBytes);
    return rows.page(0);
  }

  /** Children first. Returns a branch row for every page it became. */
  *#node(node: Node, fillBytes: number): Generator<void, Rows> {
    if (node.isLeaf) return yield* this.#level(node.rows, true, fillBytes, node.home);
    const rows = new Rows(node.rows.count);
    for (let i = 0; i < node.rows.count; i++) {
      const child = node.children[i];
      if (child === undefined) rows.append(node.rows, i, i + 1);
      else rows.append(yield* this.#node(child, fillBytes));
    }
    return yield* this.#level(rows, false, fillBytes);
  }

  /** Cuts rows into pages, the first to lie at `home`. Returns a branch row for each. */
  *#level(rows: Rows, isLeaf: boolean, fillBytes: number, home = 0): Generator<void, Rows> {
    const above = new Rows();
    const { pageSize } = this.#pager;
    let remaining = nodeBytes(rows, isLeaf, 0, rows.count);
    let from = 0;
    do {
      const isLast = rows.count - from <= 2 * ROWS_MIN || remaining < pageSize;
      const to = isLast ? rows.count : cutAt(rows, isLeaf, from, fillBytes);
      const bytes = isLast ? remaining : nodeBytes(rows, isLeaf, from, to);
      const page = this.#place(Math.ceil(bytes / pageSize), from === 0 ? home : 0);
      this.#write(page, { rows, isLeaf, from, to }, Math.ceil(bytes / pageSize));
      if (rows.count > 0) {
        above.push(rows.source(from), rows.keyStart(from), rows.keyBytes(from), page);
      } else above.push(0, 0, 0, page);
      remaining -= bytes - PAGE_HEADER_BYTES;
      from = to;
      if (this.#slices.spend(PAGE_COST + (to - from) * ROW_COST + bytes / 4)) yield;
    } while (from < rows.count);
    return above;
  }

  /** Where so many pages go: to what is reserved for them, else to the lowest place. */
  #place(pages: number, home: number): number {
    if (home !== 0 && this.#freelist.takeReserved(home, pages)) return home;
    const page = this.#freelist.take(pages) ?? this.limit;
    if (page === this.limit) this.limit += pages;
    return page;
  }

  #write(page: number, part: PagePart, pages: number): void {
    const bytes = this.#memory(pages);
    fillPage(bytes, { id: page, overflow: pages - 1 }, part, this.#pager.sources);
    this.pages.push({ page, bytes });
  }

  #memory(pages: number): Uint8Array {
    const length = pages * this.#pager.pageSize;
    if (pages > SLAB_PAGES_MIN) return allocBytes(length);
    if (this.#slabUsed + length > this.#slab.length) {
      this.#slab = allocBytes(this.#slabPages * this.#pager.pageSize);
      this.#slabUsed = 0;
      this.#slabPages = Math.min(SLAB_PAGES_MAX, 2 * this.#slabPages);
    }
    this.#slabUsed += length;
    return this.#slab.subarray(this.#slabUsed - length, this.#slabUsed);
  }
}

/** Where bbolt cuts: the first page takes what fits the fill, and leaves enough for a second. */
function cutAt(rows: Rows, isLeaf: boolean, from: number, fillBytes: number): number {
  const end = rows.count - ROWS_MIN;
  let bytes = PAGE_HEADER_BYTES;
  for (let row = from; row < end; row++) {
    const size = ELEMENT_BYTES + rows.keyBytes(row) + (isLeaf ? rows.valueBytes(row) : 0);
    if (row - from >= ROWS_MIN && bytes + size > fillBytes) return row;
    bytes += size;
  }
  return end - 1;
}

/** Rows `[from, to)`, to be written as one page. */
export interface PagePart {
  readonly rows: Rows;
  readonly isLeaf: boolean;
  readonly from: number;
  readonly to: number;
}

/** Writes a page with its elements, keys and values. `page` is all of it, overflow included. */
export function fillPage(
  page: Uint8Array,
  header: { id: number; overflow: number },
  part: PagePart,
  sources: readonly Uint8Array[],
): void {
  const { rows, isLeaf, from, to } = part;
  assert(to - from < 0xffff, "a page has fewer than 65535 elements");
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  setU64(view, 0, header.id);
  view.setUint16(8, isLeaf ? LEAF_PAGE : BRANCH_PAGE, true);
  view.setUint16(10, to - from, true);
  view.setUint32(12, header.overflow, true);
  let element = PAGE_HEADER_BYTES;
  let data = element + (to - from) * ELEMENT_BYTES;
  const copy = new Copier(page, data, sources);
  for (let row = from; row < to; row++) {
    const length = rows.keyBytes(row) + (isLeaf ? rows.valueBytes(row) : 0);
    if (isLeaf) setLeafElement(view, element, data, rows, row);
    else setBranchElement(view, element, data, rows, row);
    copy.add(rows.source(row), rows.keyStart(row), length);
    element += ELEMENT_BYTES;
    data += length;
  }
  copy.flush();
  // Whatever was in this memory before has no business in the file.
  page.fill(0, data);
}

function setLeafElement(view: DataView, at: number, data: number, rows: Rows, row: number): void {
  view.setUint32(at, rows.isBucket(row) ? BUCKET_ELEMENT : 0, true);
  view.setUint32(at + 4, data - at, true);
  view.setUint32(at + 8, rows.keyBytes(row), true);
  view.setUint32(at + 12, rows.valueBytes(row), true);
}

function setBranchElement(view: DataView, at: number, data: number, rows: Rows, row: number): void {
  view.setUint32(at, data - at, true);
  view.setUint32(at + 4, rows.keyBytes(row), true);
  setU64(view, at + 8, rows.page(row));
}

/** Copies stretches to one place, joining those that lie side by side where they come from. */
class Copier {
  readonly #target: Uint8Array;
  readonly #sources: readonly Uint8Array[];
  #at: number;
  #source = 0;
  #start = 0;
  #end = 0;

  constructor(target: Uint8Array, at: number, sources: readonly Uint8Array[]) {
    this.#target = target;
    this.#at = at;
    this.#sources = sources;
  }

  add(source: number, start: number, length: number): void {
    if (source !== this.#source || start !== this.#end) {
      this.flush();
      this.#source = source;
      this.#start = start;
    }
    this.#end = start + length;
  }

  flush(): void {
    const length = this.#end - this.#start;
    if (length === 0) return;
    const source = this.#sources[this.#source]!;
    this.#target.set(source.subarray(this.#start, this.#end), this.#at);
    this.#at += length;
    this.#start = this.#end;
  }
}
