import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RaftLog } from "./log.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { EMPTY_CONF_STATE } from "./storage.ts";
import { type Entry, entryBytes, RaftError } from "./types.ts";

function entries(from: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: 0, data: new Uint8Array(0) }));
}

function logOf(stored: readonly Entry[], unstable: readonly Entry[] = []): RaftLog {
  const storage = new MemoryStorage();
  storage.append(stored);
  const log = new RaftLog(storage, {}, Infinity);
  log.append(unstable);
  return log;
}

function ids(read: readonly Entry[] | undefined): string[] {
  return (read ?? []).map(({ term, index }) => `${term}/${index}`);
}

/** The terms of all entries that can be read. */
function terms(log: RaftLog): number[] {
  return (log.entries(log.firstIndex, Infinity) ?? []).map(({ term }) => term);
}

type Step =
  | { kind: "append"; back: number; count: number }
  | { kind: "write" }
  | { kind: "stable" }
  | { kind: "commit"; by: number }
  | { kind: "apply"; by: number }
  | { kind: "compact"; by: number };

const by = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), back: by, count: fc.nat(6) }),
  fc.record({ kind: fc.constant("write" as const) }),
  fc.record({ kind: fc.constant("stable" as const) }),
  fc.record({ kind: fc.constant("commit" as const), by }),
  fc.record({ kind: fc.constant("apply" as const), by }),
  fc.record({ kind: fc.constant("compact" as const), by }),
);

function play(log: RaftLog, storage: MemoryStorage, model: Entry[], it: Step, term: number): void {
  const { unstable } = log;
  if (it.kind === "append") {
    const from = Math.max(log.committed, model.length - it.back) + 1;
    const added = entries(from, ...Array.from({ length: it.count }, () => term));
    if (added.length > 0) model.splice(from - 1, Infinity, ...added);
    log.append(added);
  } else if (it.kind === "write") {
    storage.append(unstable.nextEntries());
    unstable.acceptInProgress();
  } else if (it.kind === "stable") {
    const written = unstable.offsetInProgress - unstable.offset;
    const last = unstable.entries[written - 1];
    if (last !== undefined) unstable.stableTo(last);
  } else if (it.kind === "commit") {
    log.commitTo(Math.min(model.length, log.committed + it.by));
  } else if (it.kind === "apply") {
    const committed = log.nextCommitted(false).slice(0, it.by);
    const last = committed.at(-1);
    if (last === undefined) return;
    log.acceptApplying(last.index, 0, false);
    log.appliedTo(last.index, 0);
  } else {
    const index = log.applied - it.by;
    if (index >= log.firstIndex && index < unstable.offset) storage.compact(index);
  }
}

test("a log is up to date by the term of its last entry first, then by its length (§5.4.1)", () => {
  const log = logOf(entries(1, 1, 2, 3));
  // index, term -> is it up to date
  const table: [number, number, boolean][] = [
    [2, 4, true],
    [3, 4, true],
    [4, 4, true],
    [2, 2, false],
    [4, 2, false],
    [2, 3, false],
    [3, 3, true],
    [4, 3, true],
  ];
  for (const [index, term, expected] of table) {
    assert.equal(log.isUpToDate({ index, term }), expected, `${term}/${index}`);
  }
});

test("entries are taken where the logs meet, and replace only what differs (§5.3)", () => {
  // previous term/index, terms offered, leader's commit -> index agreed on, terms, commit
  const table: [[number, number], number[], number, number | undefined, number[], number][] = [
    [[2, 3], [4], 3, undefined, [1, 2, 3], 1],
    [[3, 4], [4], 4, undefined, [1, 2, 3], 1],
    [[3, 3], [], 3, 3, [1, 2, 3], 3],
    [[3, 3], [], 4, 3, [1, 2, 3], 3],
    [[3, 3], [], 2, 3, [1, 2, 3], 2],
    [[0, 0], [], 3, 0, [1, 2, 3], 1],
    [[3, 3], [4, 4], 4, 5, [1, 2, 3, 4, 4], 4],
    [[2, 2], [4], 4, 3, [1, 2, 4], 3],
    [[1, 1], [4, 4], 2, 3, [1, 4, 4], 2],
    [[1, 1], [2, 3], 1, 3, [1, 2, 3], 1],
    [[1, 1], [2], 1, 2, [1, 2, 3], 1],
  ];
  for (const [[term, index], offered, commit, agreed, after, committed] of table) {
    const log = logOf(entries(1, 1, 2), entries(3, 3));
    log.commitTo(1);
    const slice = { previous: { term, index }, entries: entries(index + 1, ...offered) };
    assert.equal(log.maybeAppend(slice, commit), agreed);
    assert.deepEqual([terms(log), log.committed], [after, committed]);
  }
});

test("an entry in conflict with a committed one stops the member", () => {
  const log = logOf(entries(1, 1, 2, 3));
  log.commitTo(2);
  const slice = { previous: { term: 1, index: 1 }, entries: entries(2, 4) };
  assert.throws(() => log.maybeAppend(slice, 2), /entry 2 conflict with committed entry/);
  assert.throws(() => log.append(entries(2, 4)), /after\(1\) is out of range \[committed\(2\)\]/);
});

test("a commit index past the end of the log stops the member", () => {
  const log = logOf(entries(1, 1, 2, 3));
  assert.throws(() => log.commitTo(4), RaftError);
  log.commitTo(3);
  log.commitTo(1);
  assert.equal(log.committed, 3);
});

