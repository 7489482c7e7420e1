import { constants } from "node:fs";
import { dirname } from "node:path";
import { allocBytes, assert, copyBytes } from "../base/index.ts";
import {
  BoltError,
  type Commit,
  Db,
  isLeafPage,
  PageMiss,
  pageOverflow,
  type PageSource,
  type PageWrite,
  readMeta,
} from "../bolt/index.ts";
import {
  DiskError,
  type FileIo,
  nodeFileIo,
  orDiskError,
  readFully,
  syncDirectory,
  writeFully,
} from "./file-io.ts";
import { PageCache } from "./page-cache.ts";
import { ReadAhead } from "./read-ahead.ts";

const PAGE_BYTES = 4096;
const CACHE_BYTES = 128 * 1024 * 1024;
export const PAGE_GROWTH_BYTES = 16 * 1024 * 1024;
/**
 * Growths left over at the end of the file at which it is cut: when less is needed than before, and
 * in any case; and what stays then. What is cut must not be grown again at once.
 */
const LEFT_OVER = { less: 1 / 2, always: 3 / 2, goal: 1 / 4 };
/** Cut off between two commits at most. */
const CUT_BYTES_MAX = 64 * 1024 * 1024;
/** Cut off in one call: a write of the log waits for a whole call, about 0.3 ms for each MiB. */
const CUT_PIECE_BYTES = 4 * 1024 * 1024;
/** A new file: two metas, an empty tree of buckets, and in bbolt's case a free list. */
const NEW_PAGES_MAX = 4;
/** Places to remember pages that were looked at once: some pages share one and displace each other. */
const SEEN_PAGES = 65_536;

export interface PageFileOptions {
  readonly io?: FileIo;
  /** Bound of the page cache; 128 MiB unless given. Pages of an unfinished commit come on top. */
  readonly cacheBytes?: number;
  /**
   * The file grows by this much at a time: few commits change its size. 16 MiB unless given, as
   * etcd's does.
   */
  readonly growthBytes?: number;
  /** False: a page that is not cached is missed, and must be fetched with `load`. */
  readonly synchronous?: boolean;
  /** Called on the open descriptor before anything is read, to lock the file. */
  readonly lock?: (fd: number) => Promise<void>;
}

/**
 * The file of pages: positional reads behind a bounded cache, and commits written so that a crash
 * at any point leaves the commit before or this one. After a failed write or sync nothing is
 * known of the file, so every later call fails as well.
 */
export class PageFile {
  /** Changes when the file is renamed. */
  path: string;
  readonly fd: number;
  readonly source: PageSource;
  readonly #io: FileIo;
  readonly #cache: PageCache;
  readonly #isSynchronous: boolean;
  readonly #growthBytes: number;
  #pageSize = PAGE_BYTES;
  #sizeBytes = 0;
  /** As `shrink` was told last. */
  #neededBytes = 0;
  /** Pages of the commit that is being written: they are not to be read from the file yet. */
  #inFlight: ReadonlyMap<number, Uint8Array> | undefined;
  /** Commits begun. A fetch that one overtook may hold what the page was before. */
  #commits = 0;
  /** Written by this process, so that no other can have left anything in memory only. */
  #isSecure = false;
  #failure: unknown;
  #isClosed = false;
  /** Pages that are looked at once. */
  readonly #ahead = new ReadAhead((bytes, offset) => this.#readNow(bytes, offset));
  /** Pages that were: asked for again, they are worth a place in the cache. */
  readonly #seen = new Uint32Array(SEEN_PAGES);

  private constructor(path: string, fd: number, options: PageFileOptions) {
    this.path = path;
    this.fd = fd;
    this.#io = options.io ?? nodeFileIo;
    this.#cache = new PageCache(options.cacheBytes ?? CACHE_BYTES);
    this.#isSynchronous = options.synchronous ?? true;
    this.#growthBytes = options.growthBytes ?? PAGE_GROWTH_BYTES;
    this.source = {
      read: (id) => this.#read(id),
      readFirst: (id) => this.#readFirst(id),
      readBriefly: (id) => this.#readBriefly(id),
    };
  }

