import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryStorage } from "./memory-storage.ts";
import { EMPTY_CONF_STATE } from "./storage.ts";
import { type Entry, entryBytes, type Snapshot } from "./types.ts";

const ALL = Infinity;

function entries(from: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => ({
    term,
    index: from + i,
    type: 0,
    data: Uint8Array.from([term, from + i]),
  }));
}

function snapshotAt(index: number, term: number): Snapshot {
  return { meta: { index, term, confState: EMPTY_CONF_STATE }, data: Uint8Array.of(index) };
}

function filled(): MemoryStorage {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(3, 3));
  storage.append(entries(4, 4, 5, 6));
  return storage;
}

/** The whole of a log as one can see it, data included. */
function contents(storage: MemoryStorage): string {
  const { firstIndex: from, lastIndex } = storage;
  const read = storage.entries({ from, to: lastIndex + 1, bytesMax: ALL }) ?? [];
  return read.map(({ term, index, data }) => `${term}/${index}:${data}`).join(" ");
}

test("terms are known from just before the first entry to the last", () => {
  const storage = filled();
  const terms = [2, 3, 4, 5, 6, 7].map((index) => storage.term(index));
  assert.deepEqual(terms, [undefined, 3, 4, 5, 6, undefined]);
});

test("entries are cut to the bytes asked for, but one always comes", () => {
  const storage = filled();
  const count = (bytesMax: number) => storage.entries({ from: 4, to: 7, bytesMax })?.length;
  const size = entryBytes(entries(4, 4)[0]!);
  assert.deepEqual([count(0), count(size * 2 - 1), count(size * 2), count(ALL)], [1, 1, 2, 3]);
});

test("compacted entries are not there, entries past the end are a fault of the caller", () => {
  const storage = filled();
  assert.equal(storage.entries({ from: 3, to: 5, bytesMax: ALL }), undefined);
  assert.throws(() => storage.entries({ from: 4, to: 8, bytesMax: ALL }), /out of bound/);
  assert.throws(() => storage.append(entries(8, 7)), /missing log entry \[last: 6, append at: 8\]/);
});

test("an append replaces what stands at its first index and behind", () => {
  // appended -> terms from 4 on
  const table: [Entry[], number[]][] = [
    [entries(7, 7), [4, 5, 6, 7]],
    [entries(5, 7, 8), [4, 7, 8]],
    [entries(4, 9), [9]],
    [entries(2, 2, 3, 4, 7), [4, 7]],
    [entries(2, 2, 3), [4, 5, 6]],
    [[], [4, 5, 6]],
  ];
  for (const [appended, terms] of table) {
    const storage = filled();
    storage.append(appended);
    const seen = terms.map((_, i) => storage.term(4 + i));
    assert.deepEqual([seen, storage.lastIndex], [terms, 3 + terms.length]);
  }
});

test("compaction keeps the term of the last entry it drops", () => {
  const storage = filled();
  assert.equal(storage.compact(3), false);
  assert.equal(storage.compact(5), true);
  assert.deepEqual([storage.firstIndex, storage.term(4), storage.term(5)], [6, undefined, 5]);
  assert.throws(() => storage.compact(7), /compact 7 is out of bound lastindex\(6\)/);
});

test("only a later snapshot is created or applied", () => {
  const storage = filled();
  const confState = { ...EMPTY_CONF_STATE, voters: [1n] };
  const created = storage.createSnapshot(5, confState, Uint8Array.of(9));
  assert.deepEqual(created?.meta, { index: 5, term: 5, confState });
  assert.equal(storage.createSnapshot(5, undefined, Uint8Array.of(9)), undefined);
  assert.deepEqual(
    storage.createSnapshot(6, undefined, Uint8Array.of(9))?.meta.confState,
    confState,
  );
  assert.equal(storage.applySnapshot(snapshotAt(6, 6)), false);
  assert.equal(storage.applySnapshot(snapshotAt(9, 7)), true);
  assert.deepEqual([storage.firstIndex, storage.lastIndex, storage.term(9)], [10, 9, 7]);
});

test("bytes belong to the storage once appended, and to the caller once read", () => {
  const storage = new MemoryStorage();
  const data = new Uint8Array(1000).fill(1);
  for (let index = 1; index <= 600; index++) storage.append([{ term: 1, index, type: 0, data }]);
  data.fill(2);
  const read = storage.entries({ from: 1, to: 601, bytesMax: ALL })!;
  storage.compact(600);
  // The slabs that held the entries are filled anew.
  for (let index = 601; index <= 2000; index++) storage.append([{ term: 1, index, type: 0, data }]);
  assert.equal(read.length, 600);
  assert.ok(read.every((entry) => entry.data.length === 1000 && entry.data.every((b) => b === 1)));
});

const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("append"), at: fc.nat(40), count: fc.nat(30) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("compact"), at: fc.nat(40), count: fc.constant(0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("snapshot"), at: fc.nat(60), count: fc.constant(0) }),
  },
);

test("the slabs hold what a plain array would", () => {
  // Large enough that a few entries fill a slab, some larger than one.
  const sizes = [0, 1, 300, 90_000, 200_000, 300_000];
  fc.assert(
    fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
      const storage = new MemoryStorage();
      let base = 0;
      let model: Entry[] = [];
      let term = 1;
      for (const { kind, at, count } of actions) {
        const last = base + model.length;
        if (kind === "append" && count > 0) {
          const from = Math.min(last + 1, base + 1 + at);
          term++;
          const added = Array.from({ length: count }, (_, i) => ({
            term,
            index: from + i,
            type: 0,
            data: new Uint8Array(sizes[(from + i + term) % sizes.length]!).fill(from + i),
          }));
          storage.append(added);
          model = [...model.slice(0, from - base - 1), ...added];
        } else if (kind === "compact" && base + at <= last && at > 0) {
          assert.ok(storage.compact(base + at));
          model = model.slice(at);
          base += at;
        } else if (kind === "snapshot" && at > 50) {
          assert.ok(storage.applySnapshot(snapshotAt(last + at, term)));
          model = [];
          base = last + at;
        }
        assert.deepEqual([storage.firstIndex, storage.lastIndex], [base + 1, base + model.length]);
        for (const entry of model) assert.equal(storage.term(entry.index), entry.term);
      }
      const range = { from: base + 1, to: base + model.length + 1, bytesMax: ALL };
      const read = storage.entries(range) ?? [];
      assert.equal(read.length, model.length);
      for (const [i, entry] of model.entries()) {
        assert.equal(Buffer.compare(read[i]!.data, entry.data), 0);
      }
    }),
    { numRuns: 60 },
  );
});

test("an empty storage has nothing and says so", () => {
  const storage = new MemoryStorage();
  assert.deepEqual(
    [storage.firstIndex, storage.lastIndex, storage.term(0), storage.term(1), contents(storage)],
    [1, 0, 0, undefined, ""],
  );
  assert.deepEqual(storage.initialState(), { hardState: undefined, confState: EMPTY_CONF_STATE });
});
