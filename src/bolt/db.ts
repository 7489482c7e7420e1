import { allocBytes, assert, bytesToText, textToBytes } from "../base/index.ts";
import { Bucket, EMPTY_BUCKET, FILL_PERCENT } from "./bucket.ts";
import { Check, readFreelist } from "./check.ts";
import { Cursor } from "./cursor.ts";
import { BoltError } from "./errors.ts";
import { Freelist, FreePages } from "./freelist.ts";
import { type Meta, NO_FREELIST, readMeta, writeMeta } from "./meta.ts";
import { Node } from "./node.ts";
import { pageOverflow } from "./page.ts";
import { Pager, type PageSource } from "./pager.ts";
import { rebalance } from "./rebalance.ts";
import { Shrinker } from "./shrink.ts";
import { SLICE_NANOSECONDS, Slices } from "./slices.ts";
import { type PageWrite, Spill } from "./spill.ts";
import { Tree } from "./tree.ts";
import { Walk } from "./walk.ts";

/** What makes a transaction durable, in this order: pages, sync, meta, sync. */
export interface Commit {
  /** Ascending, none overlapping another. */
  readonly pages: readonly PageWrite[];
  readonly meta: PageWrite;
  /** The file must be at least so many pages long. */
  readonly sizeInPages: number;
  readonly txid: number;
}

/** The pages of a durable commit, kept from reuse. */
export interface Pin {
  /** The page of its meta. */
  readonly meta: Uint8Array;
  readonly sizeInPages: number;
  release(): void;
}

/** Pages before any content: the two metas. */
const META_PAGES = 2;

/**
 * A bbolt file as a state machine. One write transaction is always open, and this is it: reads see
 * every put and delete at once. `commit` turns it into pages for the caller to write, and a new
 * one is open.
 */
export class Db {
  #pager: Pager;
  /** The tree of buckets: name to header. */
  #buckets: Tree;
  #handles = new Map<string, Bucket>();
  #freelist: Freelist | undefined;
  #shrinker: Shrinker | undefined;
  #recovery: Walk | undefined;
  /** What the newest commit says, durable or not. Undefined in a file never committed. */
  #meta: Meta | undefined;
  /** The newest durable commit. */
  #durable: { meta: Meta; page: Uint8Array } | undefined;
  /** The commit on its way to the disk. */
  #inFlight: { meta: Meta; page: Uint8Array } | undefined;
  /** The sizes of the commits that are pinned. */
  #pinnedSizes: number[] = [];

  private constructor(options: { source: PageSource; pageSize: number; meta: Meta | undefined }) {
    const { source, pageSize, meta } = options;
    this.#pager = new Pager({ source, pageSize, limit: meta?.sizeInPages ?? META_PAGES });
    this.#buckets = new Tree(this.#pager, meta?.root ?? new Node({ isLeaf: true }));
    this.#meta = meta;
  }

  /**
   * Opens a file by its two meta pages: the newer valid one counts. Throws BoltError when neither
   * is valid, or the file is shorter than it says.
   */
  static open(options: {
    source: PageSource;
    meta0: Uint8Array;
    meta1: Uint8Array;
    fileSizeBytes: number;
  }): Db {
    const { meta, page } = newerMeta(options.meta0, options.meta1);
    const sizeBytes = meta.sizeInPages * meta.pageSize;
    if (sizeBytes > options.fileSizeBytes) {
      throw new BoltError(
        `the file is cut short: it has ${options.fileSizeBytes} bytes of ${sizeBytes}`,
      );
    }
    const db = new Db({ source: options.source, pageSize: meta.pageSize, meta });
    db.#durable = { meta, page };
    return db;
  }

  /** An empty file. The first commit writes all of it, even when nothing was put. */
  static create(options: { pageSize: number; source: PageSource }): Db {
    const db = new Db({ ...options, meta: undefined });
    db.#begin(new Freelist());
    db.#buckets.changed = true;
    return db;
  }

