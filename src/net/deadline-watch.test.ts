import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadlineWatch } from "./deadline-watch.ts";

test("deadlines are looked at while there are any, and not otherwise", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let looks = 0;
  const source = { deadlines: { size: 0 }, expire: () => looks++ };
  const watch = new DeadlineWatch(source, 10);
  watch.wake();
  t.mock.timers.tick(100);
  assert.equal(looks, 0);
  for (const before of [0, 3]) {
    source.deadlines.size = 1;
    watch.wake();
    watch.wake();
    t.mock.timers.tick(20);
    assert.equal(looks, before + 2);
    source.deadlines.size = 0;
    t.mock.timers.tick(100);
    assert.equal(looks, before + 3);
  }
  source.deadlines.size = 1;
  watch.wake();
  watch.stop();
  t.mock.timers.tick(100);
  assert.equal(looks, 6);
});
