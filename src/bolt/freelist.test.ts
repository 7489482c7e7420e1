import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Freelist, FreePages } from "./freelist.ts";

/** Where the lowest run of `pages` begins in a list of flags, the slow way. */
function lowest(free: readonly boolean[], pages: number): number | undefined {
  for (let first = 0; first + pages <= free.length; first++) {
    if (free.slice(first, first + pages).every((flag) => flag)) return first;
  }
  return undefined;
}

const run = fc.record({ first: fc.nat(700), pages: fc.integer({ min: 1, max: 90 }) });
const step = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), run }),
  fc.record({ kind: fc.constant("take" as const), run }),
);

test("taking pages gives the lowest run that is long enough, as a plain list does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const pages = new FreePages();
      const model: boolean[] = Array.from({ length: 1000 }, () => false);
      for (const { kind, run } of steps) {
        if (kind === "take") {
          const first = lowest(model, run.pages);
          assert.equal(pages.take(run.pages), first);
          if (first !== undefined) model.fill(false, first, first + run.pages);
        } else if (!model.slice(run.first, run.first + run.pages).includes(true)) {
          pages.add(run.first, run.pages);
          model.fill(true, run.first, run.first + run.pages);
        }
        assert.equal(pages.count, model.filter((flag) => flag).length);
        const end = run.first + run.pages;
        assert.equal(pages.tail(end), end - 1 - model.lastIndexOf(false, end - 1));
      }
    }),
  );
});

test("a set of bits and the same pages added one by one answer alike", () => {
  fc.assert(
    fc.property(fc.uint32Array({ minLength: 8, maxLength: 8 }), (bits) => {
      const added = new FreePages();
      for (let page = 0; page < 256; page++) {
        if ((bits[page >>> 5]! >>> (page & 31)) & 1) added.add(page, 1);
      }
      const built = new FreePages(bits.slice());
      assert.equal(built.count, added.count);
      for (let pages = 40; pages > 0; pages--) assert.equal(built.take(pages), added.take(pages));
    }),
  );
});

test("freeing a free page is a bug that is noticed", () => {
  const pages = new FreePages();
  pages.add(5, 3);
  assert.throws(() => pages.add(7, 1), /page 7 is already free/);
});

test("what a transaction replaced is free once it is durable and no older pin is held", () => {
  const list = new Freelist();
  list.durable(4);
  list.pin(4);
  list.wait(5, [10, 2]);
  assert.equal(list.count, 0, "transaction 5 is not durable");
  list.durable(5);
  assert.equal(list.count, 0, "the pin of 4 still reads them");
  list.pin(5);
  list.unpin(4);
  assert.equal(list.count, 2, "a pin of 5 does not");
});
