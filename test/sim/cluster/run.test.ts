import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan } from "./plan.ts";
import { type Outcome, run } from "./run.ts";

const MS = 8000;

// Before any test, since the hooks of the test runner make every promise dear.
const outcomes: Outcome[] = [];
for (let seed = 1; seed <= 6; seed++) outcomes.push(await run(drawPlan(seed, MS)));
const again = await run(drawPlan(2, MS));

test("a cluster keeps its word while everything goes wrong", () => {
  assert.deepEqual(
    outcomes.map(({ violations }) => violations),
    outcomes.map(() => []),
  );
  assert.ok(outcomes.every(({ answered }) => answered > 20));
});

test("the same seed gives the same trace, byte by byte, and another seed another", () => {
  assert.deepEqual(again.trace, outcomes[1]!.trace);
  assert.equal(again.digest, outcomes[1]!.digest);
  assert.notEqual(again.digest, outcomes[2]!.digest);
});
