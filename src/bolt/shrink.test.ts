import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { type Commit, type Db, MemoryFile, type PageSource } from "./index.ts";
import { FlakySource, finish, patiently } from "./testing.ts";

const PAGES_MAX = 64;

function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(number);
  return key;
}

/** A file with a map beside it that holds the same. */
class Store {
  readonly file = new MemoryFile();
  readonly source: PageSource;
  readonly db: Db;
  readonly content = new Map<number, number>();
  readonly #random = new Prng(11);

  constructor(options: { misses?: boolean } = {}) {
    this.source = options.misses ? new FlakySource(this.file, 40) : this.file;
    this.db = this.file.open(this.source);
  }

  put(number: number, bytes: number): void {
    const bucket = this.db.bucket("key", { fillPercent: 0.9 });
    patiently(this.source, () => bucket.put(keyOf(number), Buffer.alloc(bytes, number)));
    this.content.set(number, bytes);
  }

  deleteAll(isDoomed: (number: number) => boolean): void {
    for (const number of [...this.content.keys()].filter(isDoomed)) {
      patiently(this.source, () => this.db.bucket("key").delete(keyOf(number)));
      this.content.delete(number);
    }
  }

  /** Nine in ten, here and there. */
  deleteMost(): void {
    this.deleteAll(() => !this.#random.oneIn(10));
  }

  commit(): Commit | undefined {
    const commit = finish(this.source, () => this.db.commit());
    if (commit === undefined) return undefined;
    this.file.write(commit);
    this.db.committed(commit.txid);
    return commit;
  }

  /** Commits as long as there is something to gain. Returns the pages that each commit wrote. */
  shrink(between: () => void = () => {}): number[] {
    const written: number[] = [];
    while (this.db.canShrink) {
      assert.ok(written.length < 2000, "it comes to an end");
      finish(this.source, () => this.db.shrink(PAGES_MAX));
      const pages = this.commit()?.pages ?? [];
      written.push(pages.reduce((sum, { bytes }) => sum + bytes.length / 4096, 0));
      between();
    }
    return written;
  }

  get usedPages(): number {
    return this.db.sizeInPages - this.db.freePages;
  }

  verify(): void {
    const reopened = this.file.open();
    const cursor = reopened.bucket("key").cursor();
    const numbers = [...this.content.keys()].toSorted((a, b) => a - b);
    let found = cursor.first();
    for (const number of numbers) {
      assert.ok(found && Buffer.from(cursor.key).equals(keyOf(number)), `key ${number}`);
      const value = Buffer.alloc(this.content.get(number)!, number);
      assert.ok(Buffer.from(cursor.value).equals(value), `value of ${number}`);
      found = cursor.next();
    }
    assert.equal(found, false);
    const check = this.db.check();
    finish(this.source, () => check.run());
    assert.deepEqual(check.problems, []);
  }
}

function filled(keys: number, bytes: number, options: { misses?: boolean } = {}): Store {
  const store = new Store(options);
  for (let number = 0; number < keys; number++) {
    store.put(number, bytes);
    if (number % 1000 === 999) store.commit();
  }
  store.commit();
  return store;
}

for (const misses of [false, true]) {
  const where = misses ? ", also when pages must be fetched first" : "";
  test(`a file of which most is deleted becomes small by commits that move little${where}`, () => {
    const store = filled(10_000, 500, { misses });
    const before = store.db.sizeInPages;
    store.deleteMost();
    store.commit();
    const written = store.shrink();
    assert.ok(store.db.sizeInPages < before / 5, `${store.db.sizeInPages} of ${before} pages`);
    // An eighth may stay free.
    assert.ok(store.usedPages >= 0.85 * store.db.sizeInPages);
    assert.ok(Math.max(...written) <= PAGES_MAX + 40, `${Math.max(...written)} pages in a commit`);
    store.verify();
  });
}

test("what is deleted at the end of the file is dropped without moving anything", () => {
  const store = filled(10_000, 500);
  store.deleteAll((number) => number > 2000);
  store.commit();
  const written = store.shrink();
  assert.ok(store.db.sizeInPages < 2.3 * store.usedPages);
  assert.ok(written.reduce((sum, pages) => sum + pages, 0) < 2 * store.usedPages);
  store.verify();
});

test("a small file, and one with little to give back, are left alone", () => {
  const small = filled(500, 500);
  small.deleteMost();
  small.commit();
  assert.equal(small.db.canShrink, false);
  const full = filled(10_000, 500);
  full.deleteAll((number) => number < 800);
  full.commit();
  assert.equal(full.db.canShrink, false);
});

test("defragmenting leaves no more than a few free pages, however little there is to gain", () => {
  for (const keys of [500, 5000]) {
    const store = filled(keys, 500);
    store.deleteAll((number) => number % 10 < 3);
    store.commit();
    store.db.defragment();
    store.shrink();
    assert.equal(store.db.isDefragmenting, false);
    assert.ok(store.db.freePages < 40, `${store.db.freePages} free`);
    store.verify();
  }
});

test("large values move as a whole, and where none can move the work ends", () => {
  const store = new Store();
  for (let number = 0; number < 300; number++) {
    store.put(number, 30_000 + (number % 7) * 4096);
    if (number % 10 === 0) store.commit();
  }
  store.commit();
  const before = store.db.sizeInPages;
  store.deleteAll((number) => number % 2 === 0);
  store.commit();
  store.shrink();
  store.db.defragment();
  store.shrink();
  assert.ok(store.db.sizeInPages < 0.75 * before, `${store.db.sizeInPages} of ${before}`);
  store.verify();
});

test("the file shrinks under writes too, and then is not moved about for ever", () => {
  const store = filled(10_000, 500);
  const before = store.db.sizeInPages;
  store.deleteMost();
  store.commit();
  const random = new Prng(5);
  const written = store.shrink(() => {
    for (let i = 0; i < 20; i++) store.put(random.below(10_000), random.below(900));
  });
  assert.ok(written.length < 300, `${written.length} commits`);
  store.commit();
  assert.ok(store.db.sizeInPages < before / 2);
  store.verify();
});

test("a pinned commit keeps its pages, and its place in the file, until it is released", () => {
  const store = filled(10_000, 500);
  store.deleteMost();
  store.commit();
  const pin = store.db.pin();
  const image = new Map<number, string>();
  for (let page = 2; page < pin.sizeInPages; page++) {
    const bytes = store.file.read(page);
    if (bytes !== undefined) image.set(page, Buffer.from(bytes).toString("latin1"));
  }
  const used = pin.sizeInPages - store.db.freePages;
  store.shrink();
  assert.ok(store.db.readInPages >= pin.sizeInPages);
  let kept = 0;
  for (const [page, bytes] of image) {
    const now = store.file.read(page);
    if (now !== undefined && Buffer.from(now).toString("latin1") === bytes) kept++;
  }
  assert.ok(kept >= used - 2, `${kept} of ${used} are as they were`);
  pin.release();
  store.shrink();
  assert.ok(store.db.readInPages < pin.sizeInPages / 4);
  store.verify();
});
