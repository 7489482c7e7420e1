import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytesToText,
  compareBytes,
  concatBytes,
  EMPTY_BYTES,
  Prng,
  textToBytes,
} from "../base/index.ts";
import { decodeKeyValue } from "./key-value.ts";
import { KeyValueList } from "./key-value-list.ts";
import type { RangeRequest, RangeResult } from "./range.ts";
import { ReplyMemory } from "./reply-memory.ts";
import type { Store } from "./store.ts";
import { TestFile } from "./testing.ts";

const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
const KEYS = 12_000;

/** Keys in no order, put by transactions of many, some of values larger than a page. */
function filled(file: TestFile, prng: Prng): Store {
  const store = file.openStore();
  for (let put = 0; put < KEYS; ) {
    const txn = store.begin();
    for (let i = prng.below(200); i >= 0 && put < KEYS; i--, put++) {
      const key = textToBytes(`k${(put * 7919) % KEYS}`);
      const value = new Uint8Array(prng.oneIn(500) ? 9000 : prng.below(100)).fill(put);
      file.call(() => txn.put(key, value, 0n));
    }
    txn.end();
    if (prng.oneIn(4)) file.commit();
  }
  return store;
}

function read(file: TestFile, store: Store, request: RangeRequest, between = () => {}) {
  const result = file.run(store.range(request), between);
  assert.ok(typeof result !== "string");
  return result;
}

/** The same pairs by many small reads. */
function byPages(file: TestFile, store: Store, revision: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let key: Uint8Array = ALL.key;
  for (;;) {
    const page = read(file, store, { ...ALL, key, revision, limit: 500 });
    parts.push(...page.kvs.chunks);
    if (!page.more) return concatBytes(parts);
    key = concatBytes([decodeKeyValue(page.kvs.last).key, Uint8Array.of(0)]);
  }
}

const bytesOf = ({ kvs }: RangeResult) => concatBytes(kvs.chunks);

test("very many pairs come in the order of keys though they are read in that of revisions", () => {
  for (const missEvery of [0, 50]) {
    const file = new TestFile({ prng: new Prng(3), missEvery });
    const store = filled(file, new Prng(4));
    const whole = read(file, store, ALL);
    assert.equal(whole.count, KEYS);
    assert.equal(whole.kvs.length, KEYS);
    assert.ok(Buffer.from(bytesOf(whole)).equals(byPages(file, store, 0)));
    const last = decodeKeyValue(whole.kvs.last).key;
    assert.equal(bytesToText(last), "k9999");
  }
});

test("a read of very many pairs sees one revision, whatever is put and committed meanwhile", () => {
  const file = new TestFile({ prng: new Prng(5), missEvery: 0 });
  const store = filled(file, new Prng(6));
  const before = byPages(file, store, 0);
  let turn = 0;
  const whole = read(file, store, ALL, () => {
    const txn = store.begin();
    txn.put(textToBytes(`k${turn}`), textToBytes("later"), 0n);
    file.run(txn.deleteRange(textToBytes(`k${KEYS - 1 - turn++}`), EMPTY_BYTES));
    txn.end();
    if (turn % 3 === 0) file.commit();
  });
  assert.ok(turn > 10);
  assert.ok(Buffer.from(bytesOf(whole)).equals(before));
});

test("a limit cuts very many pairs, and the rest is counted", () => {
  const file = new TestFile({ prng: new Prng(7), missEvery: 0 });
  const store = filled(file, new Prng(8));
  const some = read(file, store, { ...ALL, limit: KEYS - 1 });
  assert.deepEqual([some.kvs.length, some.more, some.count], [KEYS - 1, true, KEYS]);
  const all = read(file, store, { ...ALL, limit: KEYS });
  assert.deepEqual([all.kvs.length, all.more, all.count], [KEYS, false, KEYS]);
});

test("a page is made in the memory of one that was given back, and in no other's", () => {
  const file = new TestFile({ prng: new Prng(6), missEvery: 0 });
  const store = filled(file, new Prng(2));
  const page = (limit: number) => read(file, store, { ...ALL, limit });
  const bufferOf = ({ kvs }: RangeResult) => kvs.chunks[0]!.buffer;
  const [first, second] = [page(500), page(400)];
  const [expected, expectedSecond] = [bytesOf(first), bytesOf(second)];
  const memory = bufferOf(first);
  assert.ok(first.kvs.isLent && second.kvs.isLent && bufferOf(second) !== memory);
  first.kvs.release();
  first.kvs.release();
  const [third, fourth] = [page(400), page(500)];
  assert.ok(bufferOf(third) === memory, "it was given back");
  assert.ok(bufferOf(fourth) !== memory, "it was given back once only");
  for (const result of [second, third])
    assert.equal(compareBytes(bytesOf(result), expectedSecond), 0);
  assert.equal(compareBytes(bytesOf(fourth), expected), 0);
});

test("a result too large to be kept is not lent, nor one of several parts", () => {
  const memory = new ReplyMemory();
  const large = new KeyValueList(memory);
  large.reserveFrames(600 * 1024, 1);
  const parts = new KeyValueList(memory);
  parts.reserveFrames(1000, 1);
  parts.push(Uint8Array.of(1));
  for (const list of [large, parts]) {
    const { buffer } = list.chunks[0]!;
    assert.equal(list.isLent, false);
    list.release();
    assert.notEqual(memory.take(1000).buffer, buffer);
  }
});

test("a result is cut into pieces between pairs, none much larger than asked for", () => {
  const file = new TestFile({ prng: new Prng(9), missEvery: 0 });
  const store = filled(file, new Prng(10));
  for (const limit of [1, 700, 0]) {
    const result = read(file, store, { ...ALL, limit });
    for (const bytesMax of [1, 1000, 50_000]) {
      const pieces = [...result.kvs.pieces(bytesMax)].map(concatBytes);
      assert.ok(Buffer.from(concatBytes(pieces)).equals(bytesOf(result)));
      for (const piece of pieces) {
        assert.equal(piece[0], 0x12, "a piece begins with a pair");
        assert.ok(piece.length < bytesMax + 10_000);
      }
    }
  }
});
