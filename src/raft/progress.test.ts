import assert from "node:assert/strict";
import { test } from "node:test";
import { Inflights } from "./inflights.ts";
import { Progress, type ProgressState } from "./progress.ts";

function progress(state: ProgressState, match: number, next: number, pending = 0): Progress {
  const inflights = new Inflights(3, Infinity);
  const it = new Progress({ next, inflights, isLearner: false });
  return Object.assign(it, { state, match, pendingSnapshot: pending });
}

test("a refused append moves the next probe back, unless the refusal is stale", () => {
  // state, match, next, refused, hint -> is it genuine, next then
  const table: [ProgressState, number, number, number, number, boolean, number][] = [
    ["replicate", 5, 10, 5, 5, false, 10],
    ["replicate", 5, 10, 4, 4, false, 10],
    ["replicate", 5, 10, 9, 9, true, 6],
    ["probe", 0, 0, 0, 0, false, 0],
    ["probe", 0, 10, 5, 5, false, 10],
    ["probe", 0, 10, 9, 9, true, 9],
    ["probe", 0, 2, 1, 1, true, 1],
    ["probe", 0, 1, 0, 0, true, 1],
    ["probe", 0, 10, 9, 2, true, 3],
    ["probe", 0, 10, 9, 0, true, 1],
    ["probe", 5, 10, 9, 2, true, 6],
  ];
  for (const [state, match, next, refused, hint, isGenuine, then] of table) {
    const it = progress(state, match, next);
    assert.equal(it.maybeDecrease(refused, hint), isGenuine);
    assert.deepEqual([it.match, it.next], [match, then]);
  }
});

test("an acknowledgement is news only above the match, and never takes anything back", () => {
  // acknowledged -> is news, match, next
  const table: [number, boolean, number, number][] = [
    [2, false, 3, 5],
    [3, false, 3, 5],
    [4, true, 4, 5],
    [5, true, 5, 6],
  ];
  for (const [index, isNews, match, next] of table) {
    const it = progress("probe", 3, 5);
    assert.equal(it.maybeUpdate(index), isNews);
    assert.deepEqual([it.match, it.next], [match, next]);
  }
});

test("probing starts behind the match, or behind a snapshot that went through", () => {
  // state, match, pending snapshot -> next
  const table: [ProgressState, number, number, number][] = [
    ["replicate", 1, 0, 2],
    ["snapshot", 1, 10, 11],
    ["snapshot", 1, 0, 2],
  ];
  for (const [state, match, pending, next] of table) {
    const it = progress(state, match, 5, pending);
    it.becomeProbe();
    assert.deepEqual([it.state, it.next, it.pendingSnapshot], ["probe", next, 0]);
  }
});

test("a probe waits after one message, replication only when the window is full", () => {
  const probe = progress("probe", 0, 1);
  probe.sentEntries(2, 10);
  assert.deepEqual([probe.isPaused, probe.next], [true, 1]);
  const replicate = progress("replicate", 0, 1);
  replicate.sentEntries(2, 10);
  replicate.sentEntries(1, 10);
  assert.deepEqual([replicate.isPaused, replicate.next], [false, 4]);
  replicate.sentEntries(1, 10);
  assert.deepEqual([replicate.isPaused, replicate.next], [true, 5]);
  assert.throws(() => progress("snapshot", 0, 1).sentEntries(1, 1), /snapshot is under way/);
});

test("a copy becomes a learner alone", () => {
  const original = progress("replicate", 3, 7);
  const copy = original.clone();
  copy.isLearner = true;
  assert.deepEqual([original.isLearner, copy.match, copy.next], [false, 3, 7]);
});
