import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText, Prng, textToBytes } from "../base/index.ts";
import { decodeKeyValue } from "./key-value.ts";
import type { RangeRequest, RangeResult } from "./range.ts";
import type { RevisionRefusal } from "./store-state.ts";
import type { Store } from "./store.ts";
import { encodeRecord, type ModelPair, ModelStore, TestFile } from "./testing.ts";
import type { WriteTxn } from "./txn.ts";

const KEYS = ["a", "a\0", "a\0\0", "aa", "ab", "abc", "b", "c", "ca", "cb", "d", "da"];

function modelPair(encoded: Uint8Array): ModelPair {
  const { key, value, modRevision, createRevision, version, lease } = decodeKeyValue(encoded);
  const texts = { key: bytesToText(key), value: bytesToText(value) };
  return { ...texts, main: modRevision, createRevision, version, lease };
}

function plain(result: RangeResult | RevisionRefusal) {
  if (typeof result === "string") return result;
  const { kvs, more, count, revision } = result;
  const pairs = Array.from(kvs, modelPair);
  assert.equal(kvs.length, pairs.length);
  assert.equal(
    kvs.byteLength,
    kvs.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
  );
  return { pairs, more, count, revision };
}

function assertBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  assert.deepEqual(actual && Array.from(actual), Array.from(expected));
}

interface Read {
  slices: Generator<unknown, unknown>;
  check: (outcome: unknown) => void;
}