  /**
   * Finds the free pages of an opened file by walking its trees, in slices. Must have run before
   * the first commit. After a PageMiss, run again: it goes on from there.
   */
  *recoverFreePages(): Generator<void, void> {
    if (this.#freelist !== undefined) return;
    const meta = this.#meta!;
    this.#recovery ??= new Walk(this.#pager, {
      root: meta.root,
      checksKeys: false,
      report: (problem) => {
        throw problem;
      },
    });
    yield* this.#recovery.run();
    if (meta.freelist !== NO_FREELIST) this.#dropStoredFreelist(this.#recovery, meta.freelist);
    this.#begin(new Freelist(new FreePages(unused(this.#recovery.used, meta.sizeInPages))));
    this.#recovery = undefined;
  }

  #begin(freelist: Freelist): void {
    this.#freelist = freelist;
    this.#shrinker = new Shrinker(this.#pager, freelist);
  }

  /** The stored list is not written again, and goes with the next commit. */
  #dropStoredFreelist(walk: Walk, id: number): void {
    const pages = 1 + pageOverflow(readFreelist(this.#pager, id));
    walk.mark(id, pages);
    this.#pager.free(id, pages);
  }

  /**
   * Goes on as another one, over another source, which must not be used by itself any more. Handles
   * and pins of before go on seeing what they saw.
   */
  become(other: Db): void {
    assert(this.#inFlight === undefined, "no commit is on its way");
    assert(!this.#pager.isCommitting, "no commit is being made");
    this.#pager = other.#pager;
    this.#buckets = other.#buckets;
    this.#handles = other.#handles;
    this.#freelist = other.#freelist;
    this.#shrinker = other.#shrinker;
    this.#recovery = other.#recovery;
    this.#meta = other.#meta;
    this.#durable = other.#durable;
    this.#pinnedSizes = other.#pinnedSizes;
  }

  get pageSize(): number {
    return this.#pager.pageSize;
  }

  /** A bucket, made when missing. The handle stays good until the Db becomes another. */
  bucket(name: string, options: { fillPercent?: number } = {}): Bucket {
    const bucket = this.#handles.get(name) ?? this.#openBucket(name);
    bucket.fillPercent = options.fillPercent ?? bucket.fillPercent;
    return bucket;
  }

  #openBucket(name: string): Bucket {
    const key = textToBytes(name);
    let value = this.#buckets.get(key);
    if (value === undefined) {
      assert(!this.#pager.isCommitting, "no bucket is made during a commit");
      this.#buckets.reserve(key, EMPTY_BUCKET.length, { isBucket: true }).set(EMPTY_BUCKET);
      value = EMPTY_BUCKET;
    }
    const bucket = new Bucket(this.#pager, key, value);
    this.#handles.set(name, bucket);
    return bucket;
  }

  /** Ascending by their bytes. */
  bucketNames(): string[] {
    const names: string[] = [];
    const cursor = new Cursor(this.#buckets);
    for (let found = cursor.first(); found; found = cursor.next()) {
      names.push(bytesToText(cursor.key));
    }
    return names;
  }

  /** Puts, deletes and new buckets since the last commit. */
  get pendingOperations(): number {
    return this.#pager.operations;
  }

  /** Memory that the next commit takes, and until then what is pending. */
  get pendingBytes(): number {
    return this.#pager.sourceBytes;
  }

  /** The high water mark: all pages at and above it are free. */
  get sizeInPages(): number {
    return this.#pager.limit;
  }

  /** Of the file nobody reads what lies at and above this page, once a commit is durable. */
  get readInPages(): number {
    return Math.max(this.#pager.limit, this.#durable?.meta.sizeInPages ?? 0, ...this.#pinnedSizes);
  }

  /** Pages that can be reused at once. */
  get freePages(): number {
    return this.#freelist?.count ?? 0;
  }

  /** Whether free pages can be given back: by `shrink` and a commit, again and again. */
  get canShrink(): boolean {
    return this.#shrinker?.isDue ?? false;
  }

  /**
   * Prepares the next commit to move about so many pages from the end of the file into free ones
   * before them. Does nothing while few pages are free. After a PageMiss, run it again.
   */
  *shrink(pagesMax: number): Generator<void> {
    assert(!this.#pager.isCommitting, "nothing is moved during a commit");
    const trees = [...this.#handles.values()].map((bucket) => bucket.tree);
    yield* this.#shrinker!.run([this.#buckets, ...trees], pagesMax);
  }

  /** From now on `canShrink` holds until the file is as small as moving pages can make it. */
  defragment(): void {
    assert(this.#shrinker !== undefined, "free pages are recovered");
    this.#shrinker.defragment();
  }

  get isDefragmenting(): boolean {
    return this.#shrinker?.isDefragmenting ?? false;
  }

  /**
   * Makes pages of everything that changed, in slices of about so many nanoseconds. Readers may
   * read between them, but nothing may be written until it ends. Then hand the result to the page
   * source before the next read. After a PageMiss, commit again. Undefined when nothing changed.
   */
  *commit(sliceNanoseconds = SLICE_NANOSECONDS): Generator<void, Commit | undefined> {
    assert(this.#inFlight === undefined, "one commit at a time is on its way");
    assert(!this.#pager.isCommitting, "one commit at a time is made");
    this.#pager.isCommitting = true;
    try {
      return yield* this.#makeCommit(new Slices(sliceNanoseconds));
    } finally {
      this.#pager.isCommitting = false;
    }
  }

  *#makeCommit(slices: Slices): Generator<void, Commit | undefined> {
    const freelist = this.#freelist;
    assert(freelist !== undefined, "free pages are recovered before the first commit");
    const changed = [...this.#handles.values()].filter((bucket) => bucket.tree.changed);
    const spill = new Spill(this.#pager, freelist, slices);
    if (changed.length === 0 && !this.#buckets.changed) {
      const isOwnCommit = this.#meta !== undefined && this.#shrinker!.wantsTrim;
      return isOwnCommit ? this.#finish(spill, this.#meta!.root, freelist) : undefined;
    }
    yield* this.#prepare(changed, slices);
    const roots: (number | Uint8Array)[] = [];
    for (const bucket of changed) roots.push(yield* bucket.spill(spill, this.#buckets));
    assert(this.#buckets.root instanceof Node, "the tree of buckets has changed");
    const root = yield* spill.tree(this.#buckets.root, FILL_PERCENT);
    changed.forEach((bucket, i) => bucket.tree.committed(roots[i]!));
    this.#buckets.committed(root);
    return this.#finish(spill, root, freelist);
  }

  /** All of a commit that reads pages, so that the rest cannot miss one. */
  *#prepare(changed: readonly Bucket[], slices: Slices): Generator<void> {
    for (const bucket of changed) {
      yield* rebalance(bucket.tree, bucket.fillPercent, slices);
      this.#buckets.open(bucket.name);
    }
  }

  #finish(spill: Spill, root: number, freelist: Freelist): Commit {
    const sizeInPages = freelist.trim(spill.limit);
    this.#shrinker!.committed();
    const meta: Meta = {
      pageSize: this.pageSize,
      root,
      freelist: NO_FREELIST,
      sizeInPages,
      // A new file gets two metas at once: this transaction's, and one before it.
      txid: (this.#meta?.txid ?? 1) + 1,
    };
    freelist.wait(meta.txid, this.#pager.finish(sizeInPages));
    const write = this.#meta === undefined ? bothMetas(meta) : oneMeta(meta);
    this.#meta = meta;
    this.#inFlight = { meta, page: write.bytes.subarray(0, this.pageSize) };
    const pages = spill.pages.toSorted((a, b) => a.page - b.page);
    return { pages, meta: write, sizeInPages: meta.sizeInPages, txid: meta.txid };
  }

  /** The commit is durable: what it replaced can be reused. */
  committed(txid: number): void {
    assert(this.#inFlight?.meta.txid === txid, `transaction ${txid} was on its way`);
    this.#durable = this.#inFlight;
    this.#inFlight = undefined;
    this.#freelist!.durable(txid);
  }

  /** Keeps the pages of the newest durable commit as they are until released. */
  pin(): Pin {
    assert(this.#durable !== undefined, "a commit is durable");
    const { meta, page } = this.#durable;
    const freelist = this.#freelist;
    assert(freelist !== undefined, "free pages are recovered");
    const { txid, sizeInPages } = meta;
    freelist.pin(txid);
    const pinnedSizes = this.#pinnedSizes;
    pinnedSizes.push(sizeInPages);
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      freelist.unpin(txid);
      pinnedSizes.splice(pinnedSizes.indexOf(sizeInPages), 1);
    };
    return { meta: page, sizeInPages, release };
  }

  /** Pins that are held. */
  get pins(): number {
    return this.#pinnedSizes.length;
  }

  /** A check of the newest commit. Nothing may be committed while it runs. */
  check(): Check {
    assert(this.#meta !== undefined, "something was committed");
    return new Check(this.#pager, this.#meta);
  }
}

function newerMeta(page0: Uint8Array, page1: Uint8Array): { meta: Meta; page: Uint8Array } {
  const [meta0, meta1] = [readMeta(page0), readMeta(page1)];
  if (typeof meta0 === "string") {
    if (typeof meta1 !== "string") return { meta: meta1, page: page1 };
    throw new BoltError(`no valid meta page: page 0: ${meta0}; page 1: ${meta1}`);
  }
  if (typeof meta1 === "string" || meta0.txid > meta1.txid) return { meta: meta0, page: page0 };
  return { meta: meta1, page: page1 };
}

function oneMeta(meta: Meta): PageWrite {
  const bytes = allocBytes(meta.pageSize);
  const id = meta.txid % 2 === 0 ? 0 : 1;
  writeMeta(bytes, id, meta);
  return { page: id, bytes };
}

/** Page 0 with this meta, and page 1 with the same under the transaction before. */
function bothMetas(meta: Meta): PageWrite {
  const { pageSize } = meta;
  const bytes = allocBytes(2 * pageSize);
  writeMeta(bytes.subarray(0, pageSize), 0, meta);
  writeMeta(bytes.subarray(pageSize), 1, { ...meta, txid: meta.txid - 1 });
  return { page: 0, bytes };
}

/** Turns a set of used pages into one of free pages, in place. */
function unused(bits: Uint32Array, sizeInPages: number): Uint32Array {
  for (let word = 0; word < bits.length; word++) {
    const pages = Math.min(32, Math.max(0, sizeInPages - word * 32));
    const existing = pages === 32 ? 0xffff_ffff : (1 << pages) - 1;
    bits[word] = ~bits[word]! & existing;
  }
  return bits;
}
