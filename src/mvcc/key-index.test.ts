import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng, textToBytes } from "../base/index.ts";
import { KeyIndex } from "./key-index.ts";
import { NO_SLOT } from "./key-table.ts";
import { Cursor } from "./key-tree.ts";
import { NO_ROW } from "./row-slab.ts";

type Step = readonly ["put" | "delete", string, number, number?];

function play(steps: readonly Step[]): KeyIndex {
  const index = new KeyIndex();
  const cursor = new Cursor();
  for (const [kind, name, main, sub = 0] of steps) {
    const key = textToBytes(name);
    if (kind === "put") index.put(index.find(key), key, { main, sub, recordBytes: 1 });
    else if (index.tree.seek(cursor, key)) index.tombstone(cursor, main, sub);
  }
  return index;
}

/** What the key is at a revision: `main.sub created version`. */
function at(index: KeyIndex, name: string, revision: number): string {
  const slot = index.find(textToBytes(name));
  const row = slot === NO_SLOT ? NO_ROW : index.rowAt(slot, revision);
  if (row === NO_ROW) return "none";
  const { rows } = index;
  return `${rows.main(row)}.${rows.sub(row)} ${rows.createRevision(row)} ${rows.version(row)}`;
}

/** All rows of a key, oldest first, `t` for a tombstone. */
function chain(index: KeyIndex, name: string): string {
  const slot = index.find(textToBytes(name));
  if (slot === NO_SLOT) return "forgotten";
  const chain: string[] = [];
  for (let row = index.keys.newest(slot); row !== NO_ROW; row = index.rows.previous(row)) {
    chain.unshift(`${index.rows.main(row)}${index.rows.isTombstone(row) ? "t" : ""}`);
  }
  return chain.join(" ");
}

/** As a compaction does with each key. Returns whether something of the time before is kept. */
function compact(index: KeyIndex, name: string, revision: number): boolean {
  const cursor = new Cursor();
  if (!index.tree.seek(cursor, textToBytes(name))) return false;
  const slot = index.tree.slot(cursor);
  const kept = index.cut(slot, revision);
  if (!index.hasRows(slot)) index.forget(cursor);
  return kept !== NO_ROW;
}

test("the worked example: put a, put b, put a, delete a, put a", () => {
  const index = play([
    ["put", "a", 2],
    ["put", "b", 3],
    ["put", "a", 4],
    ["delete", "a", 5],
    ["put", "a", 6],
  ]);
  const times = [1, 2, 3, 4, 5, 6, 7].map((revision) => at(index, "a", revision));
  assert.deepEqual(times, ["none", "2.0 2 1", "2.0 2 1", "4.0 2 2", "none", "6.0 6 1", "6.0 6 1"]);
  assert.equal(compact(index, "a", 5), true);
  assert.equal(chain(index, "a"), "5t 6");
  assert.equal(compact(index, "a", 6), true);
  assert.equal(chain(index, "a"), "6");
});

// The life that etcd's key_index.go describes: two generations, 1 2 3t and 4 5t.
const TWO_LIVES: readonly Step[] = [
  ["put", "foo", 1],
  ["put", "foo", 2],
  ["delete", "foo", 3],
  ["put", "foo", 4],
  ["delete", "foo", 5],
];

const COMPACTIONS = [
  { revision: 1, rows: "1 2 3t 4 5t", kept: true },
  { revision: 2, rows: "2 3t 4 5t", kept: true },
  { revision: 3, rows: "3t 4 5t", kept: true },
  { revision: 4, rows: "4 5t", kept: true },
  { revision: 5, rows: "5t", kept: true },
  { revision: 6, rows: "forgotten", kept: false },
];

for (const { revision, rows, kept } of COMPACTIONS) {
  test(`compaction at ${revision} of the revisions 1 2 3t 4 5t leaves ${rows}`, () => {
    const index = play(TWO_LIVES);
    assert.equal(compact(index, "foo", revision), kept);
    assert.equal(chain(index, "foo"), rows);
  });
}

test("a key put and deleted in one transaction is not there after it, and was before", () => {
  const index = play([
    ["put", "k", 2],
    ["put", "k", 3, 0],
    ["delete", "k", 3, 1],
  ]);
  assert.equal(at(index, "k", 3), "none");
  assert.equal(at(index, "k", 2), "2.0 2 1");
});

