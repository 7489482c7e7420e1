import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReadAhead } from "./read-ahead.ts";

const PAGE_BYTES = 1024;
const FILE: Uint8Array = Uint8Array.from({ length: 700 * PAGE_BYTES }, (_, i) => (i * 31) >>> 8);

function open(): { ahead: ReadAhead; reads: number[] } {
  const reads: number[] = [];
  const ahead = new ReadAhead((bytes, offset) => {
    assert.ok(offset + bytes.length <= FILE.length, "nothing is read beyond the file");
    bytes.set(FILE.subarray(offset, offset + bytes.length));
    reads.push(bytes.length);
  });
  return { ahead, reads };
}

const place = fc.record({ page: fc.nat(699), pages: fc.integer({ min: 1, max: 600 }) });
const near = fc.record({ page: fc.nat(20), pages: fc.integer({ min: 1, max: 3 }) });

test("whatever is read, in whatever order, is what the file has there", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(place, near), { maxLength: 30 }), (places) => {
      const { ahead } = open();
      for (const { page, pages } of places) {
        const offset = page * PAGE_BYTES;
        const length = Math.min(pages * PAGE_BYTES, FILE.length - offset);
        const bytes = ahead.read(offset, length, FILE.length);
        assert.ok(Buffer.from(bytes).equals(FILE.subarray(offset, offset + length)));
      }
    }),
    { numRuns: 200 },
  );
});

test("reads that go forward take few calls, and reads here and there no more than they ask for", () => {
  const forward = open();
  for (let page = 0; page < 700; page++) {
    forward.ahead.read(page * PAGE_BYTES, PAGE_BYTES, FILE.length);
  }
  assert.ok(forward.reads.length < 12, `${forward.reads.length} reads`);
  const jumping = open();
  for (let i = 0; i < 700; i++) {
    jumping.ahead.read(((i * 311) % 700) * PAGE_BYTES, PAGE_BYTES, FILE.length);
  }
  assert.ok(jumping.reads.every((bytes) => bytes === PAGE_BYTES));
});

test("what was read before a change is not shown after it", () => {
  let content = 1;
  const ahead = new ReadAhead((bytes) => bytes.fill(content));
  assert.equal(ahead.read(0, 10, 1000)[0], 1);
  content = 2;
  assert.equal(ahead.read(0, 10, 1000)[0], 1);
  ahead.forget();
  assert.equal(ahead.read(0, 10, 1000)[0], 2);
});
