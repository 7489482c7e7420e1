import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToText, EMPTY_BYTES, Prng, textToBytes } from "../base/index.ts";
import { Db } from "../bolt/index.ts";
import { ProtoError } from "../proto/index.ts";
import { hashAll } from "./file-hash.ts";
import type { KvHash } from "./kv-hash.ts";
import { decodeKeyValue, encodeKeyValue } from "./key-value.ts";
import type { RangeRequest } from "./range.ts";
import { RevisionError, revisionKey, tombstoneKey } from "./revision.ts";
import type { Store } from "./store.ts";
import { StoreError } from "./store-state.ts";
import { TestFile } from "./testing.ts";

// What etcd 3.7 does, seen on the real one; sources: server/storage/mvcc, server/etcdserver/txn.

class World {
  readonly file = new TestFile({ prng: new Prng(1), missEvery: 0 });
  store: Store = this.file.openStore();

  put(key: string, value = "v", lease = 0n): number {
    const txn = this.store.begin();
    txn.put(textToBytes(key), textToBytes(value), lease);
    return txn.end().revision;
  }

  delete(key: string, rangeEnd = ""): number {
    const txn = this.store.begin();
    this.file.run(txn.deleteRange(textToBytes(key), textToBytes(rangeEnd)));
    return txn.end().revision;
  }

  /** `key=value` of each pair, then what else differs from the plain answer. */
  range(key: string, options: Partial<RangeRequest> & { end?: string } = {}): string {
    const { end = "", ...rest } = options;
    const request = { key: textToBytes(key), rangeEnd: textToBytes(end), ...rest };
    const result = this.file.run(this.store.range(request));
    if (typeof result === "string") return result;
    const pairs = Array.from(result.kvs, (bytes) => {
      const pair = decodeKeyValue(bytes);
      return `${bytesToText(pair.key)}=${bytesToText(pair.value)}`;
    });
    const more = result.more ? " more" : "";
    return `${pairs.join(" ")} of ${result.count}${more} @${result.revision}`;
  }

  hash(revision: number) {
    return this.file.run(this.store.hashKv(revision));
  }

  compact(revision: number): void {
    assert.equal(this.store.compact(revision), undefined);
    this.file.run(this.store.runCompaction());
  }

  restart(): void {
    this.file.commit();
    this.file.reopen();
    this.store = this.file.openStore();
  }
}

/** Keys a, b, c put at revisions 2, 3, 4, then a again at 5 and b deleted at 6. */
function someHistory(): World {
  const world = new World();
  world.put("a", "1");
  world.put("b", "2");
  world.put("c", "3", 7n);
  world.put("a", "4");
  world.delete("b");
  return world;
}

test("a new store is at revision 1, never compacted; nothing changed is no new revision", () => {
  const world = new World();
  assert.deepEqual([world.store.currentRevision, world.store.compactedRevision], [1, -1]);
  assert.equal(world.delete("nothing"), 1);
  assert.equal(world.put("k"), 2);
  assert.equal(world.delete("x", "z"), 2);
});

const MAX = Number.MAX_SAFE_INTEGER;
const RANGES: [what: string, key: string, options: object, expected: string][] = [
  ["no range end is one key", "a", {}, "a=4 of 1 @6"],
  ["'\\0' is every key from there on", "b", { end: "\0" }, "c=3 of 1 @6"],
  ["an end not above the key is nothing", "c", { end: "a" }, " of 0 @6"],
  ["the end is not included", "a", { end: "c" }, "a=4 of 1 @6"],
  ["a past revision, with the current one in the header", "a", { revision: 2 }, "a=1 of 1 @6"],
  ["all of a past revision", "a", { end: "\0", revision: 5 }, "a=4 b=2 c=3 of 3 @6"],
  ["a negative revision is the current one", "a", { revision: -3 }, "a=4 of 1 @6"],
  ["a revision to come is refused", "a", { revision: 7 }, "futureRev"],
  ["a limit cuts, the count does not", "a", { end: "\0", limit: 1 }, "a=4 of 2 more @6"],
  ["a limit of all is no cut", "a", { end: "\0", limit: 2 }, "a=4 c=3 of 2 @6"],
  ["a negative limit is none", "a", { end: "\0", limit: -1 }, "a=4 c=3 of 2 @6"],
  ["the largest limit is none", "a", { end: "\0", limit: MAX }, "a=4 c=3 of 2 @6"],
  ["only the count", "a", { end: "\0", countOnly: true, limit: 1 }, " of 2 @6"],
  ["bounds drop pairs, not the count", "a", { end: "\0", minModRevision: 5 }, "a=4 of 2 @6"],
  ["bounds are inclusive", "a", { end: "\0", maxCreateRevision: 2 }, "a=4 of 2 @6"],
  ["bounds come before the limit", "a", { end: "\0", limit: 1, maxModRevision: 4 }, "c=3 of 2 @6"],
  ["descending keys", "a", { end: "\0", sortOrder: 2, limit: 1 }, "c=3 of 2 more @6"],
  ["descending by value", "a", { end: "\0", sortOrder: 2, sortTarget: 4 }, "a=4 c=3 of 2 @6"],
  ["keys only", "a", { end: "\0", keysOnly: true }, "a= c= of 2 @6"],
];

