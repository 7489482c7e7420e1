import { allocBytes } from "../base/index.ts";
import { BoltError, PageMiss } from "./errors.ts";
import {
  BRANCH_PAGE,
  damaged,
  ELEMENT_BYTES,
  LEAF_PAGE,
  PAGE_HEADER_BYTES,
  pageCount,
  pageFlags,
  pageId,
  pageOverflow,
} from "./page.ts";

/** Where pages come from: a cache over the file. */
export interface PageSource {
  /**
   * The bytes of the `1 + overflow` pages that start at page `id`, or undefined on a miss. The
   * result stays as it is for as long as somebody refers to it.
   */
  read(id: number): Uint8Array | undefined;
  /**
   * The first page alone, for walks that need no more: a large value then costs one page. Valid for
   * as long as that of `readBriefly`.
   */
  readFirst?(id: number): Uint8Array | undefined;
  /** As `read`, but the result is valid only until `readFirst` or `readBriefly` is called again. */
  readBriefly?(id: number): Uint8Array | undefined;
}

/** Bytes of the transaction's own memory taken at a time. */
const CHUNK_BYTES = 256 * 1024;
/** What is longer gets bytes of its own, so that the chunk at hand is not wasted. */
const LARGE_BYTES = CHUNK_BYTES / 4;

/**
 * What all trees of one file share: the committed pages, and the bytes and freed pages of the
 * transaction that is open.
 */
export class Pager {
  readonly source: PageSource;
  readonly pageSize: number;
  /** Pages at and above this one have no content yet. */
  limit: number;
  /** Puts, deletes and new buckets since the last commit. */
  operations = 0;
  /** Bytes that rows point into. */
  sourceBytes = 0;
  /** A commit is being made: nothing may be written. */
  isCommitting = false;
  /** Everything that rows point into: pages that were opened for change, and own chunks. */
  sources: Uint8Array[] = [];
  /** Pages that the open transaction replaces, as pairs: first page, how many. */
  freed: number[] = [];
  /** Where `takeRoom` found room: which source, and from where on. */
  roomSource = 0;
  roomStart = 0;

  /** Steps with everything read that is valid for a short while only. */
  briefReads = 0;

  #chunk = -1;
  #used = CHUNK_BYTES;

  constructor(options: { source: PageSource; pageSize: number; limit: number }) {
    this.source = options.source;
    this.pageSize = options.pageSize;
    this.limit = options.limit;
  }

  /** A branch or leaf page with all its overflow. Throws PageMiss, or BoltError when damaged. */
  read(id: number): Uint8Array {
    this.checkReference(id);
    return this.#checked(this.source.read(id), id);
  }

  /** As `read`, valid until the next brief read: for a page that is looked at once. */
  readBriefly(id: number): Uint8Array {
    this.briefReads++;
    if (this.source.readBriefly === undefined) return this.read(id);
    this.checkReference(id);
    return this.#checked(this.source.readBriefly(id), id);
  }

  #checked(page: Uint8Array | undefined, id: number): Uint8Array {
    if (page === undefined) throw new PageMiss(id);
    this.#checkHeader(page, id);
    if (page.length !== (1 + pageOverflow(page)) * this.pageSize) {
      throw damaged(page, `overflow ${pageOverflow(page)} does not fit ${page.length} bytes`);
    }
    if (PAGE_HEADER_BYTES + pageCount(page) * ELEMENT_BYTES > page.length) {
      throw damaged(page, `${pageCount(page)} elements do not fit the page`);
    }
    return page;
  }

  /** As `read`, but the bytes may end after the first page of an overflowing run. */
  readFirst(id: number): Uint8Array {
    this.briefReads++;
    if (this.source.readFirst === undefined) return this.read(id);
    this.checkReference(id);
    const page = this.source.readFirst(id);
    if (page === undefined) throw new PageMiss(id);
    this.#checkHeader(page, id);
    return page;
  }

  checkReference(id: number): void {
    if (id >= 2 && id < this.limit) return;
    throw new BoltError(
      `page ${id} at offset ${id * this.pageSize} is referred to, but pages end at ${this.limit}`,
    );
  }

  #checkHeader(page: Uint8Array, id: number): void {
    const offset = id * this.pageSize;
    if (page.length < this.pageSize) {
      throw new BoltError(`page ${id} at offset ${offset} is cut short: ${page.length} bytes`);
    }
    if (pageId(page) !== id) {
      throw new BoltError(`page ${id} at offset ${offset} says it is page ${pageId(page)}`);
    }
    const flags = pageFlags(page);
    if (flags !== LEAF_PAGE && flags !== BRANCH_PAGE) {
      throw new BoltError(
        `page ${id} at offset ${offset} is neither branch nor leaf: flags 0x${flags.toString(16)}`,
      );
    }
  }

  /** Makes bytes known to rows. Returns their number as a source. */
  addSource(bytes: Uint8Array): number {
    this.sourceBytes += bytes.length;
    return this.sources.push(bytes) - 1;
  }

  free(page: number, count: number): void {
    this.freed.push(page, count);
  }

  /** Takes `length` bytes of the transaction's memory, and says where by `roomSource` and `roomStart`. */
  takeRoom(length: number): void {
    if (length > LARGE_BYTES) {
      this.roomSource = this.addSource(allocBytes(length));
      this.roomStart = 0;
      return;
    }
    if (this.#used + length > CHUNK_BYTES) {
      this.#chunk = this.addSource(allocBytes(CHUNK_BYTES));
      this.#used = 0;
    }
    this.roomSource = this.#chunk;
    this.roomStart = this.#used;
    this.#used += length;
  }

  /** The transaction has become pages: forget its memory. Returns the pages it replaced. */
  finish(limit: number): number[] {
    const freed = this.freed;
    this.limit = limit;
    this.freed = [];
    this.sources = [];
    this.sourceBytes = 0;
    this.operations = 0;
    this.#chunk = -1;
    this.#used = CHUNK_BYTES;
    return freed;
  }
}
