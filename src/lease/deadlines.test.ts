import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Deadlines, type Timed } from "./deadlines.ts";

/** An item by its number, and what is done to it: a new deadline, or taken out. */
const action = fc.record({ item: fc.nat({ max: 20 }), at: fc.option(fc.nat({ max: 30 })) });

test("the next deadline is the least of all, whatever was moved or taken out before", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const items: Timed[] = Array.from({ length: 21 }, () => ({ at: 0, place: -1 }));
      const queue = new Deadlines<Timed>();
      const model = new Map<Timed, number>();
      for (const { item, at } of actions) {
        const timed = items[item]!;
        if (at === null) {
          queue.delete(timed);
          model.delete(timed);
        } else {
          queue.set(timed, at);
          model.set(timed, at);
        }
        assert.equal(queue.size, model.size);
        if (model.size > 0) assert.equal(queue.next?.at, Math.min(...model.values()));
      }
      const order: number[] = [];
      for (let next = queue.next; next !== undefined; next = queue.next) {
        order.push(next.at);
        queue.delete(next);
      }
      assert.deepEqual(
        order,
        [...model.values()].toSorted((a, b) => a - b),
      );
    }),
  );
});
