import { assert } from "../base/index.ts";
import { Db } from "./db.ts";
import { type BoltError, PageMiss } from "./errors.ts";
import { bitOf } from "./freelist.ts";
import { MemoryFile } from "./memory-file.ts";
import { readMeta } from "./meta.ts";
import { pageOverflow } from "./page.ts";
import { Pager, type PageSource } from "./pager.ts";
import { Walk } from "./walk.ts";

/** For tests: few pages at a time are in memory, and every other must be fetched first. */
export class FlakySource implements PageSource {
  readonly #whole: PageSource;
  readonly #inMemory: number[] = [];
  readonly #pagesMax: number;

  constructor(whole: PageSource, pagesMax = 12) {
    this.#whole = whole;
    this.#pagesMax = pagesMax;
  }

  read(id: number): Uint8Array | undefined {
    return this.#inMemory.includes(id) ? this.#whole.read(id) : undefined;
  }

  load(id: number): void {
    this.#inMemory.push(id);
    if (this.#inMemory.length > this.#pagesMax) this.#inMemory.shift();
  }
}

/** Runs an operation, and again after each miss. */
export function patiently<T>(source: PageSource, operation: () => T): T {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      if (!(error instanceof PageMiss) || !(source instanceof FlakySource)) throw error;
      source.load(error.page);
    }
  }
}

/** Runs a computation to its end, from the beginning after each miss. */
export function finish<T>(
  source: PageSource,
  begin: () => Generator<void, T>,
  between: () => void = () => {},
): T {
  return patiently(source, () => {
    const steps = begin();
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      between();
    }
  });
}

/** A file as one piece of bytes, to be damaged at will. */
export class ImageSource implements PageSource {
  readonly image: Uint8Array;
  readonly #pageSize: number;

  constructor(image: Uint8Array, pageSize: number) {
    this.image = image;
    this.#pageSize = pageSize;
  }

  read(id: number): Uint8Array {
    const length = (1 + pageOverflow(this.page(id))) * this.#pageSize;
    return this.image.subarray(id * this.#pageSize, id * this.#pageSize + length);
  }

  /** A page without its overflow. */
  page(id: number): Uint8Array {
    return this.image.subarray(id * this.#pageSize, (id + 1) * this.#pageSize);
  }

  open(): Db {
    const [meta0, meta1] = [this.page(0), this.page(1)];
    return Db.open({ source: this, meta0, meta1, fileSizeBytes: this.image.length });
  }
}

/** The image of a file with what `fill` puts into it, in as many commits as it yields. */
export function imageOf(pageSize: number, fill: (db: Db) => Iterable<void>): ImageSource {
  const file = new MemoryFile(pageSize);
  const db = file.open();
  for (const _ of fill(db)) {
    const commit = finish(file, () => db.commit());
    if (commit === undefined) continue;
    file.write(commit);
    db.committed(commit.txid);
  }
  const image = new Uint8Array(db.sizeInPages * pageSize);
  for (let page = 0; page < db.sizeInPages; page++) {
    const bytes = file.read(page);
    if (bytes !== undefined) image.set(bytes, page * pageSize);
  }
  return new ImageSource(image, pageSize);
}

/** Which pages the commit of a meta refers to. */
export function pagesInUse(source: PageSource, metaPage: Uint8Array): (page: number) => boolean {
  const meta = readMeta(metaPage);
  assert(typeof meta !== "string", "the meta is valid");
  const { pageSize, sizeInPages, root } = meta;
  const pager = new Pager({ source, pageSize, limit: sizeInPages });
  const walk = new Walk(pager, { root, checksKeys: false, report: fail });
  finish(source, () => walk.run());
  return (page) => page < sizeInPages && bitOf(walk.used, page);
}

function fail(problem: BoltError): never {
  throw problem;
}