for (const [what, key, options, expected] of RANGES) {
  test(`range: ${what}`, () => {
    assert.equal(someHistory().range(key, options), expected);
  });
}

test("without a direction only what the limit left, and one more, is sorted by another target", () => {
  const world = new World();
  for (const [key, value] of Object.entries({ a: "9", b: "8", c: "7", d: "6" })) {
    world.put(key, value);
  }
  const byValue = { end: "\0", limit: 2, sortTarget: 4 };
  assert.equal(world.range("a", byValue), "c=7 b=8 of 4 more @5");
  assert.equal(world.range("a", { ...byValue, sortOrder: 1 }), "d=6 c=7 of 4 more @5");
});

test("keys only drops the lease too, unless values were read to sort by", () => {
  const world = someHistory();
  const leaseOf = (sortTarget: number): bigint => {
    const request = { key: textToBytes("c"), rangeEnd: textToBytes("\0"), keysOnly: true };
    const result = world.file.run(world.store.range({ ...request, sortTarget }));
    assert.ok(typeof result !== "string");
    return decodeKeyValue([...result.kvs][0]!).lease;
  };
  assert.equal(leaseOf(0), 0n);
  assert.equal(leaseOf(4), 7n);
});

const VERSION = { target: 0, unionField: 4 };
const MOD = { target: 2, unionField: 6 };
const VALUE = { target: 3, unionField: 7 };
const LEASE = { target: 4, unionField: 8 };
const COMPARES: [what: string, key: string, compare: object, expected: boolean][] = [
  ["version equal", "a", { ...VERSION, number: 2 }, true],
  ["version greater", "a", { ...VERSION, result: 1, number: 1 }, true],
  ["mod less", "a", { ...MOD, result: 2, number: 5 }, false],
  ["mod not equal", "a", { ...MOD, result: 3, number: 4 }, true],
  ["create equal", "a", { target: 1, unionField: 5, number: 2 }, true],
  ["value equal", "a", { ...VALUE, value: textToBytes("4") }, true],
  ["lease equal", "c", { ...LEASE, lease: 7n }, true],
  ["the value of no key is never equal", "b", { ...VALUE, value: EMPTY_BYTES }, false],
  ["the value of no key is not even unequal", "b", { ...VALUE, result: 3 }, false],
  ["the version of no key is 0", "b", { ...VERSION, number: 0 }, true],
  ["the lease of no key is 0", "b", { ...LEASE, lease: 0n }, true],
  ["an unknown target compares equal", "a", { target: 9, number: 5 }, true],
  ["an unknown target is not greater", "a", { target: 9, result: 1 }, false],
  ["an unknown result holds", "a", { ...VERSION, result: 9, number: 77 }, true],
  ["an operand of another target is 0", "a", { target: 0, unionField: 6, number: 2 }, false],
  ["every key of a range", "a", { ...VERSION, result: 1, end: "\0", number: 0 }, true],
  ["one key of a range that does not", "a", { ...VERSION, end: "\0", number: 2 }, false],
];

for (const [what, key, options, expected] of COMPARES) {
  test(`compare: ${what}: ${expected}`, () => {
    const { end = "", ...compare } = options as { end?: string };
    const nothing = {
      result: 0,
      target: 0,
      unionField: 0,
      number: 0,
      value: EMPTY_BYTES,
      lease: 0n,
    };
    const range = { key: textToBytes(key), rangeEnd: textToBytes(end) };
    const world = someHistory();
    assert.equal(world.file.run(world.store.holds({ ...nothing, ...compare, ...range })), expected);
  });
}

