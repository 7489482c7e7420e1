import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Arena, compareBytes, crc32c, Heap, textToBytes } from "./index.ts";

test("crc32c gives the check value of the standard (RFC 3720 B.4)", () => {
  assert.equal(crc32c(0, textToBytes("123456789")), 0xe3069283);
  assert.equal(crc32c(0, new Uint8Array(32)), 0x8a9136aa);
});

test("crc32c over two parts equals crc32c over the whole", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const at = Math.min(cut, bytes.length);
      const chained = crc32c(crc32c(0, bytes, 0, at), bytes, at);
      assert.equal(chained, crc32c(0, bytes));
    }),
  );
});

test("compareBytes orders as Buffer.compare does", () => {
  const bytes = fc.uint8Array({ maxLength: 6, max: 3 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
    }),
  );
});

test("a heap gives its items back in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (numbers) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const number of numbers) heap.push(number);
      const out: number[] = [];
      while (heap.size > 0) out.push(heap.pop()!);
      assert.deepEqual(
        out,
        numbers.toSorted((a, b) => a - b),
      );
    }),
  );
});

test("pieces of an arena never overlap", () => {
  const arena = new Arena(64);
  const pieces = [10, 3, 16, 16, 16, 40, 1].map((length, i) => arena.alloc(length).fill(i));
  pieces.forEach((piece, i) => {
    assert.ok(piece.every((byte) => byte === i));
  });
});
