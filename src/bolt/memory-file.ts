import { copyBytes } from "../base/index.ts";
import { type Commit, Db } from "./db.ts";
import { type PageSource } from "./pager.ts";

/** A file of pages in memory, for computations and tests that need no disk. */
export class MemoryFile implements PageSource {
  readonly #pageSize: number;
  /** First page of a run to its bytes. */
  readonly #pages = new Map<number, Uint8Array>();
  #sizeInPages = 0;

  constructor(pageSize = 4096) {
    this.#pageSize = pageSize;
  }

  read(id: number): Uint8Array | undefined {
    return this.#pages.get(id);
  }

  /** Carries a commit out. Tell the Db by `committed`. */
  write(commit: Commit): void {
    for (const { page, bytes } of commit.pages) {
      for (let i = 1; i < bytes.length / this.#pageSize; i++) this.#pages.delete(page + i);
      this.#pages.set(page, copyBytes(bytes));
    }
    // The first commit writes both metas in one piece.
    for (let at = 0; at < commit.meta.bytes.length; at += this.#pageSize) {
      const bytes = copyBytes(commit.meta.bytes.subarray(at, at + this.#pageSize));
      this.#pages.set(commit.meta.page + at / this.#pageSize, bytes);
    }
    this.#sizeInPages = commit.sizeInPages;
  }

  /** What is in the file now: a new database, or that of the last commit. */
  open(source: PageSource = this): Db {
    const [meta0, meta1] = [this.#pages.get(0), this.#pages.get(1)];
    if (meta0 === undefined || meta1 === undefined) {
      return Db.create({ pageSize: this.#pageSize, source });
    }
    const fileSizeBytes = this.#sizeInPages * this.#pageSize;
    return Db.open({ source, meta0, meta1, fileSizeBytes });
  }
}
