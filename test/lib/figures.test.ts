import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile } from "./figures.ts";

test("the median is the middle value, or the mean of the two in the middle", () => {
  assert.equal(median([7]), 7);
  assert.equal(median([10, 9, 1]), 9);
  assert.equal(median([10, 2, 1, 4]), 3);
  assert.ok(Number.isNaN(median([])));
});

test("a quantile is one of the values, of which that part is below it", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(quantile(hundred, 0), 1);
  assert.equal(quantile(hundred, 0.5), 51);
  assert.equal(quantile(hundred, 0.99), 100);
  assert.equal(quantile(hundred, 1), 100);
  assert.equal(quantile([3], 0.999), 3);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test("figures are counted as numbers, and stay in the order they were given in", () => {
  const values = [10, 9, 100];
  assert.equal(quantile(values, 0), 9);
  assert.equal(median(values), 10);
  assert.deepEqual(values, [10, 9, 100]);
});