test("compaction refuses what is compacted or to come; the compacted revision stays readable", () => {
  const world = someHistory();
  assert.equal(world.store.compact(7), "futureRev");
  assert.equal(world.store.compact(-1), "compacted");
  world.compact(5);
  assert.equal(world.store.compact(5), "compacted");
  assert.equal(world.range("a", { revision: 4 }), "compacted");
  assert.equal(world.range("b", { revision: 5 }), "b=2 of 1 @6");
  assert.equal(world.store.compact(6), undefined);
});

test("compaction at 0 is allowed while nothing was ever compacted", () => {
  const world = someHistory();
  world.compact(0);
  assert.equal(world.store.compactedRevision, 0);
  assert.equal(world.store.compact(0), "compacted");
});

function records(world: World): string {
  const scan = world.store.scan(0);
  const found: string[] = [];
  while (scan.next()) found.push(`${scan.main}${scan.tombstone ? "t" : ""}`);
  return found.join(" ");
}

test("a tombstone exactly at the compacted revision stays stored; one before it goes", () => {
  const world = someHistory();
  world.compact(6);
  assert.equal(records(world), "4 5 6t");
  world.put("d");
  world.compact(7);
  assert.equal(records(world), "4 5 7");
});

test("revisions never go back, even when compaction has removed the newest record", () => {
  const world = new World();
  world.put("k");
  world.delete("k");
  world.put("other");
  world.delete("other");
  world.compact(5);
  world.restart();
  assert.equal(world.store.currentRevision, 5);
  assert.equal(world.put("k"), 6);
});

test("an interrupted compaction is taken up after a restart, and makes no hash", () => {
  const world = someHistory();
  world.store.compact(6);
  world.restart();
  assert.deepEqual([world.store.compactedRevision, world.store.compactionsPending], [6, 1]);
  assert.equal(world.file.run(world.store.runCompaction()).hash, undefined);
  assert.equal(records(world), "4 5 6t");
  world.restart();
  assert.deepEqual([world.store.compactedRevision, world.store.compactionsPending], [6, 0]);
});

test("a compaction under way makes no difference to a hash, also where nothing is left", () => {
  const world = someHistory();
  const last = world.delete("a", "z");
  assert.equal(world.store.compact(last), undefined);
  world.put("d");
  const [before, later] = [world.hash(last), world.hash(0)];
  world.restart();
  assert.deepEqual(world.hash(last), before);
  world.file.run(world.store.runCompaction());
  assert.deepEqual([world.hash(last), world.hash(0)], [before, later]);
});

test("a hash at a negative revision is that of the bare bucket name", () => {
  assert.deepEqual(someHistory().hash(-5), {
    hash: 1084519789,
    compactRevision: -1,
    hashRevision: -5,
  });
});

test("the hash of a compacted revision is the compaction's own, until a restart", () => {
  const world = someHistory();
  const before = world.hash(5);
  world.compact(5);
  assert.deepEqual(world.hash(5), before);
  world.compact(6);
  assert.deepEqual(world.hash(5), before);
  assert.deepEqual(
    world.store
      .compactionHashes()
      .map(({ compactRevision, hashRevision }) => [compactRevision, hashRevision]),
    [
      [-1, 5],
      [5, 6],
    ],
  );
  world.restart();
  assert.equal(world.hash(5), "compacted");
  assert.equal((world.hash(6) as { compactRevision: number }).compactRevision, 6);
});

test("where no key is alive, the compaction's own hash is not for other members", () => {
  const world = someHistory();
  world.compact(4);
  const last = world.delete("a", "z");
  const before = world.hash(last) as KvHash;
  world.compact(last);
  const own = world.hash(last) as KvHash;
  assert.equal(own.compactRevision, before.compactRevision);
  assert.notEqual(own.hash, before.hash);
  assert.deepEqual(
    world.store.compactionHashes().map(({ hashRevision }) => hashRevision),
    [4],
  );
  const comparable = world.file.run(world.store.comparableHash(last)) as KvHash;
  assert.deepEqual([comparable.hashRevision, comparable.compactRevision], [last, last]);
});