test("where logs may part is found by term (§5.3)", () => {
  // terms from index 1 on, index and term of the other's entry -> the guess
  const table: [number[], number, number, number, number][] = [
    [[2, 2, 5, 5, 5], 100, 2, 100, 0],
    [[2, 2, 5, 5, 5], 5, 6, 5, 5],
    [[2, 2, 5, 5, 5], 5, 5, 5, 5],
    [[2, 2, 5, 5, 5], 5, 4, 2, 2],
    [[2, 2, 5, 5, 5], 5, 2, 2, 2],
    [[2, 2, 5, 5, 5], 5, 1, 0, 0],
    [[2, 2, 5, 5, 5], 1, 2, 1, 2],
    [[2, 2, 5, 5, 5], 1, 1, 0, 0],
    [[], 0, 0, 0, 0],
  ];
  for (const [ours, index, term, guess, guessTerm] of table) {
    const found = logOf(entries(1, ...ours)).findConflictByTerm(index, term);
    assert.deepEqual(found, { index: guess, term: guessTerm });
  }
});

test("a leader commits by counting only entries of its own term (§5.4.2)", () => {
  const log = logOf(entries(1, 1, 2, 2));
  assert.equal(log.maybeCommit({ index: 1, term: 2 }), false);
  assert.equal(log.maybeCommit({ index: 4, term: 2 }), false);
  assert.equal(log.maybeCommit({ index: 2, term: 2 }), true);
  assert.equal(log.maybeCommit({ index: 2, term: 2 }), false);
  assert.equal(log.committed, 2);
});

test("no more is handed out to be applied than may be under way", () => {
  const size = entryBytes(entries(3, 1)[0]!);
  const storage = new MemoryStorage();
  storage.append(entries(1, 1, 1, 1));
  const log = new RaftLog(storage, {}, size * 2);
  log.commitTo(3);
  assert.equal(log.nextCommitted(true).length, 2);
  log.acceptApplying(2, size * 2, true);
  assert.equal(log.hasNextCommitted(true), false);
  log.appliedTo(1, size);
  assert.deepEqual(
    log.nextCommitted(true).map(({ index }) => index),
    [3],
  );
});

test("entries that are not durable are handed out only where that is allowed", () => {
  const log = logOf(entries(1, 1), entries(2, 1));
  log.commitTo(2);
  assert.equal(log.nextCommitted(true).length, 2);
  assert.equal(log.nextCommitted(false).length, 1);
});

test("nothing is handed out before a snapshot that waits to be saved", () => {
  const log = logOf(entries(1, 1, 1));
  log.commitTo(2);
  const meta = { index: 5, term: 2, confState: EMPTY_CONF_STATE };
  log.restore({ meta, data: new Uint8Array(0) });
  assert.deepEqual([log.firstIndex, log.lastIndex, log.term(5)], [6, 5, 2]);
  assert.equal(log.hasNextCommitted(true), false);
  log.unstable.stableSnapshotTo(4);
  assert.notEqual(log.unstable.snapshot, undefined);
  log.unstable.stableSnapshotTo(5);
  assert.equal(log.unstable.snapshot, undefined);
});

test("what was replaced meanwhile does not become durable", () => {
  const log = logOf([], entries(1, 1, 1, 1));
  const { unstable } = log;
  unstable.acceptInProgress();
  assert.equal(unstable.hasNextEntries, false);
  log.append(entries(2, 2, 2));
  assert.deepEqual(
    unstable.nextEntries().map(({ term }) => term),
    [2, 2],
  );
  unstable.stableTo({ index: 3, term: 1 });
  assert.equal(unstable.offset, 1);
  unstable.stableTo({ index: 9, term: 1 });
  assert.equal(unstable.offset, 1);
  unstable.stableTo({ index: 1, term: 1 });
  assert.equal(unstable.offset, 2);
  assert.equal(unstable.entries.length, 2);
});

test("entries that were durable and then replaced are not applied", () => {
  const storage = new MemoryStorage();
  const log = new RaftLog(storage, {}, Infinity);
  log.append(entries(1, 1, 1, 1));
  storage.append(log.unstable.nextEntries());
  log.unstable.acceptInProgress();
  log.unstable.stableTo({ index: 3, term: 1 });
  log.append(entries(2, 2));
  log.commitTo(2);
  assert.deepEqual(ids(log.nextCommitted(true)), ["1/1", "2/2"]);
});

test("wherever its entries are, the log reads as one", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const storage = new MemoryStorage();
      const log = new RaftLog(storage, {}, Infinity);
      const model: Entry[] = [];
      let term = 1;
      for (const it of steps) {
        term++;
        play(log, storage, model, it, term);
        const { firstIndex } = log;
        assert.equal(log.lastIndex, model.length);
        assert.deepEqual(ids(log.entries(firstIndex, Infinity)), ids(model.slice(firstIndex - 1)));
        const appliable = Math.min(log.committed, log.unstable.offset - 1);
        assert.deepEqual(ids(log.nextCommitted(false)), ids(model.slice(log.applying, appliable)));
        for (const { index } of model.slice(firstIndex - 1)) {
          assert.equal(log.term(index), model[index - 1]!.term);
        }
      }
    }),
    { numRuns: 400 },
  );
});
