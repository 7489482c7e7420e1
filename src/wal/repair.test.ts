import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordEncoder } from "./record.ts";
import { findIntactRecord, lacksPart } from "./repair.ts";

function recordsBehind(junkBytes: number): Uint8Array {
  const encoder = new RecordEncoder(5);
  encoder.entry({ term: 1, index: 1, type: 0, data: new Uint8Array(10) });
  encoder.state({ term: 1, vote: 0n, commit: 1 });
  const bytes = new Uint8Array(junkBytes + encoder.length + 64);
  bytes.set(encoder.view(), junkBytes);
  return bytes;
}

test("an intact record is found behind junk and zeros, at a multiple of 8", () => {
  const bytes = recordsBehind(80);
  bytes.fill(0xab, 0, 40);
  assert.equal(findIntactRecord(bytes, 8), 80);
  assert.equal(findIntactRecord(recordsBehind(84), 8), -1);
});

test("a record whose length is a multiple of 256 is found too", () => {
  const encoder = new RecordEncoder(5);
  for (let length = 0; length < 600; length++) {
    encoder.reset();
    encoder.entry({ term: 1, index: 1, type: 0, data: new Uint8Array(length) });
    assert.equal(findIntactRecord(encoder.view(), 0), 0);
  }
});

test("zeros, junk and what is left of a record are not intact records", () => {
  assert.equal(findIntactRecord(new Uint8Array(4096), 0), -1);
  assert.equal(findIntactRecord(new Uint8Array(4096).fill(0xff), 0), -1);
  const encoder = new RecordEncoder(5);
  encoder.entry({ term: 1, index: 1, type: 0, data: new Uint8Array(100) });
  const whole = encoder.view();
  for (let cut = 0; cut < whole.length; cut++) {
    assert.equal(findIntactRecord(whole.subarray(0, cut), 0), -1);
  }
});

/** One record, and prepared space. */
function lastRecord(dataBytes: number): { bytes: Uint8Array; end: number } {
  const encoder = new RecordEncoder(5);
  encoder.entry({ term: 1, index: 1, type: 0, data: new Uint8Array(dataBytes).fill(9) });
  const bytes = new Uint8Array(encoder.length + 4096);
  bytes.set(encoder.view());
  return { bytes, end: bytes.findLastIndex((byte) => byte !== 0) + 1 };
}

test("a record that is cut lacks a part, whether zeros or nothing follow", () => {
  const { bytes, end } = lastRecord(1500);
  for (let cut = 1; cut < end; cut++) {
    assert.ok(lacksPart(bytes.subarray(0, cut), 40), `cut at ${cut}`);
    const zeroed = bytes.slice();
    assert.ok(lacksPart(zeroed.fill(0, cut), 40), `zeros from ${cut}`);
  }
});

test("a record without one of its sectors lacks a part", () => {
  const { bytes } = lastRecord(1500);
  for (const [from, to] of [
    [0, 472],
    [472, 984],
    [984, 1496],
    [1496, 4096],
  ] as const) {
    assert.ok(lacksPart(bytes.slice().fill(0, from, to), 40), `sector at ${from}`);
  }
});

test("a flipped bit behind the length field leaves the record complete", () => {
  const { bytes, end } = lastRecord(100);
  for (let bit = 64; bit < end * 8; bit++) {
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    assert.ok(!lacksPart(bytes, 40), `bit ${bit}`);
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
  }
});

test("a record whose length became zero is complete", () => {
  const { bytes } = lastRecord(100);
  assert.ok(!lacksPart(bytes.fill(0, 0, 8), 40));
});
