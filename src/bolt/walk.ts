import { bytesToText, compareBytes } from "../base/index.ts";
import { bucketRoot } from "./bucket.ts";
import { BoltError } from "./errors.ts";
import { bitOf, wordsFor } from "./freelist.ts";
import { keyOf, valueOf } from "./node.ts";
import {
  BUCKET_ELEMENT,
  childPage,
  damaged,
  ELEMENT_BYTES,
  elementFlags,
  isLeafPage,
  PAGE_HEADER_BYTES,
  pageCount,
  pageOverflow,
} from "./page.ts";
import { type Pager } from "./pager.ts";
import { PAGE_COST, ROW_COST, Slices } from "./slices.ts";

/** A page to be visited: which tree it belongs to, and between which keys its own must lie. */
interface Visit {
  readonly page: number;
  /** The bucket's name, or undefined in the tree of buckets. */
  readonly bucket: string | undefined;
  readonly low?: Uint8Array | undefined;
  readonly high?: Uint8Array | undefined;
}

/**
 * Visits every page of every tree once, and so learns which pages are in use. The place reached is
 * kept: after a PageMiss, `run` again goes on from there. A page that is referred to twice is
 * not entered again, so the walk ends on any file.
 */
export class Walk {
  /** A set bit is a page in use. */
  readonly used: Uint32Array;
  readonly #pager: Pager;
  readonly #todo: Visit[];
  readonly #checksKeys: boolean;
  readonly #report: (problem: BoltError) => void;
  readonly #slices = new Slices();

  /** `report` hears of each fault; when it throws, the walk ends. */
  constructor(
    pager: Pager,
    options: { root: number; checksKeys: boolean; report: (problem: BoltError) => void },
  ) {
    this.#pager = pager;
    this.used = new Uint32Array(wordsFor(pager.limit));
    this.#todo = [{ page: options.root, bucket: undefined }];
    this.#checksKeys = options.checksKeys;
    this.#report = options.report;
    this.mark(0, 2);
  }

  *run(): Generator<void> {
    for (let visit = this.#todo.at(-1); visit !== undefined; visit = this.#todo.at(-1)) {
      let below: Visit[] = [];
      let cost = PAGE_COST;
      try {
        const page = this.#read(visit);
        if (this.mark(visit.page, 1 + pageOverflow(page))) below = this.#visit(visit, page);
        cost += pageCount(page) * ROW_COST;
      } catch (error) {
        if (!(error instanceof BoltError)) throw error;
        this.#report(error);
      }
      this.#todo.pop();
      this.#todo.push(...below);
      if (this.#slices.spend(cost)) yield;
    }
  }

  /** Notes pages as used. Returns whether they were not before. */
  mark(first: number, pages: number): boolean {
    if (first + pages > this.#pager.limit) {
      this.#report(new BoltError(`page ${first} with ${pages - 1} more reaches beyond the file`));
      return false;
    }
    for (let page = first; page < first + pages; page++) {
      if (bitOf(this.used, page)) {
        const offset = page * this.#pager.pageSize;
        this.#report(new BoltError(`page ${page} at offset ${offset} is referred to twice`));
        return false;
      }
      this.used[page >>> 5]! |= 1 << (page & 31);
    }
    return true;
  }

  /** The page, at least as far as the walk looks into it. */
  #read({ page: id, bucket }: Visit): Uint8Array {
    if (this.#checksKeys) return this.#pager.read(id);
    const page = this.#pager.readFirst(id);
    const elementsEnd = PAGE_HEADER_BYTES + pageCount(page) * ELEMENT_BYTES;
    // Of a bucket's leaf only the flags are wanted; else keys and values, behind the elements.
    const isEnough = bucket !== undefined && isLeafPage(page) && elementsEnd <= page.length;
    return isEnough ? page : this.#pager.read(id);
  }

  #visit(visit: Visit, page: Uint8Array): Visit[] {
    if (this.#checksKeys) this.#checkKeys(page, visit);
    return isLeafPage(page) ? this.#visitLeaf(visit, page) : this.#visitBranch(visit, page);
  }

  #visitBranch(visit: Visit, page: Uint8Array): Visit[] {
    const count = pageCount(page);
    if (count === 0) throw damaged(page, "a branch without children");
    const below: Visit[] = [];
    for (let i = 0; i < count; i++) {
      const child = { page: childPage(page, i), bucket: visit.bucket };
      below.push(this.#checksKeys ? { ...child, ...this.#boundsOf(visit, page, i) } : child);
    }
    // The last one pushed is visited first: lower pages before higher ones.
    return below.toReversed();
  }

  #boundsOf(visit: Visit, page: Uint8Array, i: number): Pick<Visit, "low" | "high"> {
    const high = i + 1 < pageCount(page) ? keyOf(this.#pager, page, i + 1) : visit.high;
    return { low: keyOf(this.#pager, page, i), high };
  }

  #visitLeaf(visit: Visit, page: Uint8Array): Visit[] {
    const below: Visit[] = [];
    for (let i = 0; i < pageCount(page); i++) {
      const isBucket = elementFlags(page, i) === BUCKET_ELEMENT;
      if (isBucket && visit.bucket !== undefined) {
        const where = JSON.stringify(visit.bucket);
        throw damaged(page, `a bucket within bucket ${where}: only one level is supported`);
      }
      if (!isBucket && visit.bucket === undefined) {
        throw damaged(page, `element ${i} in the tree of buckets is not a bucket`);
      }
      if (isBucket) this.#visitBucket(page, i, below);
    }
    return below.toReversed();
  }

  #visitBucket(page: Uint8Array, index: number, below: Visit[]): void {
    const name = keyOf(this.#pager, page, index);
    const root = bucketRoot(name, valueOf(this.#pager, page, index));
    const bucket = bytesToText(name);
    if (typeof root === "number") below.push({ page: root, bucket });
    else if (this.#checksKeys) this.#checkKeys(root, { page: 0, bucket });
  }

  /** Keys ascend, and lie where the branch above says. */
  #checkKeys(page: Uint8Array, visit: Visit): void {
    let before = visit.low;
    for (let i = 0; i < pageCount(page); i++) {
      const key = keyOf(this.#pager, page, i);
      if (isLeafPage(page)) valueOf(this.#pager, page, i);
      const order = before === undefined ? 1 : compareBytes(key, before);
      if (key.length === 0) this.#report(damaged(page, `key ${i} is empty`));
      if (order < 0 && i === 0) this.#report(damaged(page, "its first key is below its branch's"));
      if (order <= 0 && i > 0) this.#report(damaged(page, `key ${i} is not above the one before`));
      if (visit.high !== undefined && compareBytes(key, visit.high) >= 0) {
        this.#report(damaged(page, `key ${i} is not below the next one of its branch`));
      }
      before = key;
    }
  }
}
