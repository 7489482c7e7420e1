import { BoltError, PageMiss } from "./errors.ts";
import { bitOf } from "./freelist.ts";
import { type Meta, NO_FREELIST } from "./meta.ts";
import {
  damaged,
  FREELIST_PAGE,
  PAGE_HEADER_BYTES,
  pageCount,
  pageFlags,
  pageOverflow,
  u64,
} from "./page.ts";
import { type Pager } from "./pager.ts";
import { ROW_COST, Slices } from "./slices.ts";
import { Walk } from "./walk.ts";

/** Problems told at most; a file with more is lost anyway. */
const PROBLEMS_MAX = 1000;
/** In place of the count: the first number of the body is the count. */
const COUNT_IN_BODY = 0xffff;

/**
 * Verifies the last committed state of a file as `bbolt check` does: every page is in use once or
 * free, is what it says it is, and holds its keys in order and within the bounds of its branch.
 */
export class Check {
  /** What was found, a sentence each. Empty after a whole run: the file is sound. */
  readonly problems: string[] = [];
  readonly #pager: Pager;
  readonly #meta: Meta;
  readonly #walk: Walk;

  constructor(pager: Pager, meta: Meta) {
    this.#pager = pager;
    this.#meta = meta;
    this.#walk = new Walk(pager, {
      root: meta.root,
      checksKeys: true,
      report: (problem) => this.#add(problem.message),
    });
  }

  /** Runs in slices. After a PageMiss, run again: it goes on from there. */
  *run(): Generator<void> {
    yield* this.#walk.run();
    if (this.#meta.freelist !== NO_FREELIST) yield* this.#checkFreelist(this.#meta.freelist);
  }

  #add(problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }

  *#checkFreelist(id: number): Generator<void> {
    const list = readFreelist(this.#pager, id);
    const free = new Uint32Array(this.#walk.used.length);
    const slices = new Slices();
    this.#walk.mark(id, 1 + pageOverflow(list));
    for (const page of freelistPages(list)) {
      if (page < 2 || page >= this.#meta.sizeInPages) this.#add(`free page ${page} does not exist`);
      else if (bitOf(free, page)) this.#add(`page ${page} is freed twice`);
      else if (bitOf(this.#walk.used, page)) this.#add(`page ${page} is free and in use`);
      else free[page >>> 5]! |= 1 << (page & 31);
      if (slices.spend(ROW_COST)) yield;
    }
    for (let page = 2; page < this.#meta.sizeInPages; page++) {
      if (!bitOf(this.#walk.used, page) && !bitOf(free, page)) {
        this.#add(`page ${page} is neither in use nor free`);
      }
      if (slices.spend(ROW_COST)) yield;
    }
  }
}

/** The page of a stored free list with all its overflow. */
export function readFreelist(pager: Pager, id: number): Uint8Array {
  const page = pager.source.read(id);
  if (page === undefined) throw new PageMiss(id);
  if (page.length < pager.pageSize || u64(page, 0) !== id || pageFlags(page) !== FREELIST_PAGE) {
    throw new BoltError(`page ${id} at offset ${id * pager.pageSize} is not the free list`);
  }
  return page;
}

/** The page numbers in a stored free list. */
export function* freelistPages(list: Uint8Array): Generator<number> {
  const isLong = pageCount(list) === COUNT_IN_BODY;
  const count = isLong ? u64(list, PAGE_HEADER_BYTES) : pageCount(list);
  const first = PAGE_HEADER_BYTES + (isLong ? 8 : 0);
  if (first + count * 8 > list.length) throw damaged(list, `${count} free pages do not fit`);
  for (let i = 0; i < count; i++) yield u64(list, first + i * 8);
}
