import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../base/index.ts";
import { BoltError, type Db, type Meta, NO_FREELIST, readMeta, writeMeta } from "./index.ts";
import {
  BRANCH_PAGE,
  childPage,
  FREELIST_PAGE,
  isLeafPage,
  keyStart,
  pageCount,
  pageFlags,
  u32,
} from "./page.ts";
import { finish, ImageSource, imageOf, pagesInUse } from "./testing.ts";

const PAGE_BYTES = 1024;
const RUNS = 100;

function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(number, 4);
  return key;
}

/** Three levels in one bucket, an inline bucket, and free pages. */
function* fill(db: Db): Generator<void> {
  const [key, lease] = [db.bucket("key"), db.bucket("lease")];
  lease.put(keyOf(1), keyOf(2));
  for (let number = 0; number < 1500; number++) key.put(keyOf(number), new Uint8Array(60));
  yield;
  for (let number = 0; number < 400; number++) key.delete(keyOf(number));
  key.put(keyOf(2000), new Uint8Array(5000));
  yield;
}

const SOUND = imageOf(PAGE_BYTES, fill);

function copyOfSound(): ImageSource {
  return imageOf(PAGE_BYTES, fill);
}

function problemsOf(source: ImageSource): string[] {
  const check = source.open().check();
  finish(source, () => check.run());
  return check.problems;
}

/** The page that the tree of bucket "key" begins with. */
function rootOfKey(source: ImageSource): number {
  const meta = readMeta(source.page(1)) as Meta;
  const buckets = source.page(meta.root);
  return u32(buckets, 16 + u32(buckets, 20) + 3);
}

function view(page: Uint8Array): DataView {
  return new DataView(page.buffer, page.byteOffset, page.length);
}

/** The sound file with a stored free list of the pages that `change` makes of the free ones. */
function withFreelist(change: (free: number[]) => number[]): ImageSource {
  const sound = copyOfSound();
  const meta = readMeta(sound.page(1)) as Meta;
  const { sizeInPages } = meta;
  const isUsed = pagesInUse(sound, sound.page(1));
  const free = change([...Array(sizeInPages).keys()].filter((page) => !isUsed(page)));
  const list = new Uint8Array(PAGE_BYTES);
  view(list).setUint32(0, sizeInPages, true);
  view(list).setUint16(8, FREELIST_PAGE, true);
  view(list).setUint16(10, free.length, true);
  assert.ok(free.length < 120, "it fits a page");
  free.forEach((page, i) => view(list).setUint32(16 + i * 8, page, true));
  for (const id of [0, 1] as const) {
    writeMeta(sound.page(id), id, { ...meta, freelist: sizeInPages, sizeInPages: sizeInPages + 1 });
  }
  return new ImageSource(concatBytes([sound.image, list]), PAGE_BYTES);
}

test("a sound file has no problems, also when its free list is stored", () => {
  assert.deepEqual(problemsOf(SOUND), []);
  assert.deepEqual(problemsOf(withFreelist((free) => free)), []);
});

const LIST_FAULTS: [string, (free: number[]) => number[], RegExp][] = [
  ["a page missing in it", (free) => free.slice(1), /page \d+ is neither in use nor free/],
  ["a page twice in it", (free) => [...free, free[0]!], /page \d+ is freed twice/],
  ["a used page in it", (free) => [...free, rootOfKey(SOUND)], /is free and in use/],
  ["a page beyond the file in it", (free) => [...free, 5000], /free page 5000 does not exist/],
];

for (const [what, change, problem] of LIST_FAULTS) {
  test(`a stored free list with ${what} is a problem`, () => {
    assert.match(problemsOf(withFreelist(change)).join("\n"), problem);
  });
}

test("a stored free list is taken over, and goes with the first commit", () => {
  const source = withFreelist((free) => free);
  const db = source.open();
  finish(source, () => db.recoverFreePages());
  const free = db.freePages;
  db.bucket("lease").put(keyOf(9), keyOf(9));
  const commit = finish(source, () => db.commit());
  assert.equal((readMeta(commit!.meta.bytes) as Meta).freelist, NO_FREELIST);
  db.committed(commit!.txid);
  assert.equal(db.freePages, free + 1, "the list's page; the tree of buckets moved");
});

