import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Inflights } from "./inflights.ts";

test("the window is full by messages or by bytes, whichever comes first", () => {
  const byMessages = new Inflights(2, Infinity);
  byMessages.add(1, 100);
  assert.equal(byMessages.isFull, false);
  byMessages.add(2, 100);
  assert.equal(byMessages.isFull, true);
  const byBytes = new Inflights(10, 100);
  byBytes.add(1, 99);
  assert.equal(byBytes.isFull, false);
  byBytes.add(2, 99);
  assert.equal(byBytes.isFull, true);
});

test("a full window takes nothing more", () => {
  const window = new Inflights(1, Infinity);
  window.add(1, 1);
  assert.throws(() => window.add(2, 1), /full window/);
});

const action = fc.oneof(
  fc.record({ kind: fc.constant("add"), by: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(20) }),
  fc.record({ kind: fc.constant("free"), by: fc.nat(30), bytes: fc.constant(0) }),
  fc.record({ kind: fc.constant("reset"), by: fc.constant(0), bytes: fc.constant(0) }),
);

test("the ring counts as a plain list of messages does", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 60 }),
      fc.array(action, { maxLength: 80 }),
      (countMax, bytesMax, actions) => {
        const window = new Inflights(countMax, bytesMax);
        let model: { index: number; bytes: number }[] = [];
        let last = 0;
        for (const { kind, by, bytes } of actions) {
          if (kind === "add" && !window.isFull) {
            last += by;
            window.add(last, bytes);
            model.push({ index: last, bytes });
          } else if (kind === "free") {
            const to = Math.max(0, last - by);
            window.freeTo(to);
            model = model.filter(({ index }) => index > to);
          } else if (kind === "reset") {
            window.reset();
            model = [];
          }
          const held = model.reduce((sum, it) => sum + it.bytes, 0);
          assert.equal(window.count, model.length);
          assert.equal(window.isFull, model.length === countMax || held >= bytesMax);
        }
      },
    ),
  );
});
