import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { compareBytes } from "../base/index.ts";
import { ELEMENT_BYTES, findInPage, LEAF_PAGE, PAGE_HEADER_BYTES } from "./page.ts";

/** A leaf with these keys and no values. */
function leafOf(keys: readonly Uint8Array[]): Uint8Array {
  const page = new Uint8Array(65_536);
  const view = new DataView(page.buffer);
  view.setUint16(8, LEAF_PAGE, true);
  view.setUint16(10, keys.length, true);
  let at = PAGE_HEADER_BYTES + keys.length * ELEMENT_BYTES;
  for (const [i, key] of keys.entries()) {
    const element = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    view.setUint32(element + 4, at - element, true);
    view.setUint32(element + 8, key.length, true);
    page.set(key, at);
    at += key.length;
  }
  return page;
}

/** Few different bytes, so that keys are prefixes of each other and share much. */
const keyArbitrary = fc
  .array(fc.constantFrom(0, 1, 255), { minLength: 1, maxLength: 12 })
  .map((bytes) => Uint8Array.from(bytes));

test("a key is found in a page exactly where a search from the front finds it", () => {
  fc.assert(
    fc.property(fc.array(keyArbitrary, { maxLength: 60 }), keyArbitrary, (drawn, wanted) => {
      const sorted = drawn.toSorted(compareBytes);
      const keys = sorted.filter((key, i) => i === 0 || compareBytes(sorted[i - 1]!, key) !== 0);
      const place = keys.filter((key) => compareBytes(key, wanted) < 0).length;
      const isThere = place < keys.length && compareBytes(keys[place]!, wanted) === 0;
      assert.equal(findInPage(leafOf(keys), wanted), isThere ? place : ~place);
    }),
  );
});