test("a restored record tells of the life before compaction, and a lone tombstone of its end", () => {
  const index = new KeyIndex();
  index.restorePut(textToBytes("a"), {
    main: 10,
    sub: 0,
    createRevision: 4,
    version: 7,
    recordBytes: 1,
  });
  index.restoreTombstone(textToBytes("b"), 11, 0);
  index.restorePut(textToBytes("a"), {
    main: 12,
    sub: 0,
    createRevision: 4,
    version: 8,
    recordBytes: 1,
  });
  assert.equal(at(index, "a", 11), "10.0 4 7");
  assert.equal(at(index, "a", 12), "12.0 4 8");
  assert.equal(at(index, "b", 11), "none");
  assert.equal(index.tree.live, 1);
  index.restorePut(textToBytes("b"), {
    main: 13,
    sub: 0,
    createRevision: 13,
    version: 1,
    recordBytes: 1,
  });
  assert.equal(at(index, "b", 13), "13.0 13 1");
  assert.equal(index.tree.live, 2);
});

test("rows that compaction drops are used again: a key rewritten for ever takes no more memory", () => {
  const index = new KeyIndex();
  const key = textToBytes("k");
  for (let main = 1; main <= 200_000; main++) {
    index.put(index.find(key), key, { main, sub: 0, recordBytes: 1 });
    if (main % 1000 === 0) compact(index, "k", main);
  }
  assert.equal(at(index, "k", 200_000), "200000.0 1 200000");
  assert.equal(index.rows.byteLength, 44 * 32768);
});

test("any revision of a long chain is found, through compactions, and in few steps", () => {
  const index = new KeyIndex();
  const key = textToBytes("k");
  const cursor = new Cursor();
  const prng = new Prng(5);
  let mains: { main: number; isTombstone: boolean }[] = [];
  let main = 1;
  for (let round = 0; round < 40; round++) {
    for (let i = prng.below(400); i >= 0; i--) {
      main += 1 + prng.below(3);
      const slot = index.find(key);
      const isTombstone = index.liveRow(slot) !== NO_ROW && prng.oneIn(5);
      index.tree.seek(cursor, key);
      if (isTombstone) index.tombstone(cursor, main, 0);
      else index.put(slot, key, { main, sub: 0, recordBytes: 1 });
      mains.push({ main, isTombstone });
    }
    const compacted = mains[prng.below(Math.floor(mains.length / 2))]!.main;
    compact(index, "k", compacted);
    const last = mains.findLastIndex((row) => row.main <= compacted);
    mains = mains.slice(last);
    for (let i = 0; i < 300; i++) {
      const revision = compacted + prng.below(main + 3 - compacted);
      const row = mains.findLast((candidate) => candidate.main <= revision);
      const found = index.rowAt(index.find(key), revision);
      const expected = row === undefined || row.isTombstone ? undefined : row.main;
      assert.equal(found === NO_ROW ? undefined : index.rows.main(found), expected);
    }
  }
});

test("the past of a key written a million times is read as fast as its present", () => {
  const index = new KeyIndex();
  const key = textToBytes("k");
  for (let main = 1; main <= 1_000_000; main++)
    index.put(index.find(key), key, { main, sub: 0, recordBytes: 1 });
  const slot = index.find(key);
  // A walk along the chain would take a hundred thousand million steps.
  for (let revision = 1; revision <= 1_000_000; revision += 5) {
    assert.equal(index.rows.main(index.rowAt(slot, revision)), revision);
  }
});

test("a key of 30 bytes with one revision takes at most 130 bytes, whatever the order of keys", () => {
  const index = new KeyIndex();
  const keys = 200_000;
  for (let i = 0; i < keys; i++) {
    const key = textToBytes(`/registry/pods/${String((i * 61_861) % keys).padStart(15, "0")}`);
    index.put(index.find(key), key, { main: i + 2, sub: 0, recordBytes: 1 });
  }
  assert.equal(index.tree.live, keys);
  assert.ok(index.byteLength / keys <= 130, `${index.byteLength / keys} bytes`);
});