/** Damage to the branch at the top of bucket "key" (`root`) and its first child. */
const FAULTS: [string, (root: Uint8Array, child: Uint8Array) => void, RegExp][] = [
  ["a wrong page number", (root) => view(root).setUint32(0, 7, true), /says it is page 7/],
  ["unknown flags", (root) => view(root).setUint16(8, 3, true), /neither branch nor leaf/],
  ["too many elements", (root) => view(root).setUint16(10, 99, true), /99 elements do not fit/],
  ["no elements", (root) => view(root).setUint16(10, 0, true), /a branch without children/],
  ["a wrong overflow", (root) => view(root).setUint32(12, 1, true), /does not fit|beyond|twice/],
  ["a child twice", (root) => root.copyWithin(40, 24, 28), /page \d+ at .* is referred to twice/],
  ["a child outside", (root) => view(root).setUint32(24, 99999, true), /pages end at/],
  ["a key outside", (root) => view(root).setUint32(16, 5000, true), /element 0 .* beyond the page/],
  ["an empty key", (root) => view(root).setUint32(20, 0, true), /key 0 is empty/],
  ["keys in disorder", (root) => swapElements(root), /key 1 is not above the one before/],
  ["a key below its branch", (_, child) => firstKey(child).fill(0), /below its branch's/],
  ["a key above its branch", (_, child) => firstKey(child).fill(255), /not below the next one/],
];

function swapElements(page: Uint8Array): void {
  const first = page.slice(16, 32);
  page.copyWithin(16, 32, 48);
  page.set(first, 32);
  view(page).setUint32(16, u32(page, 16) + 16, true);
  view(page).setUint32(32, u32(page, 32) - 16, true);
}

function firstKey(page: Uint8Array): Uint8Array {
  const start = keyStart(page, 0);
  return page.subarray(start, start + 8);
}

for (const [what, damage, problem] of FAULTS) {
  test(`${what} is a problem, and named with its page`, () => {
    const source = copyOfSound();
    const root = source.page(rootOfKey(source));
    assert.equal(pageFlags(root), BRANCH_PAGE);
    damage(root, source.page(childPage(root, 0)));
    const problems = problemsOf(source).join("\n");
    assert.match(problems, problem);
    assert.match(problems, /page \d+/);
  });
}

test("a bucket within a bucket is refused, not overwritten", () => {
  const source = copyOfSound();
  let leaf = source.page(rootOfKey(source));
  while (!isLeafPage(leaf)) leaf = source.page(childPage(leaf, 0));
  view(leaf).setUint32(16, 1, true);
  const db = source.open();
  assert.throws(
    () => finish(source, () => db.recoverFreePages()),
    /a bucket within bucket "key": only one level is supported/,
  );
});

/** Uses a file in every way. What it finds may be nonsense; how it fails may not. */
function useAll(source: ImageSource, { walksFirst }: { walksFirst: boolean }): void {
  const db = source.open();
  const check = db.check();
  finish(source, () => check.run());
  if (walksFirst) finish(source, () => db.recoverFreePages());
  for (const name of db.bucketNames()) {
    const bucket = db.bucket(name);
    const cursor = bucket.cursor();
    for (let found = cursor.first(); found; found = cursor.next()) void cursor.value;
    for (let found = cursor.last(); found; found = cursor.previous()) void cursor.key;
    for (const number of [0, 700, 1499, 2000]) bucket.get(keyOf(number));
    for (let number = 0; number < 1500; number += 7) bucket.delete(keyOf(number));
    for (let number = 0; number < 1500; number += 99) bucket.put(keyOf(number), keyOf(number));
  }
  if (walksFirst) finish(source, () => db.commit());
}

const place = fc.record({ page: fc.nat(), offset: fc.nat(PAGE_BYTES - 1), byte: fc.nat(255) });
/** Most damage goes to headers and elements: elsewhere it only makes another key. */
const inFront = place.map((at) => ({ ...at, offset: at.offset % 80 }));
const damage = fc.array(fc.oneof(place, inFront), { minLength: 1, maxLength: 8 });

test("a file with changed bytes is used or refused, in words, and always in the end", () => {
  fc.assert(
    fc.property(damage, fc.boolean(), (places, walksFirst) => {
      const source = new ImageSource(SOUND.image.slice(), PAGE_BYTES);
      const pages = source.image.length / PAGE_BYTES - 2;
      for (const { page, offset, byte } of places) source.page(2 + (page % pages))[offset] = byte;
      useOrRefuse(source, { walksFirst });
    }),
    { numRuns: RUNS },
  );
});

test("a file with pages in each other's place is used or refused", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.boolean(), (from, to, keepsNumber) => {
      const source = new ImageSource(SOUND.image.slice(), PAGE_BYTES);
      const pages = source.image.length / PAGE_BYTES - 2;
      const target = source.page(2 + (to % pages));
      const number = target.slice(0, 8);
      target.set(source.page(2 + (from % pages)));
      if (keepsNumber) target.set(number);
      useOrRefuse(source, { walksFirst: !keepsNumber });
    }),
    { numRuns: RUNS },
  );
});

/** The walk for free pages finds much of the damage, so that without it more is met later. */
function useOrRefuse(source: ImageSource, options: { walksFirst: boolean }): void {
  try {
    useAll(source, options);
  } catch (error) {
    if (!(error instanceof BoltError)) throw error;
    assert.match(error.message, /page|bucket|cycle/);
  }
}

test("an error text names the page and where in the file it lies", () => {
  const source = copyOfSound();
  const page = rootOfKey(source);
  view(source.page(page)).setUint32(0, 7, true);
  const text = `page ${page} at offset ${page * PAGE_BYTES} says it is page 7`;
  assert.throws(() => source.open().bucket("key").get(keyOf(1)), new BoltError(text));
});

test("a search that meets a key outside its page fails in words", () => {
  const source = copyOfSound();
  const root = source.page(rootOfKey(source));
  const middle = 16 + 16 * (pageCount(root) >>> 1);
  view(root).setUint32(middle, 5000, true);
  const bucket = source.open().bucket("key");
  assert.throws(() => bucket.get(keyOf(1)), /page \d+ at .*: element \d+ of \d+ reaches beyond/);
});
