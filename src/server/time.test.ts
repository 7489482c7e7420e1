import assert from "node:assert/strict";
import { test } from "node:test";
import { LoopTime } from "./time.ts";

test("a turn that others have used up is spent, but not for who has only begun in it", () => {
  const time = new LoopTime();
  while (!time.turnIsSpent());
  const later = time.now() + 60_000;
  assert.equal(time.turnIsSpent(), true);
  assert.equal(time.turnIsSpent(time.now() - 60_000), true);
  assert.equal(time.turnIsSpent(later), false);
});
