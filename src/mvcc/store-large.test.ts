import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText, Prng, textToBytes } from "../base/index.ts";
import { decodeKeyValue } from "./key-value.ts";
import type { RangeRequest, RangeResult } from "./range.ts";
import type { Store } from "./store.ts";
import { TestFile } from "./testing.ts";

// Work of more than one slice, with writes and compactions in between.

const KEYS = 20_000;
const ALL = { key: textToBytes("\0"), rangeEnd: textToBytes("\0") };

function keyName(i: number): Uint8Array {
  return textToBytes(`/registry/pods/${String(i).padStart(6, "0")}`);
}

function put(store: Store, key: Uint8Array, value: string): void {
  const txn = store.begin();
  txn.put(key, textToBytes(value), 0n);
  txn.end();
}

/** Keys 0 to 19,999, each put once, key i at revision i + 2. */
function fill(): { file: TestFile; store: Store } {
  const file = new TestFile({ prng: new Prng(1), missEvery: 0 });
  const store = file.openStore();
  for (let i = 0; i < KEYS; i++) put(store, keyName(i), `value ${(i * 7919) % KEYS}`);
  return { file, store };
}

/** Changes, creates and deletes keys all over the range. */
function disturb(store: Store, round: number): void {
  const i = (round * 977) % KEYS;
  put(store, keyName(i), "changed");
  put(store, textToBytes(`${bytesToText(keyName(i))}/new`), "new");
  const txn = store.begin();
  const deleting = txn.deleteRange(keyName((i + 500) % KEYS), new Uint8Array(0));
  while (!deleting.next().done);
  txn.end();
}

function keysOf(result: RangeResult | string): string[] {
  assert.ok(typeof result !== "string");
  return Array.from(result.kvs, (pair) => bytesToText(decodeKeyValue(pair).key));
}

/** Runs with a change and now and then a compaction between all slices; returns the slices. */
function runDisturbed<T>(file: TestFile, store: Store, slices: Generator<unknown, T>) {
  let yields = 0;
  let compaction: Generator<unknown, unknown> | undefined;
  const outcome = file.run(slices, () => {
    disturb(store, yields++);
    if (yields % 5 === 0 && store.compactionsPending === 0) {
      assert.equal(store.compact(store.currentRevision), undefined);
      compaction = store.runCompaction();
    }
    if (compaction?.next().done) compaction = undefined;
  });
  if (compaction !== undefined) file.run(compaction);
  return { outcome, yields };
}

const ORDERS: [name: string, request: Partial<RangeRequest>][] = [
  ["ascending", {}],
  ["descending", { sortOrder: 2 }],
  ["keys only", { keysOnly: true }],
  ["by mod revision, descending", { sortTarget: 3, sortOrder: 2 }],
  ["by value", { sortTarget: 4, sortOrder: 1 }],
];

for (const [name, options] of ORDERS) {
  test(`a range of all keys ${name} shows one revision, whatever happens between its slices`, () => {
    const { file, store } = fill();
    const request = { ...ALL, ...options };
    const expected = file.run(store.range(request));
    assert.ok(typeof expected !== "string");
    const { outcome, yields } = runDisturbed(file, store, store.range(request));
    assert.ok(yields > 3, `${yields} slices`);
    assert.ok(typeof outcome !== "string");
    assert.deepEqual(outcome.kvs.chunks, expected.kvs.chunks);
    assert.deepEqual([outcome.count, outcome.revision], [KEYS, expected.revision]);
  });
}

test("a page at a past revision is counted by the log of changes, or by a walk beyond it", () => {
  const { file, store } = fill();
  const revision = store.currentRevision;
  const page = { ...ALL, key: keyName(5000), limit: 10, revision };
  const count = () => {
    const result = file.run(store.range(page));
    assert.deepEqual(keysOf(result)[9], bytesToText(keyName(5009)));
    return (result as RangeResult).count;
  };
  assert.equal(count(), KEYS - 5000);
  for (let round = 0; round < 300; round++) disturb(store, round);
  assert.equal(count(), KEYS - 5000);
  // More changes than the log remembers: 2^17.
  const key = textToBytes("/registry/pods/9");
  for (let i = 0; i < 70_000; i++) {
    const txn = store.begin();
    txn.put(key, key, 0n);
    file.run(txn.deleteRange(key, new Uint8Array(0)));
    txn.end();
  }
  assert.equal(count(), KEYS - 5000);
});

test("a delete of all keys runs in slices, and nobody sees a part of it", () => {
  const { file, store } = fill();
  const txn = store.begin();
  let yields = 0;
  const deleted = file.run(txn.deleteRange(ALL.key, ALL.rangeEnd), () => {
    yields++;
    const result = file.run(store.range({ ...ALL, limit: 3 }));
    assert.ok(typeof result !== "string");
    assert.deepEqual([result.kvs.length, result.more, result.count], [3, true, KEYS]);
  });
  assert.ok(yields > 3);
  assert.equal(deleted, KEYS);
  const { revision, changes } = txn.end();
  assert.deepEqual([revision, changes.length], [KEYS + 2, KEYS]);
  assert.equal(bytesToText(changes.key(KEYS - 1)), bytesToText(keyName(KEYS - 1)));
  assert.equal(store.keyCount, 0);
  assert.deepEqual(keysOf(file.run(store.range(ALL))), []);
});

test("a hash is not disturbed by writes and compactions between its slices", () => {
  const { file, store } = fill();
  const expected = file.run(store.hashKv(0));
  const { outcome, yields } = runDisturbed(file, store, store.hashKv(0));
  assert.ok(yields > 3);
  assert.deepEqual(outcome, expected);
});

test("compaction goes in batches of 1000 records, between which the file is committed", () => {
  const { file, store } = fill();
  for (let i = 0; i < 5000; i++) put(store, keyName(i), "again");
  file.commit();
  store.compact(store.currentRevision);
  let batches = 0;
  const { deleted } = file.run(store.runCompaction(), (yielded) => {
    if (yielded !== "batch") return;
    batches++;
    file.commit();
  });
  assert.deepEqual([deleted, batches], [5000, 25]);
  file.commit();
  file.reopen();
  const restored = file.openStore();
  assert.equal(restored.keyCount, KEYS);
  assert.deepEqual(file.run(restored.hashKv(0)), file.run(store.hashKv(0)));
});
