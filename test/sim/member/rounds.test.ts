import assert from "node:assert/strict";
import { test } from "node:test";
import { newDisk } from "../data-dir.ts";
import { Ledger } from "./ledger.ts";
import { live } from "./life.ts";
import { runRounds } from "./rounds.ts";
import { script } from "./script.ts";

// For more than this: npm run sim:member -- --rounds 100000

// Before any test, since the hooks of the test runner make every promise dear.
const outcome = await runRounds({ rounds: 225, seed: 1 }).catch((error: Error) => error);

test("lives at random that end at random break no promise", () => {
  if (outcome instanceof Error) throw outcome;
  const { ends, promises } = outcome;
  for (const [end, count] of Object.entries(ends)) assert.ok(count > 20, `${count} ${end}`);
  assert.ok(promises > 2000, `${promises} promises`);
});

test("the same seed gives the same file calls, byte for byte", async () => {
  const traceOf = async (seed: number) => {
    const { calls } = await live({ disk: newDisk(), ledger: new Ledger(), seed, work: script });
    return calls.trace;
  };
  assert.deepEqual(await traceOf(3), await traceOf(3));
  assert.notDeepEqual(await traceOf(3), await traceOf(4));
});
