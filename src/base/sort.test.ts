import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sortInSlices } from "./index.ts";

interface Card {
  readonly rank: number;
  readonly place: number;
}

const byRank = (a: Card, b: Card) => a.rank - b.rank;

function sorted(cards: readonly Card[]): { result: Card[]; slices: number } {
  const slices = sortInSlices(cards, byRank);
  for (let count = 1; ; count++) {
    const step = slices.next();
    if (step.done === true) return { result: step.value, slices: count };
  }
}

test("sorting in slices is sorting, and keeps equals in their order", () => {
  const ranks = fc.array(fc.nat({ max: 50 }), { maxLength: 9000, size: "max" });
  fc.assert(
    fc.property(ranks, (drawn) => {
      const cards = drawn.map((rank, place) => ({ rank, place }));
      assert.deepEqual(sorted(cards).result, cards.toSorted(byRank));
    }),
    { numRuns: 30 },
  );
});

test("many elements are sorted in many slices", () => {
  const cards = Array.from({ length: 50_000 }, (_, i) => ({ rank: (i * 7919) % 50_000, place: i }));
  const { result, slices } = sorted(cards);
  assert.deepEqual(result, cards.toSorted(byRank));
  assert.ok(slices > 30, `${slices} slices`);
});
