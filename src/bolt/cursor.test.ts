import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Commit, type Db, MemoryFile, type PageSource } from "./index.ts";
import { finish } from "./testing.ts";

const PAGE_BYTES = 1024;

/** Every brief read goes into the same bytes. */
function briefly(file: MemoryFile): PageSource {
  const memory = new Uint8Array(1024 * 1024);
  const read = (id: number) => {
    memory.fill(0xee);
    const page = file.read(id)!;
    memory.set(page);
    return memory.subarray(0, page.length);
  };
  return { read: (id) => file.read(id), readFirst: read, readBriefly: read };
}

function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(number);
  return key;
}

function commit(file: MemoryFile, db: Db): Commit | undefined {
  const commit = finish(file, () => db.commit());
  if (commit !== undefined) file.write(commit);
  if (commit !== undefined) db.committed(commit.txid);
  return commit;
}

function filled(keys: number): { file: MemoryFile; db: Db } {
  const file = new MemoryFile(PAGE_BYTES);
  const db = file.open(briefly(file));
  const bucket = db.bucket("key");
  for (let number = 0; number < keys; number++) {
    bucket.put(keyOf(number), Buffer.alloc(number % 90 === 0 ? 3000 : 40, number));
  }
  commit(file, db);
  return { file, db };
}

const move = fc.oneof(
  fc.record({ to: fc.constant("next" as const) }),
  fc.record({ to: fc.constant("previous" as const) }),
  fc.record({ to: fc.constantFrom("first" as const, "last" as const) }),
  fc.record({ to: fc.constant("seek" as const), key: fc.nat(3100) }),
  fc.record({ to: fc.constant("other reads" as const), key: fc.nat(3000) }),
);

test("a passing cursor shows what any other does, whatever is read between its moves", () => {
  const { db } = filled(3000);
  const bucket = db.bucket("key");
  // Some leaves are changed, and have no page.
  for (const number of [5, 1500, 2999]) bucket.put(keyOf(number), keyOf(number));
  fc.assert(
    fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
      const [passing, plain] = [bucket.cursor({ passing: true }), bucket.cursor()];
      const other = bucket.cursor({ passing: true });
      let isPlaced = false;
      for (const move of moves) {
        if (move.to === "other reads") {
          other.seek(keyOf(move.key));
          continue;
        }
        if (!isPlaced && (move.to === "next" || move.to === "previous")) continue;
        const [found, expected] = [passing, plain].map((cursor) =>
          move.to === "seek" ? cursor.seek(keyOf(move.key)) : cursor[move.to](),
        );
        assert.equal(found, expected);
        isPlaced = found!;
        if (!found) continue;
        assert.ok(Buffer.from(passing.key).equals(plain.key));
        assert.ok(Buffer.from(passing.value).equals(plain.value));
      }
    }),
    { numRuns: 150 },
  );
});

test("looking at a passing cursor after something else was read is a bug that is noticed", () => {
  const { db } = filled(3000);
  const cursor = db.bucket("key").cursor({ passing: true });
  const other = db.bucket("key").cursor({ passing: true });
  assert.ok(cursor.seek(keyOf(7)) && cursor.next() && other.seek(keyOf(2000)) && other.last());
  assert.throws(() => cursor.key, /void when anything is read/);
  assert.ok(cursor.next());
  assert.deepEqual(Buffer.from(cursor.key), Buffer.from(keyOf(9)));
});

test("a passing cursor goes on in a tree that has become deeper", () => {
  const { file, db } = filled(60);
  const bucket = db.bucket("key");
  const cursor = bucket.cursor({ passing: true });
  assert.ok(cursor.first());
  for (let number = 60; number < 9000; number++) bucket.put(keyOf(number), Buffer.alloc(40));
  commit(file, db);
  let count = 0;
  for (let found = cursor.seek(keyOf(0)); found; found = cursor.next()) {
    assert.deepEqual(Buffer.from(cursor.key), Buffer.from(keyOf(count++)));
  }
  assert.equal(count, 9000);
});
