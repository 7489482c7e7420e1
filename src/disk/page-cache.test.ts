import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PageCache } from "./page-cache.ts";

const PAGE = 1000;

function pageOf(id: number): Uint8Array {
  return new Uint8Array(PAGE).fill(id);
}

test("a cache gives back what was put last, or nothing, and never exceeds its bound", () => {
  const step = fc.record({ kind: fc.constantFrom("set", "get", "delete"), id: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = new PageCache(10_000);
      const last = new Map<number, Uint8Array>();
      for (const { kind, id } of steps) {
        if (kind === "set") cache.set(id, last.set(id, pageOf(id)).get(id)!);
        else if (kind === "delete") cache.delete(id);
        else assert.ok([undefined, last.get(id)].includes(cache.get(id)));
        if (kind === "delete") assert.equal(cache.get(id), undefined);
        if (kind === "set") assert.equal(cache.get(id), last.get(id));
        assert.ok(cache.bytes <= 10_000);
      }
    }),
  );
});

test("pages that are read again and again outlive those that come by once", () => {
  const cache = new PageCache(20 * PAGE);
  for (const id of [1, 2, 3]) cache.set(id, pageOf(id));
  for (let id = 100; id < 1000; id++) {
    cache.set(id, pageOf(id));
    for (const hot of [1, 2, 3]) assert.ok(cache.get(hot) !== undefined, `${hot} at ${id}`);
  }
});

test("a page larger than the bound is kept alone, so that a fetch of it ends", () => {
  const cache = new PageCache(PAGE);
  cache.set(1, pageOf(1));
  cache.set(2, new Uint8Array(5 * PAGE));
  assert.ok(cache.get(2) !== undefined);
  assert.equal(cache.get(1), undefined);
  cache.set(3, pageOf(3));
  assert.equal(cache.get(2), undefined);
});