test("ten hashes of compactions are remembered, those of the highest revisions", () => {
  const world = new World();
  for (let i = 0; i < 14; i++) world.compact(world.put("k"));
  assert.deepEqual(
    world.store.compactionHashes().map((hash) => hash.hashRevision),
    [6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  );
});

test("the hash of a whole file leaves out what may differ between like members", () => {
  const hashOf = (index: string): number => {
    const file = new TestFile({ prng: new Prng(1), missEvery: 0 });
    const meta = file.db.bucket("meta");
    for (const name of ["consistent_index", "term", "storageVersion"]) {
      meta.put(textToBytes(name), textToBytes(index));
    }
    meta.put(textToBytes("confState"), textToBytes("same"));
    return file.run(hashAll(file.db));
  };
  assert.equal(hashOf("1"), hashOf("2"));
});

const revisionKeys = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.nat(9), fc.nat(3)).map(([m, s]) => revisionKey(m, s)) },
  { weight: 3, arbitrary: fc.tuple(fc.nat(9), fc.nat(3)).map(([m, s]) => tombstoneKey(m, s)) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }) },
);
const oddPairs = fc
  .record({
    key: fc.uint8Array({ maxLength: 2, max: 2 }),
    createRevision: fc.nat(5),
    modRevision: fc.nat(5),
    version: fc.oneof({ weight: 9, arbitrary: fc.nat(5).map((v) => v + 1) }, fc.maxSafeNat()),
    value: fc.uint8Array({ maxLength: 3 }),
    lease: fc.bigInt({ min: 0n, max: 3n }),
  })
  .map(encodeKeyValue);
const values = fc.oneof(
  { weight: 9, arbitrary: oddPairs },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
);

test("any bucket is restored, or refused as damaged", () => {
  const records = fc.array(fc.tuple(revisionKeys, values), { maxLength: 12 });
  const marks = fc.option(fc.oneof(revisionKeys, fc.uint8Array({ maxLength: 18 })));
  fc.assert(
    fc.property(records, marks, marks, (records, scheduled, finished) => {
      const file = new TestFile({ prng: new Prng(1), missEvery: 0 });
      const [key, meta] = [file.db.bucket("key"), file.db.bucket("meta")];
      for (const [revision, value] of records) key.put(revision, value);
      if (scheduled !== null) meta.put(textToBytes("scheduledCompactRev"), scheduled);
      if (finished !== null) meta.put(textToBytes("finishedCompactRev"), finished);
      let store: Store;
      try {
        store = file.openStore();
      } catch (error) {
        const known = [StoreError, RevisionError, ProtoError];
        assert.ok(known.some((kind) => error instanceof kind));
        return;
      }
      const everything = { key: textToBytes("\0"), rangeEnd: textToBytes("\0") };
      file.run(store.range(everything));
      file.run(store.hashKv(0));
      while (store.compactionsPending > 0) file.run(store.runCompaction());
    }),
  );
});

const PAGE_BYTES = 4096;

function openFile(bytes: Buffer): Db {
  const read = (id: number) => {
    const pages = 1 + bytes.readUInt32LE(id * PAGE_BYTES + 12);
    return bytes.subarray(id * PAGE_BYTES, (id + pages) * PAGE_BYTES);
  };
  const [meta0, meta1] = [
    bytes.subarray(0, PAGE_BYTES),
    bytes.subarray(PAGE_BYTES, 2 * PAGE_BYTES),
  ];
  return Db.open({ source: { read }, meta0, meta1, fileSizeBytes: bytes.length });
}

test("a file that etcd 3.7.3 wrote is restored, and hashes as etcd said", () => {
  const data = join(import.meta.dirname, "../../test/data/etcd-3.7.3");
  const expected = JSON.parse(readFileSync(join(data, "expect.json"), "utf8"));
  const root = mkdtempSync(join(tmpdir(), "quord-mvcc-"));
  try {
    execFileSync("tar", ["-xzf", join(data, "data-dir.tar.gz"), "-C", root]);
    const db = openFile(readFileSync(join(root, "member/snap/db")));
    const file = new TestFile({ prng: new Prng(1), missEvery: 0 });
    file.db = db;
    const store = file.openStore();
    assert.equal(store.currentRevision, expected.hashkv.header.revision);
    assert.equal(store.keyCount, expected.count);
    assert.deepEqual(file.run(store.hashKv(0)), {
      hash: expected.hashkv.hash,
      compactRevision: expected.hashkv.compact_revision,
      hashRevision: expected.hashkv.hash_revision,
    });
  } finally {
    rmSync(root, { recursive: true });
  }
});
