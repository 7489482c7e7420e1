import assert from "node:assert/strict";
import { test } from "node:test";
import { ENTRY_TYPE, type Entry } from "../proto/index.ts";
import { Applier, type ApplierOptions } from "./applier.ts";

/** What a turn may take in all, and what the applier has of every turn. */
const TURN_MS = 4;
const OWN_MS = 2;

/** Applies entries that take so long each, one a batch; how long each turn took. */
async function turnsOf(entries: number, entryMs: number): Promise<readonly number[]> {
  let now = 0;
  let begun = 0;
  const turns: number[] = [];
  const parts = {
    state: {
      request: { field: 0, member: 0, sequence: 0 },
      apply: () => {
        now += entryMs;
        return {};
      },
    },
    node: {},
    proposals: { settle: () => {} },
    meters: { applied: { observe: () => {} } },
    time: {
      now: () => now,
      turnIsSpent: (since = 0) => now - begun >= TURN_MS && now - since >= OWN_MS,
      nextTurn: async () => {
        turns.push(now - begun);
        begun = now;
      },
    },
    warningApplyMs: 100,
    onApplied: () => {},
    between: () => undefined,
    hasMore: () => false,
    flush: () => {},
    onFatal: (error: unknown) => assert.fail(String(error)),
  };
  const applier = new Applier(parts as unknown as ApplierOptions);
  const data = new Uint8Array(1);
  const entry: Entry = { type: ENTRY_TYPE.normal, term: 1, index: 1, data };
  let left = entries;
  // As raft does: the end of a batch hands out the next one.
  const push = () => left-- > 0 && applier.push([entry], push);
  push();
  await applier.idle();
  return [...turns, now - begun];
}

test("many short batches take no longer of a turn than one with all of their entries", async () => {
  const turns = await turnsOf(64, 1.5);
  assert.equal(
    turns.reduce((sum, ms) => sum + ms, 0),
    96,
  );
  assert.ok(Math.max(...turns) <= TURN_MS + 1.5, `${Math.max(...turns)} ms`);
});

test("what fits into a turn is done in it", async () => {
  assert.deepEqual(await turnsOf(2, 1.5), [3]);
});