/** A store, its model, and everything that is under way between the two. */
class Play {
  readonly prng: Prng;
  readonly file: TestFile;
  readonly model = new ModelStore();
  store: Store;
  /** Reads that were begun, each with a check of its outcome. */
  #reads: Read[] = [];
  #compaction: Generator<unknown, unknown> | undefined;
  #asked: { revision: number; previous: number; isHashed: boolean }[] = [];
  #hashes = new Map<number, { hash: number; compactRevision: number }>();
  #marksAgree = true;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.file = new TestFile({ prng: this.prng, missEvery: [0, 3, 20][seed % 3]! });
    this.store = this.file.openStore();
    this.file.commit();
  }

  step(): void {
    const moves = [
      () => this.write(),
      () => this.write(),
      () => this.write(),
      () => this.beginRange(),
      () => this.beginRange(),
      () => this.beginHash(),
      () => this.compact(),
      () => this.file.commit(),
      () => this.advanceRead(),
      () => this.advanceRead(),
      () => this.advanceCompaction(),
      () => this.advanceCompaction(),
      () => this.checkScan(),
      () => this.checkPrevious(),
    ];
    if (this.prng.oneIn(80)) this.restart();
    else moves[this.prng.below(moves.length)]!();
    assert.equal(this.store.currentRevision, this.model.currentRevision);
    assert.equal(this.store.compactedRevision, this.model.compactedRevision);
  }

  key(): string {
    return KEYS[this.prng.below(KEYS.length)]!;
  }

  rangeEnd(): string {
    return ["", "", "\0", this.key(), "e"][this.prng.below(5)]!;
  }

  revision(): number {
    return this.prng.below(this.model.currentRevision + 3) - 1;
  }

  write(): void {
    const txn = this.store.begin();
    const main = txn.beginRevision + 1;
    let sub = 0;
    for (let i = this.prng.below(4); i >= 0; i--) {
      if (this.prng.oneIn(3)) sub += this.#delete(txn, main, sub);
      else sub += this.#put(txn, main, sub);
      const working = sub === 0 ? main - 1 : main;
      assert.equal(txn.revision, working);
      if (this.prng.oneIn(3)) {
        const request = this.request();
        const expected = this.model.range(request, working);
        assert.deepEqual(plain(this.file.run(txn.range(request))), expected);
      }
    }
    this.#checkChanges(txn, main, sub);
  }

  #put(txn: WriteTxn, main: number, sub: number): number {
    const key = this.key();
    const value = "v".repeat(this.prng.below(3)) + this.prng.below(10);
    const lease = this.prng.oneIn(3) ? BigInt(this.prng.next()) << 31n : 0n;
    this.model.put(main, sub, key, value, lease);
    const { created } = this.file.call(() => txn.put(textToBytes(key), textToBytes(value), lease));
    assert.equal(created, this.model.records.at(-1)!.version === 1);
    const pair = this.file.call(() => txn.get(textToBytes(key)));
    assertBytes(pair, encodeRecord(this.model.records.at(-1)!));
    return 1;
  }

  #delete(txn: WriteTxn, main: number, sub: number): number {
    const [key, rangeEnd] = [this.key(), this.rangeEnd()];
    const revision = this.model.currentRevision;
    const expected = this.model.delete(main, sub, key, rangeEnd);
    const slices = txn.deleteRange(textToBytes(key), textToBytes(rangeEnd));
    // Whoever reads meanwhile sees nothing of it.
    const deleted = this.file.run(slices, () => {
      assert.equal(this.store.currentRevision, revision);
      const everything = { key: textToBytes("\0"), rangeEnd: textToBytes("\0") };
      const result = plain(this.file.run(this.store.range(everything)));
      assert.deepEqual(result, this.model.range(everything));
    });
    assert.equal(deleted, expected.length);
    const rest = this.file.call(() => txn.get(textToBytes(key)));
    assert.equal(
      rest !== undefined,
      this.model.at(main).some((r) => r.key === key),
    );
    return expected.length;
  }

  #checkChanges(txn: WriteTxn, main: number, length: number): void {
    const { revision, changes } = txn.end();
    if (length > 0) this.model.currentRevision = main;
    assert.equal(revision, this.model.currentRevision);
    assert.equal(changes.length, length);
    const records = length === 0 ? [] : this.model.records.slice(-length);
    for (const [i, record] of records.entries()) {
      assert.equal(bytesToText(changes.key(i)), record.key);
      assertBytes(changes.keyValue(i), encodeRecord(record));
      assert.equal(changes.isDelete(i), record.isTombstone);
      assert.equal(changes.isCreate(i), record.createRevision === main);
    }
  }

  request(): RangeRequest {
    const { prng } = this;
    const bound = () => (prng.oneIn(6) ? prng.below(this.model.currentRevision + 1) : 0);
    return {
      key: textToBytes(this.key()),
      rangeEnd: textToBytes(this.rangeEnd()),
      limit: prng.below(8) - 1,
      revision: prng.oneIn(2) ? 0 : this.revision(),
      sortOrder: prng.below(3),
      sortTarget: prng.oneIn(2) ? 0 : prng.below(5),
      keysOnly: prng.oneIn(3),
      countOnly: prng.oneIn(6),
      minModRevision: bound(),
      maxModRevision: bound(),
      minCreateRevision: bound(),
      maxCreateRevision: bound(),
      withoutCount: prng.oneIn(5),
    };
  }

  beginRange(): void {
    const request = this.request();
    const expected = this.model.range(request);
    const check = (outcome: unknown) =>
      assert.deepEqual(plain(outcome as RangeResult | RevisionRefusal), expected);
    this.#begin(this.store.range(request), check);
  }

  beginHash(): void {
    // Whether a compaction on its way counts is left open when no key is alive.
    if (this.model.at(this.model.currentRevision).length === 0) return;
    const revision = this.revision();
    const expected = this.#expectedHash(revision);
    if (expected === undefined) return;
    this.#begin(this.store.hashKv(revision), (hash) => assert.deepEqual(hash, expected));
  }

  #expectedHash(asked: number) {
    const cached = this.#hashes.get(asked);
    if (cached !== undefined) return { ...cached, hashRevision: asked };
    if (asked > this.model.currentRevision) return "futureRev";
    if (asked > 0 && asked < this.model.compactedRevision) return "compacted";
    const revision = asked === 0 ? this.model.currentRevision : asked;
    if (revision > 0 && this.model.at(revision).length === 0) return undefined;
    const hash = this.model.hash(revision);
    return { hash, compactRevision: this.model.compactedRevision, hashRevision: revision };
  }

  #begin(slices: Generator<unknown, unknown>, check: (outcome: unknown) => void): void {
    this.#reads.push({ slices, check });
    this.#advance(this.#reads.at(-1)!);
  }

  advanceRead(): void {
    if (this.#reads.length > 0) this.#advance(this.#reads[this.prng.below(this.#reads.length)]!);
  }

  #advance(read: Read): void {
    const { done, value } = read.slices.next();
    if (!done && value !== undefined) this.file.load(value as never);
    if (!done) return;
    this.#reads = this.#reads.filter((other) => other !== read);
    read.check(value);
  }

  compact(): void {
    const revision = this.revision();
    const refusal = this.file.call(() => this.store.compact(revision));
    const { compactedRevision, currentRevision } = this.model;
    if (revision <= compactedRevision) return assert.equal(refusal, "compacted");
    if (revision > currentRevision) return assert.equal(refusal, "futureRev");
    assert.equal(refusal, undefined);
    this.model.compactedRevision = revision;
    const isHashed = this.#asked.length === 0 && this.#marksAgree;
    this.#asked.push({ revision, previous: compactedRevision, isHashed });
  }

  advanceCompaction(): void {
    assert.equal(this.store.compactionsPending, this.#asked.length);
    const [job] = this.#asked;
    if (job === undefined) return;
    this.#compaction ??= this.store.runCompaction();
    const { done, value } = this.#compaction.next();
    if (!done) {
      if (value === "batch") this.file.commit();
      else if (value !== undefined) this.file.load(value as never);
      return;
    }
    this.#compaction = undefined;
    this.#asked.shift();
    this.#marksAgree = this.#asked.length === 0;
    const { revision, previous } = job;
    const hash = this.model.compactionHash(revision, previous);
    const made = { hash, compactRevision: previous, hashRevision: revision };
    const expectedHash = job.isHashed ? made : undefined;
    if (job.isHashed) this.#hashes.set(revision, { hash, compactRevision: previous });
    this.#hashes = new Map([...this.#hashes].toSorted(([a], [b]) => a - b).slice(-10));
    const { deleted, hash: actualHash } = value as { deleted: number; hash: unknown };
    assert.deepEqual(actualHash, expectedHash);
    assert.equal(deleted, this.model.compact(revision));
  }

  checkScan(): void {
    const from = Math.max(0, this.model.compactedRevision, this.revision());
    const scan = this.store.scan(from);
    const expected = this.model.records.filter((record) => record.main >= from);
    const isCompacting = this.#asked.length > 0;
    for (const record of expected) {
      assert.ok(this.file.call(() => scan.next()));
      // A compaction on its way leaves records that the model keeps until it is done.
      while (isCompacting && (scan.main !== record.main || scan.sub !== record.sub)) return;
      assert.deepEqual([scan.main, scan.sub], [record.main, record.sub]);
      assert.equal(scan.tombstone, record.isTombstone);
      assert.equal(bytesToText(scan.key), record.key);
      assertBytes(scan.keyValue, encodeRecord(record));
      if (this.prng.oneIn(4)) this.file.commit();
    }
    assert.equal(
      this.file.call(() => scan.next()),
      false,
    );
  }

  checkPrevious(): void {
    const [key, revision] = [this.key(), this.revision()];
    const pair = this.file.call(() => this.store.previousOf(textToBytes(key), revision));
    const isCompacted = revision - 1 < this.model.compactedRevision;
    const record = this.model.at(revision - 1).find((r) => r.key === key);
    if (isCompacted || record === undefined) assert.equal(pair, undefined);
    else assertBytes(pair, encodeRecord(record));
  }

  /** Stops in the middle of everything; what is committed counts. */
  restart(): void {
    for (const { slices } of this.#reads) slices.return(undefined);
    this.#reads = [];
    this.#compaction = undefined;
    this.file.commit();
    this.file.reopen();
    const leases = new Map<string, bigint>();
    this.store = this.file.openStore((key, lease) => leases.set(bytesToText(key), lease));
    const leased = this.model.at(this.model.currentRevision).filter((r) => r.lease !== 0n);
    assert.deepEqual(leases, new Map(leased.map((r) => [r.key, r.lease])));
    this.#hashes.clear();
    this.#resumeModel();
  }

  /** Of all compactions asked for, the last is done, in one. */
  #resumeModel(): void {
    const last = this.#asked.at(-1);
    if (last === undefined) return;
    const previous = this.#asked[0]!.previous;
    this.#asked = last.revision > 0 ? [{ ...last, previous, isHashed: false }] : [];
    if (last.revision === 0) this.model.compactedRevision = -1;
    this.#marksAgree = false;
  }
}

test("the store does what a list of all records does: writes, ranges, hashes, compactions, restarts", () => {
  for (let seed = 0; seed < 60; seed++) {
    const play = new Play(seed);
    for (let i = 0; i < 150; i++) {
      try {
        play.step();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${i}`, { cause: error });
      }
    }
  }
});
