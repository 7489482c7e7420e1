import assert from "node:assert/strict";
import { test } from "node:test";
import { compareBytes, Prng } from "../base/index.ts";
import { KeyTable, NO_SLOT } from "./key-table.ts";
import { Cursor, KeyTree } from "./key-tree.ts";

interface Entry {
  key: Uint8Array;
  slot: number;
  live: boolean;
}

/** The tree beside a sorted array that says what it should hold. */
class Pair {
  readonly table = new KeyTable();
  readonly tree = new KeyTree(this.table);
  readonly model: Entry[] = [];
  readonly cursor = new Cursor();

  /** Where `key` is or belongs in the model. */
  position(key: Uint8Array): number {
    let from = 0;
    let to = this.model.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (compareBytes(this.model[middle]!.key, key) < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Checks that `seek` finds what the model says; returns the entry. */
  seek(key: Uint8Array): Entry | undefined {
    const entry = this.model[this.position(key)];
    const isThere = entry !== undefined && compareBytes(entry.key, key) === 0;
    assert.equal(this.tree.seek(this.cursor, key), isThere);
    return isThere ? entry : undefined;
  }

  toggle(key: Uint8Array): void {
    const entry = this.seek(key);
    if (entry === undefined) {
      const slot = this.table.add(key);
      this.tree.insert(this.cursor, slot);
      this.model.splice(this.position(key), 0, { key, slot, live: true });
    } else {
      entry.live = !entry.live;
      this.tree.setLive(this.cursor, entry.live);
    }
  }

  removeIfDead(key: Uint8Array): void {
    const entry = this.seek(key);
    if (entry === undefined || entry.live) return;
    this.tree.remove(this.cursor);
    this.table.free(entry.slot);
    this.model.splice(this.position(key), 1);
  }

  checkFrom(key: Uint8Array): void {
    const at = this.position(key);
    this.tree.seek(this.cursor, key);
    const live = this.model.filter((entry) => entry.live);
    assert.equal(this.tree.live, live.length);
    assert.equal(this.tree.rank(this.cursor), this.model.slice(0, at).filter((e) => e.live).length);
    assert.equal(this.tree.slot(this.cursor), this.model[at]?.slot ?? NO_SLOT);
    const nextLive = this.model.slice(at).find((entry) => entry.live);
    assert.equal(this.tree.liveSlot(this.cursor), nextLive?.slot ?? NO_SLOT);
    this.tree.seek(this.cursor, key);
    assert.equal(this.tree.previousSlot(this.cursor), this.model[at - 1]?.slot ?? NO_SLOT);
  }

  checkWalks(): void {
    const { tree, cursor, model } = this;
    tree.seek(cursor, new Uint8Array(0));
    for (const entry of model) {
      assert.equal(tree.slot(cursor), entry.slot);
      assert.deepEqual(this.table.key(entry.slot), entry.key);
      tree.next(cursor);
    }
    assert.equal(tree.slot(cursor), NO_SLOT);
    tree.seekEnd(cursor);
    for (const entry of model.toReversed()) assert.equal(tree.previousSlot(cursor), entry.slot);
    assert.equal(tree.previousSlot(cursor), NO_SLOT);
    tree.seek(cursor, new Uint8Array(0));
    for (const entry of model) {
      if (!entry.live) continue;
      assert.equal(tree.liveSlot(cursor), entry.slot);
      tree.next(cursor);
    }
    assert.equal(tree.liveSlot(cursor), NO_SLOT);
  }
}

/** Keys that are prefixes of each other, full of zeros, and often alike in their first bytes. */
function tangledKey(prng: Prng): Uint8Array {
  return Uint8Array.from({ length: 1 + prng.below(14) }, () => [0, 0, 0, 1, 255][prng.below(5)]!);
}

function spreadKey(prng: Prng): Uint8Array {
  return Uint8Array.from(`/registry/${1000 + prng.below(3000)}`, (c) => c.charCodeAt(0));
}

for (const [name, makeKey] of Object.entries({ tangledKey, spreadKey })) {
  test(`the tree holds what a sorted array holds, growing and shrinking (${name})`, () => {
    const prng = new Prng(7);
    const pair = new Pair();
    for (let round = 0; round < 6; round++) {
      const growing = round % 3 !== 2;
      for (let i = 0; i < 3000; i++) {
        const key = makeKey(prng);
        if (growing || prng.below(4) === 0) pair.toggle(key);
        else pair.removeIfDead(key);
        if (i % 100 === 0) pair.checkFrom(makeKey(prng));
      }
      pair.checkWalks();
    }
  });
}

test("a tree emptied key by key from either end can be filled again", () => {
  const prng = new Prng(3);
  for (const order of [1, -1]) {
    const pair = new Pair();
    for (let i = 0; i < 5000; i++) pair.toggle(spreadKey(prng));
    for (const { key, live } of pair.model.slice()) if (live) pair.toggle(key);
    const keys = pair.model.map((entry) => entry.key);
    for (const key of order > 0 ? keys : keys.toReversed()) pair.removeIfDead(key);
    assert.equal(pair.tree.size, 0);
    pair.checkFrom(keys[0]!);
    for (let i = 0; i < 300; i++) pair.toggle(spreadKey(prng));
    pair.checkWalks();
  }
});

test("ascending keys leave full leaves behind", () => {
  const pair = new Pair();
  const key = new Uint8Array(8);
  const view = new DataView(key.buffer);
  for (let i = 0; i < 100_000; i++) {
    view.setUint32(4, i);
    pair.tree.seek(pair.cursor, key);
    pair.tree.insert(pair.cursor, pair.table.add(key));
  }
  assert.equal(pair.tree.live, 100_000);
  // 1588 leaves of 512 bytes, and the inner nodes, in chunks of a thousand nodes.
  assert.equal(pair.tree.byteLength, 2 * 1024 * 512 + 1024 * 1024);
});

test("the room of a freed key goes to the next key of its size", () => {
  const table = new KeyTable();
  const long = new Uint8Array(3 << 20).fill(7);
  const slots = [table.add(Uint8Array.of(1)), table.add(long), table.add(Uint8Array.of(2))];
  const held = table.byteLength;
  for (let i = 0; i < 10; i++) {
    table.free(slots[1]!);
    assert.equal(table.add(long), slots[1]);
  }
  assert.equal(table.byteLength, held);
  assert.deepEqual(table.key(slots[1]!), long);
  assert.deepEqual(table.key(slots[2]!), Uint8Array.of(2));
});