  /** Opens the file, and creates it empty when missing. */
  static async open(path: string, options: PageFileOptions = {}): Promise<PageFile> {
    const io = options.io ?? nodeFileIo;
    const fd = await io.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const file = new PageFile(path, fd, options);
    try {
      await options.lock?.(fd);
      await file.#measure();
    } catch (error) {
      await io.close(fd);
      throw error;
    }
    return file;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get pageSize(): number {
    return this.#pageSize;
  }

  /** The database in it. An empty file becomes an empty database first. Throws BoltError. */
  async openDb(): Promise<Db> {
    const { source, pageSize } = this;
    const meta0 = await this.#readPart(0, pageSize);
    const meta1 = await this.#readPart(pageSize, pageSize);
    if (this.#isUnfinished(meta0, meta1)) return this.#format();
    try {
      return Db.open({ source, meta0, meta1, fileSizeBytes: this.#sizeBytes });
    } catch (error) {
      throw error instanceof BoltError ? new BoltError(`${this.path}: ${error.message}`) : error;
    }
  }

  /** A crash within `#format` leaves a few pages without a meta, and nothing in them to lose. */
  #isUnfinished(meta0: Uint8Array, meta1: Uint8Array): boolean {
    const isBlank = meta0.every((byte) => byte === 0) && meta1.every((byte) => byte === 0);
    return isBlank && this.#sizeBytes <= NEW_PAGES_MAX * this.#pageSize;
  }

  async #format(): Promise<Db> {
    const db = Db.create({ pageSize: this.#pageSize, source: this.source });
    const commit = db.commit(Number.POSITIVE_INFINITY).next().value;
    assert(commit !== undefined, "the first commit is written though empty");
    await this.#resize(0);
    // As if it had grown already: small it stays recognisable while it has no meta.
    this.#sizeBytes = commit.sizeInPages * this.#pageSize;
    await this.write(commit);
    await syncDirectory(this.#io, dirname(this.path));
    db.committed(commit.txid);
    this.#isSecure = true;
    return db;
  }

  /**
   * Makes certain of what is in the file. A process that died may have left its last commit in the
   * system's memory only, where a sync that failed can leave a meta or the file's length for good:
   * nobody may build on them before they are on the disk. Throws DiskError.
   */
  async secure(): Promise<void> {
    if (this.#isSecure) return;
    const { sizeBytes } = this;
    // Another length and back, so that the length counts as changed.
    await this.#resize(sizeBytes + this.#pageSize);
    await this.#resize(sizeBytes);
    const metas = await this.readRaw(0, 2 * this.#pageSize);
    await this.#writeAt(metas, 0);
    await this.#sync();
    await syncDirectory(this.#io, dirname(this.path));
  }

  /**
   * Carries a commit out. Its pages are read from memory from the moment of the call until it
   * resolves. Rejects with DiskError. One at a time.
   */
  async write(commit: Commit): Promise<void> {
    this.#checkAlive();
    assert(this.#inFlight === undefined, "one commit is written at a time");
    this.#inFlight = new Map(commit.pages.map(({ page, bytes }) => [page, bytes]));
    this.#commits++;
    this.#ahead.forget();
    try {
      await this.#grow(commit.sizeInPages * this.#pageSize);
      await this.#writePages(commit.pages);
      await this.#sync();
      await this.#writeAt(commit.meta.bytes, commit.meta.page * this.#pageSize);
      await this.#sync();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#keepBranches(commit.pages);
    this.#ahead.forget();
    this.#inFlight = undefined;
  }

  /**
   * Branches are sure to be read again. Leaves are read when somebody asks for them: what is
   * written in bulk does not drive out what is in use.
   */
  #keepBranches(pages: readonly PageWrite[]): void {
    for (const { page, bytes } of pages) {
      if (isLeafPage(bytes)) this.#cache.delete(page);
      else this.#cache.set(page, copyBytes(bytes));
    }
  }

  /**
   * Gives back what lies beyond so many pages, but for a little room to grow: when they are fewer
   * than before, or much more than a growth is left over. Between two writes only, and only when
   * nobody reads there any more: see `Db.readInPages`. Rejects with DiskError.
   */
  async shrink(sizeInPages: number): Promise<void> {
    this.#checkAlive();
    assert(this.#inFlight === undefined, "the file is not cut while a commit is written");
    const neededBytes = sizeInPages * this.#pageSize;
    const isLess = neededBytes < this.#neededBytes;
    this.#neededBytes = neededBytes;
    const left = (this.#sizeBytes - neededBytes) / this.#growthBytes;
    if (left < (isLess ? LEFT_OVER.less : LEFT_OVER.always)) return;
    const goal = neededBytes + this.#pageSize + LEFT_OVER.goal * this.#growthBytes;
    await this.#cut(Math.max(goal, this.#sizeBytes - CUT_BYTES_MAX));
  }

  async #cut(goal: number): Promise<void> {
    this.#commits++;
    try {
      while (this.#sizeBytes > goal) {
        await this.#resize(Math.max(goal, this.#sizeBytes - CUT_PIECE_BYTES));
      }
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /**
   * Fetches a page that `source` missed, with its overflow. When a commit overtakes it, nothing is
   * kept: the page may have become another, and whoever missed it will ask for what it needs now.
   */
  async load(page: number): Promise<void> {
    this.#checkAlive();
    const begun = this.#commits;
    const offset = page * this.#pageSize;
    const first = await this.#readPart(offset, this.#pageSize);
    if (begun !== this.#commits) return;
    const length = this.#runBytes(page, first);
    const bytes = length === first.length ? first : await this.#readPart(offset, length);
    if (begun === this.#commits) this.#cache.set(page, bytes);
  }

  /** Bytes of the file itself, not through the cache. */
  async readRaw(offset: number, length: number): Promise<Uint8Array> {
    const bytes = allocBytes(length);
    await this.fill(offset, bytes);
    return bytes;
  }

  /** The same, into bytes that are there. */
  async fill(offset: number, bytes: Uint8Array): Promise<void> {
    this.#checkAlive();
    await readFully(this.#io, this, bytes, offset);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failure ??= new Error(`${this.path} is closed`);
    await this.#io.close(this.fd);
  }

  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #read(id: number): Uint8Array | undefined {
    const held = this.#inFlight?.get(id) ?? this.#cache.get(id);
    if (held !== undefined || !this.#isSynchronous) return held;
    const first = this.#readAlone(id, this.#pageSize);
    const length = this.#runBytes(id, first);
    const bytes = length === first.length ? first : this.#readAlone(id, length);
    this.#cache.set(id, bytes);
    return bytes;
  }

  /** Not put into the cache: walks come by once, and would drive all else out. */
  #readFirst(id: number): Uint8Array | undefined {
    const held = this.#inFlight?.get(id) ?? this.#cache.get(id);
    if (held !== undefined || !this.#isSynchronous) return held;
    return this.#readAhead(id, this.#pageSize);
  }

  /** Kept only when somebody looks at the page often. */
  #readBriefly(id: number): Uint8Array | undefined {
    const held = this.#inFlight?.get(id) ?? this.#cache.get(id);
    if (held !== undefined || !this.#isSynchronous) return held;
    const seen = id % SEEN_PAGES;
    if (this.#seen[seen] === id) return this.#read(id);
    this.#seen[seen] = id;
    const first = this.#readAhead(id, this.#pageSize);
    const length = this.#runBytes(id, first);
    return length === first.length ? first : this.#readAhead(id, length);
  }

  #readAhead(id: number, length: number): Uint8Array {
    return this.#ahead.read(id * this.#pageSize, length, this.#sizeBytes);
  }

  #readAlone(id: number, length: number): Uint8Array {
    const bytes = allocBytes(length);
    this.#readNow(bytes, id * this.#pageSize);
    return bytes;
  }

  /** Fills `bytes` from an offset on. */
  #readNow(bytes: Uint8Array, offset: number): void {
    const { length } = bytes;
    let done = 0;
    try {
      // Its descriptor may be another file's by now.
      if (this.#isClosed) throw new Error("the file is closed");
      while (done < length) {
        const rest = done === 0 ? bytes : bytes.subarray(done);
        const count = this.#io.readSync(this.fd, rest, offset + done);
        if (count === 0) throw new Error("the file ends here");
        done += count;
      }
    } catch (cause) {
      throw new DiskError({ path: this.path, offset: offset + done, doing: "read", cause });
    }
  }

  /** Bytes of the whole run that a page begins. */
  #runBytes(id: number, first: Uint8Array): number {
    const length = (1 + pageOverflow(first)) * this.#pageSize;
    const offset = id * this.#pageSize;
    if (offset + length <= this.#sizeBytes) return length;
    throw new BoltError(
      `page ${id} at offset ${offset} of ${this.path} claims ${length} bytes, beyond the file`,
    );
  }

  /** Bytes from the file, fewer where it ends. */
  async #readPart(offset: number, length: number): Promise<Uint8Array> {
    const bytes = allocBytes(Math.max(0, Math.min(length, this.#sizeBytes - offset)));
    await readFully(this.#io, this, bytes, offset);
    return bytes;
  }

  /** Learns the sizes of file and page. Page 1 can lie at any of the page sizes there are. */
  async #measure(): Promise<void> {
    this.#sizeBytes = await this.#io.size(this.fd);
    for (let offset = 0; offset <= 65536; offset = offset === 0 ? 1024 : offset * 2) {
      const meta = readMeta(await this.#readPart(offset, PAGE_BYTES));
      if (typeof meta === "string" || (offset !== 0 && meta.pageSize !== offset)) continue;
      this.#pageSize = meta.pageSize;
      return;
    }
  }

  async #grow(neededBytes: number): Promise<void> {
    if (neededBytes <= this.#sizeBytes) return;
    await this.#resize(neededBytes + this.#pageSize + this.#growthBytes);
  }

  async #resize(sizeBytes: number): Promise<void> {
    const what = { path: this.path, doing: "resize" };
    // What is being cut off must not be read ahead, and what is being added neither.
    this.#sizeBytes = Math.min(sizeBytes, this.#sizeBytes);
    await orDiskError(this.#io.truncate(this.fd, sizeBytes), what);
    this.#sizeBytes = sizeBytes;
  }

  async #writePages(pages: readonly PageWrite[]): Promise<void> {
    for (let from = 0; from < pages.length; ) {
      const to = this.#runEnd(pages, from);
      const { page, bytes } = pages[from]!;
      const { bytes: last } = pages[to - 1]!;
      const length = last.byteOffset + last.length - bytes.byteOffset;
      const run = new Uint8Array(bytes.buffer, bytes.byteOffset, length);
      await this.#writeAt(run, page * this.#pageSize);
      from = to;
    }
  }

  /** Past the last of the pages that follow each other in the file and in memory from here on. */
  #runEnd(pages: readonly PageWrite[], from: number): number {
    let to = from + 1;
    for (; to < pages.length; to++) {
      const { page, bytes } = pages[to - 1]!;
      const next = pages[to]!;
      if (next.page !== page + bytes.length / this.#pageSize) break;
      if (next.bytes.buffer !== bytes.buffer) break;
      if (next.bytes.byteOffset !== bytes.byteOffset + bytes.length) break;
    }
    return to;
  }

  #writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    return writeFully(this.#io, this, bytes, offset);
  }

  #sync(): Promise<void> {
    return orDiskError(this.#io.sync(this.fd), { path: this.path, doing: "sync" });
  }
}

/** Runs an operation, again each time a page had to be fetched for it. */
export async function withPages<T>(file: PageFile, operation: () => T): Promise<T> {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      await file.load(error.page);
    }
  }
}

/**
 * Runs a computation in slices to its end, with a turn of the event loop between them, and
 * begins it again each time a page had to be fetched for it.
 */
export async function runWithPages<T>(file: PageFile, begin: () => Generator<void, T>): Promise<T> {
  let steps = begin();
  for (;;) {
    try {
      const { done, value } = steps.next();
      if (done) return value;
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      await file.load(error.page);
      steps = begin();
    }
  }
}

/** Commits what is pending, and resolves when it is durable. Returns whether anything was. */
export async function commitTo(file: PageFile, db: Db): Promise<boolean> {
  const written = await runWithPages(file, function* () {
    const commit = yield* db.commit();
    // At once: from here on the pages are to be had from the file's memory only.
    return commit === undefined ? undefined : { commit, durable: file.write(commit) };
  });
  if (written === undefined) return false;
  await written.durable;
  db.committed(written.commit.txid);
  await file.shrink(db.readInPages);
  return true;
}
