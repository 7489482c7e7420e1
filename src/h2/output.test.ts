import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool, OutputBuffer } from "./output.ts";

const KIB = 1024;

test("a large buffer that has left is used again, and by one at a time", () => {
  const pool = new BufferPool();
  const [a, b] = [new OutputBuffer(pool), new OutputBuffer(pool)];
  a.append(new Uint8Array(300 * KIB).fill(1));
  const { buffer } = a.take();
  b.append(new Uint8Array(300 * KIB).fill(2));
  assert.notEqual(b.bytes.buffer, buffer, "it has not left yet");
  a.reuse();
  a.append(new Uint8Array(290 * KIB).fill(3));
  assert.equal(a.bytes.buffer, buffer);
  assert.deepEqual(a.take(), Buffer.alloc(290 * KIB, 3));
  assert.deepEqual(b.take(), Buffer.alloc(300 * KIB, 2));
});

test("a pool keeps few large buffers, and none that it has not lent", () => {
  const pool = new BufferPool();
  const lent = Array.from({ length: 5 }, () => pool.take(200 * KIB));
  for (const buffer of [...lent, new Uint8Array(300 * KIB)]) pool.give(buffer);
  const again = new Set(Array.from({ length: 5 }, () => pool.take(200 * KIB)));
  assert.equal(lent.filter((buffer) => again.has(buffer)).length, 2);
  for (const buffer of again) assert.equal(buffer.length, 256 * KIB);
  const huge = pool.take(5000 * KIB);
  pool.give(huge);
  assert.notEqual(pool.take(5000 * KIB), huge);
});

test("what has gathered is kept when a buffer grows", () => {
  const pool = new BufferPool();
  const out = new OutputBuffer(pool);
  const expected: number[] = [];
  for (let part = 0; part < 60; part++) {
    const bytes = new Uint8Array(1000).fill(part);
    out.append(bytes);
    expected.push(...bytes);
  }
  assert.deepEqual(out.take(), Buffer.from(expected));
});
