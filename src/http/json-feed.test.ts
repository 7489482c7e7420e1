import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonFeed } from "./json-feed.ts";

/** What comes out of a feed of pieces: texts, and `bad` at the end where it was. */
function fed(pieces: readonly Uint8Array[], bytesMax = 1000): string[] {
  const found: string[] = [];
  const feed = new JsonFeed(bytesMax, {
    value: (json) => found.push(Buffer.from(json).toString()),
    bad: () => found.push("bad"),
  });
  for (const piece of pieces) feed.push(piece);
  return found;
}

const TABLE: readonly (readonly [text: string, found: readonly string[]])[] = [
  ["", []],
  [" \n\t\r", []],
  ["{}", ["{}"]],
  ['{"a":1} {"b":2}\n{}', ['{"a":1}', '{"b":2}', "{}"]],
  ['{"a":{"b":{}}}', ['{"a":{"b":{}}}']],
  ['{"a":"}"}', ['{"a":"}"}']],
  ['{"a":"\\"}"}', ['{"a":"\\"}"}']],
  ['{"a":"\\\\"}', ['{"a":"\\\\"}']],
  ['{"a', []],
  ["7{}", ["bad"]],
  ["{}x{}", ["{}", "bad"]],
  ["[{}]", ["bad"]],
  ["}", ["bad"]],
];

for (const [text, found] of TABLE) {
  test(`${JSON.stringify(text)} holds ${found.length} values`, () => {
    assert.deepEqual(fed([Buffer.from(text)]), found);
    // One byte at a time.
    assert.deepEqual(fed([...Buffer.from(text)].map((byte) => Uint8Array.of(byte))), found);
  });
}

test("objects come out as they went in, however they are cut", () => {
  const objects = fc.array(fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue()), {
    maxLength: 4,
  });
  const cuts = fc.array(fc.nat(40), { maxLength: 10 });
  fc.assert(
    fc.property(objects, cuts, (values, lengths) => {
      const texts = values.map((value) => JSON.stringify(value));
      const bytes = Buffer.from(texts.join("\n"));
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const length of lengths) pieces.push(bytes.subarray(at, (at += length)));
      pieces.push(bytes.subarray(at));
      assert.deepEqual(fed(pieces, 1e6), texts);
    }),
  );
});

test("any bytes at all are taken without an exception", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array()), (pieces) => void fed(pieces)));
});

test("an object that is too long is bad, whether it comes at once or in pieces", () => {
  const long = Buffer.from(`{"a":"${"x".repeat(100)}"}`);
  assert.deepEqual(fed([long.subarray(0, 60), long.subarray(60)], 50), ["bad"]);
  assert.deepEqual(fed([long.subarray(0, 40), long.subarray(40)], 50), ["bad"]);
});
