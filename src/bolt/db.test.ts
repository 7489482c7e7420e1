import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  assert as insist,
  bytesToHex,
  bytesToText,
  compareBytes,
  copyBytes,
  hexToBytes,
  textToBytes,
} from "../base/index.ts";
import { type Commit, Db, MemoryFile, type PageSource, readMeta } from "./index.ts";
import { FlakySource, finish, pagesInUse, patiently } from "./testing.ts";

const PAGE_BYTES = 1024;
const BUCKETS = ["key", "lease", "meta"] as const;

/** A key per number: ascending, and every so often a long one. */
function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(number % 41 === 0 ? 600 : 4, 7);
  key.writeUInt32BE(number);
  return key;
}

function valueOf(number: number, bytes: number): Uint8Array {
  return Buffer.alloc(bytes, number);
}

const bucket = fc.constantFrom(...BUCKETS);
const range = { bucket, from: fc.nat(900), count: fc.integer({ min: 1, max: 250 }) };
const step = fc.integer({ min: 1, max: 5 });
const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.nat(90) },
  { weight: 1, arbitrary: fc.nat(3000) },
);
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("put" as const), ...range, step, bytes }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), ...range, step }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("commit" as const), slice: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pin" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("shrink" as const), pages: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("defragment" as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** A Db beside plain maps that must hold the same. */
class Pair {
  readonly #file = new MemoryFile(PAGE_BYTES);
  readonly #source: PageSource;
  #db: Db;
  /** What was put, and what of it a reopened file must hold. */
  #content = new Map(BUCKETS.map((name) => [name, new Map<string, string>()]));
  #committed = this.#copyOfContent();
  #pin: { uses: (page: number) => boolean; sizeInPages: number; release: () => void } | undefined;

  constructor({ misses }: { misses: boolean }) {
    this.#source = misses ? new FlakySource(this.#file) : this.#file;
    this.#db = this.#file.open(this.#source);
  }

  run(action: Action): void {
    if (action.kind === "put" || action.kind === "delete") this.#change(action);
    else if (action.kind === "commit") this.#commit(action.slice === 0 ? 1 : undefined);
    else if (action.kind === "reopen") this.#reopen();
    else if (action.kind === "shrink") this.#shrink(action.pages);
    else if (action.kind === "defragment") this.#defragment();
    else this.#turnPin();
  }

  #shrink(pages: number): void {
    if (this.#file.read(0) === undefined) return;
    finish(this.#source, () => this.#db.shrink(pages));
    this.verify();
  }

  /** Afterwards as many pages are free as before, but for those it had to leave where they are. */
  #defragment(): void {
    if (this.#file.read(0) === undefined) return;
    this.#commit(undefined);
    const before = this.#db.sizeInPages;
    this.#db.defragment();
    for (let commits = 0; this.#db.isDefragmenting; commits++) {
      assert.ok(commits < 200, "it comes to an end");
      this.#shrink(50);
      this.#commit(undefined);
    }
    assert.ok(this.#db.sizeInPages <= before);
  }

  #change(action: Extract<Action, { count: number }>): void {
    const bucket = patiently(this.#source, () => this.#db.bucket(action.bucket));
    const content = this.#content.get(action.bucket)!;
    for (let i = 0; i < action.count; i++) {
      const number = action.from + i * action.step;
      const key = keyOf(number);
      if (action.kind === "delete") {
        const deleted = patiently(this.#source, () => bucket.delete(key));
        assert.equal(deleted, content.delete(bytesToHex(key)));
        continue;
      }
      const value = valueOf(number, i % 50 === 0 ? action.bytes * 5 : action.bytes);
      content.set(bytesToHex(key), bytesToHex(value));
      patiently(this.#source, () => bucket.put(key, value));
    }
  }

  /** Checks all content between the slices, and what was written after them. */
  #commit(sliceNanoseconds: number | undefined): void {
    this.verify();
    let slices = 0;
    const commit = finish(
      this.#source,
      () => this.#db.commit(sliceNanoseconds),
      () => {
        if (slices++ % 20 === 0) this.verify();
      },
    );
    if (commit === undefined) return;
    this.#checkPages(commit);
    this.#file.write(commit);
    assert.ok(this.#db.readInPages >= (this.#pin?.sizeInPages ?? 0));
    this.verify();
    this.#db.committed(commit.txid);
    this.#committed = this.#copyOfContent();
    const check = this.#db.check();
    finish(this.#source, () => check.run());
    assert.deepEqual(check.problems, []);
  }

  #checkPages(commit: Commit): void {
    let end = 2;
    for (const { page, bytes } of commit.pages) {
      assert.ok(page >= end, "pages ascend and do not overlap");
      end = page + bytes.length / PAGE_BYTES;
      for (let at = page; at < end; at++) assert.ok(!this.#pin?.uses(at), "not a pinned page");
    }
    assert.ok(end <= commit.sizeInPages);
  }

  #reopen(): void {
    this.#pin = undefined;
    this.#db = this.#file.open(this.#source);
    finish(this.#source, () => this.#db.recoverFreePages());
    this.#content = this.#committed;
    this.#committed = this.#copyOfContent();
    this.verify();
  }

  /** Pins the commit, or releases it; its pages must not be written meanwhile. */
  #turnPin(): void {
    if (this.#pin !== undefined) {
      this.#pin.release();
      this.#pin = undefined;
      return;
    }
    if (this.#file.read(0) === undefined) return;
    const { meta, sizeInPages, release } = this.#db.pin();
    this.#pin = { uses: pagesInUse(this.#file, meta), sizeInPages, release };
  }

  verify(): void {
    for (const name of BUCKETS) {
      const content = this.#content.get(name)!;
      if (content.size === 0) continue;
      const bucket = patiently(this.#source, () => this.#db.bucket(name));
      const cursor = bucket.cursor();
      const keys = [...content.keys()].toSorted();
      let at = 0;
      let found = patiently(this.#source, () => cursor.first());
      for (; found; found = patiently(this.#source, () => cursor.next())) {
        assert.equal(bytesToHex(cursor.key), keys[at]);
        assert.equal(bytesToHex(cursor.value), content.get(keys[at]!));
        at++;
      }
      assert.equal(at, keys.length);
      this.#verifySearch(name, keys);
    }
  }

  #verifySearch(name: (typeof BUCKETS)[number], keys: string[]): void {
    const bucket = this.#db.bucket(name);
    const cursor = bucket.cursor();
    const key = keys[keys.length >>> 1]!;
    const value = patiently(this.#source, () => bucket.get(hexToBytes(key)));
    insist(value !== undefined, "a key in the middle is found");
    assert.equal(bytesToHex(value), this.#content.get(name)!.get(key));
    const sought = patiently(this.#source, () => cursor.seek(hexToBytes(`${key}00`)));
    assert.equal(sought ? bytesToHex(cursor.key) : undefined, keys[(keys.length >>> 1) + 1]);
    assert.ok(patiently(this.#source, () => cursor.seek(hexToBytes(key))));
    const back = patiently(this.#source, () => cursor.previous());
    assert.equal(back ? bytesToHex(cursor.key) : undefined, keys[(keys.length >>> 1) - 1]);
    assert.ok(patiently(this.#source, () => cursor.last()));
    assert.equal(bytesToHex(cursor.key), keys.at(-1));
  }

  #copyOfContent() {
    return new Map([...this.#content].map(([name, content]) => [name, new Map(content)]));
  }
}

for (const misses of [false, true]) {
  const where = misses ? "while most pages must be fetched first" : "with all pages at hand";
  test(`a file holds what plain maps hold, through commits and reopenings, ${where}`, () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 14 }), (actions) => {
        const pair = new Pair({ misses });
        for (const action of actions) pair.run(action);
        pair.run({ kind: "commit", slice: 0 });
        pair.run({ kind: "reopen" });
      }),
      { numRuns: 60 },
    );
  });
}

function committed(file: MemoryFile, db: Db): Commit | undefined {
  const commit = finish(file, () => db.commit());
  if (commit === undefined) return undefined;
  file.write(commit);
  db.committed(commit.txid);
  return commit;
}

test("a new file's first commit is written even when empty, and gives two valid metas", () => {
  const file = new MemoryFile();
  const db = file.open();
  const commit = committed(file, db);
  assert.deepEqual([commit?.txid, commit?.sizeInPages], [2, 3]);
  const [meta0, meta1] = [readMeta(file.read(0)!), readMeta(file.read(1)!)];
  assert.deepEqual(meta0, { ...(meta1 as object), txid: 2 });
  assert.deepEqual(file.open().bucketNames(), []);
});

test("a commit without changes is none", () => {
  const file = new MemoryFile();
  const db = file.open();
  committed(file, db);
  assert.equal(committed(file, db), undefined);
  assert.equal(db.bucket("key").delete(keyOf(1)), false);
  assert.equal(committed(file, db)?.txid, 3, "the bucket is new");
  db.bucket("key");
  assert.equal(committed(file, db), undefined);
});

test("puts and deletes count as pending until the commit", () => {
  const file = new MemoryFile();
  const db = file.open();
  const bucket = db.bucket("key");
  bucket.put(keyOf(1), valueOf(1, 1));
  bucket.put(keyOf(1), valueOf(2, 1));
  bucket.delete(keyOf(1));
  bucket.delete(keyOf(1));
  assert.equal(db.pendingOperations, 4, "with the new bucket, without the delete that did nothing");
  committed(file, db);
  assert.equal(db.pendingOperations, 0);
});

test("the meta of the older transaction counts when the newer is torn", () => {
  const file = new MemoryFile();
  const db = file.open();
  for (const number of [1, 2, 3]) {
    db.bucket("key").put(keyOf(number), valueOf(number, 1));
    committed(file, db);
  }
  const torn = file.read(0)!;
  torn.fill(0, 40);
  const older = file.open();
  assert.equal(older.bucket("key").get(keyOf(3)), undefined);
  assert.ok(older.bucket("key").get(keyOf(2)));
  file.read(1)!.fill(0, 40);
  assert.throws(() => file.open(), /no valid meta page: page 0: .*; page 1: /);
});

test("keys in ascending order fill pages to the bucket's fill percent", () => {
  const file = new MemoryFile();
  const db = file.open();
  const [dense, half] = [db.bucket("key", { fillPercent: 0.9 }), db.bucket("lease")];
  for (let number = 1; number < 5000; number++) dense.put(keyOf(number), valueOf(number, 100));
  committed(file, db);
  const densePages = db.sizeInPages;
  for (let number = 1; number < 5000; number++) half.put(keyOf(number), valueOf(number, 100));
  committed(file, db);
  const ratio = (db.sizeInPages - densePages - db.freePages) / densePages;
  assert.ok(ratio > 1.6 && ratio < 2.2, `0.5 needs about twice the pages of 0.9, got ${ratio}`);
});

test("deleting all keys leaves an inline bucket and free pages", () => {
  const file = new MemoryFile();
  const db = file.open();
  const bucket = db.bucket("key");
  for (let number = 0; number < 3000; number++) bucket.put(keyOf(number), valueOf(number, 100));
  committed(file, db);
  for (let number = 0; number < 3000; number++) assert.ok(bucket.delete(keyOf(number)));
  assert.equal(bucket.cursor().first(), false);
  committed(file, db);
  assert.equal(db.sizeInPages - db.freePages, 3, "two metas and the tree of buckets");
  assert.equal(file.open().bucket("key").cursor().first(), false);
});

test("reserve gives the place of the value itself", () => {
  const db = new MemoryFile().open();
  const bucket = db.bucket("key");
  bucket.reserve(keyOf(1), 3).set([1, 2, 3]);
  assert.deepEqual([...bucket.get(keyOf(1))!], [1, 2, 3]);
});

test("keys and values of the greatest size are stored", () => {
  const file = new MemoryFile();
  const db = file.open();
  const key = new Uint8Array(32768).fill(3);
  const value = new Uint8Array(5_000_000).fill(4);
  db.bucket("key").put(key, value);
  db.bucket("key").put(keyOf(1), value);
  committed(file, db);
  const read = file.open().bucket("key").get(key);
  assert.ok(read !== undefined && Buffer.from(read).equals(value));
  assert.throws(() => db.bucket("key").put(new Uint8Array(32769), value), /1 to 32768 bytes/);
  assert.throws(() => db.bucket("key").put(new Uint8Array(0), value), /1 to 32768 bytes/);
});

test("a cursor from before a change is noticed, not followed", () => {
  const db = new MemoryFile().open();
  const bucket = db.bucket("key");
  bucket.put(keyOf(1), valueOf(1, 1));
  const cursor = bucket.cursor();
  assert.ok(cursor.first());
  bucket.put(keyOf(2), valueOf(2, 1));
  assert.throws(() => cursor.next(), /placed again/);
  assert.ok(cursor.seek(keyOf(2)));
  assert.deepEqual(Buffer.from(cursor.key), keyOf(2));
});

test("writing while a commit is being made is a bug that is noticed", () => {
  const db = new MemoryFile().open();
  const bucket = db.bucket("key");
  for (let number = 0; number < 500; number++) bucket.put(keyOf(number), valueOf(number, 50));
  const steps = db.commit(1);
  assert.equal(steps.next().done, false);
  assert.throws(() => bucket.put(keyOf(1), valueOf(1, 1)), /during a commit/);
  assert.throws(() => bucket.delete(keyOf(1)), /during a commit/);
  assert.throws(() => db.commit().next(), /one commit at a time/);
});

test("bucket names ascend, and a new handle's file answers the same", () => {
  const file = new MemoryFile();
  const db = file.open();
  for (const name of ["meta", "auth", "key"]) db.bucket(name);
  assert.deepEqual(db.bucketNames(), ["auth", "key", "meta"]);
  committed(file, db);
  assert.deepEqual(file.open().bucketNames(), ["auth", "key", "meta"]);
});

test("a file shorter than its meta says is refused", () => {
  const file = new MemoryFile();
  const db = file.open();
  committed(file, db);
  const metas = { meta0: file.read(0)!, meta1: file.read(1)! };
  assert.throws(
    () => Db.open({ source: file, ...metas, fileSizeBytes: 8192 }),
    /cut short: it has 8192 bytes of 12288/,
  );
});

test("a bucket is stored inline up to a quarter of a page", () => {
  for (const [bytes, pages] of [
    [256, 1],
    [257, 2],
  ] as const) {
    const db = new MemoryFile(1024).open();
    db.bucket("key").put(keyOf(1), new Uint8Array(bytes - 16 - 16 - 4));
    const commit = finish(new MemoryFile(), () => db.commit());
    assert.equal(commit?.pages.length, pages, `${bytes} bytes, the tree of buckets beside it`);
  }
});

test("a leaf that is cut in its middle takes later keys at its end", () => {
  const db = new MemoryFile().open();
  const bucket = db.bucket("key");
  for (let number = 0; number < 1024; number++) bucket.put(keyOf(2 * number), keyOf(1));
  bucket.put(keyOf(501), keyOf(1));
  for (let number = 2048; number < 2060; number++) bucket.put(keyOf(number), keyOf(1));
  const cursor = bucket.cursor();
  let before = new Uint8Array(0);
  for (let found = cursor.first(); found; found = cursor.next()) {
    assert.ok(compareBytes(before, cursor.key) < 0);
    before = copyBytes(cursor.key) as Uint8Array<ArrayBuffer>;
  }
});

test("readers see all content between the slices that drop whole branches", () => {
  const file = new MemoryFile(1024);
  const db = file.open();
  const bucket = db.bucket("key");
  for (let number = 1; number < 4000; number++) bucket.put(keyOf(number), valueOf(number, 60));
  committed(file, db);
  for (let number = 1500; number < 3999; number++) bucket.delete(keyOf(number));
  const count = () => {
    const cursor = bucket.cursor();
    let entries = 0;
    for (let found = cursor.last(); found; found = cursor.previous()) entries++;
    assert.equal(bucket.get(keyOf(2000)), undefined);
    return entries;
  };
  let slices = 0;
  finish(
    file,
    () => db.commit(1),
    () => {
      if (slices++ < 500) assert.equal(count(), 1500);
    },
  );
  assert.ok(slices > 100);
});

test("free pages are found by the first pages of runs alone", () => {
  const file = new MemoryFile(1024);
  const db = file.open();
  for (const name of ["a".repeat(3000), "b", "c".repeat(3000)]) {
    for (let number = 1; number < 300; number++) {
      db.bucket(name).put(keyOf(number), valueOf(number, number % 20 === 0 ? 5000 : 60));
    }
  }
  committed(file, db);
  db.bucket("b").delete(keyOf(20));
  committed(file, db);
  const source: PageSource = {
    read: (id) => file.read(id),
    readFirst: (id) => file.read(id)?.subarray(0, 1024),
  };
  const reopened = file.open(source);
  finish(source, () => reopened.recoverFreePages());
  assert.equal(reopened.freePages, db.freePages);
});

test("a database that became another has its file; handles of before have the old one", () => {
  const files = [new MemoryFile(), new MemoryFile()] as const;
  const [db, other] = [filled(files[0], "old"), filled(files[1], "new")];
  const handle = db.bucket("b");
  const pin = db.pin();
  db.become(other);
  assert.equal(db.pins, 0);
  pin.release();
  assert.equal(bytesToText(handle.get(textToBytes("key"))!), "old");
  assert.equal(bytesToText(db.bucket("b").get(textToBytes("key"))!), "new");
  db.bucket("b").put(textToBytes("key"), textToBytes("newer"));
  committed(files[1], db);
  assert.equal(bytesToText(files[0].open().bucket("b").get(textToBytes("key"))!), "old");
  assert.equal(bytesToText(files[1].open().bucket("b").get(textToBytes("key"))!), "newer");
});

function filled(file: MemoryFile, value: string): Db {
  const db = file.open();
  db.bucket("b").put(textToBytes("key"), textToBytes(value));
  committed(file, db);
  return db;
}
