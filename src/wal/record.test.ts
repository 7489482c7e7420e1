import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToHex } from "../base/index.ts";
import { EMPTY_CONF_STATE, encodeLogMetadata } from "../proto/index.ts";
import { Frame, RECORD, RecordEncoder } from "./record.ts";

const empty = new Uint8Array(0);
const confState = { ...EMPTY_CONF_STATE, voters: [1n] };

function framesOf(bytes: Uint8Array): { type: number; start: number; end: number }[] {
  const frame = new Frame();
  const frames = [];
  for (let at = 0; at < bytes.length; at = frame.end) {
    assert.equal(frame.parse(bytes, at, bytes.length), "record");
    frames.push({ type: frame.type, start: at, end: frame.end });
  }
  return frames;
}

function sample(): RecordEncoder {
  const encoder = new RecordEncoder(0);
  encoder.checksum();
  encoder.metadata(encodeLogMetadata({ nodeId: 7n, clusterId: 0xffff_ffff_ffff_ffffn }));
  encoder.snapshot({ index: 0, term: 0, confState });
  for (let length = 0; length < 9; length++) {
    encoder.entry({
      term: 1,
      index: length + 1,
      type: 0,
      data: new Uint8Array(length).fill(length),
    });
  }
  encoder.entry({ term: 1, index: 10, type: 1, data: empty });
  encoder.state({ term: 1, vote: 7n, commit: 10 });
  encoder.snapshot({ index: 10, term: 1, confState });
  return encoder;
}

test("the first record of a log is a crc record of 0 (formats 1.4)", () => {
  const encoder = new RecordEncoder(0);
  encoder.checksum();
  assert.equal(bytesToHex(encoder.view()), "04000000000000840804100000000000");
});

test("a record is its length, its fields and zeros up to a multiple of 8", () => {
  const encoder = new RecordEncoder(0);
  encoder.snapshot({ index: 0, term: 0, confState });
  const hex = bytesToHex(encoder.view());
  assert.match(hex, /^[0-9a-f]{2}0{12}8[0-7]080510[0-9a-f]{2,10}1a0408001000(00){0,7}$/);
  assert.equal(encoder.length % 8, 0);
});

test("frames come back in order, each checksum continuing the one before", () => {
  const encoder = sample();
  const bytes = encoder.view();
  const frame = new Frame();
  let crc = 0;
  for (let at = 0; at < bytes.length; at = frame.end) {
    assert.equal(frame.parse(bytes, at, bytes.length), "record");
    crc = frame.checksum(crc, bytes);
    assert.equal(crc, frame.crc);
  }
  assert.equal(crc, encoder.crc);
  const types = framesOf(bytes).map((each) => each.type);
  assert.deepEqual(types, [4, 1, 5, ...Array.from({ length: 10 }, () => RECORD.entry), 3, 5]);
});

test("a checksum with a short varint moves the data down", () => {
  // About one checksum in sixteen has fewer than five bytes.
  const encoder = new RecordEncoder(0);
  const lengths = new Set<number>();
  for (let index = 1; index < 500; index++) {
    const start = encoder.length;
    encoder.entry({ term: 1, index, type: 0, data: new Uint8Array(200) });
    lengths.add(encoder.view()[start]!);
  }
  assert.ok(lengths.size > 1);
  assert.equal(framesOf(encoder.view()).length, 499);
});

test("no flip of one bit outside the type leaves a frame whole", () => {
  const bytes = sample().view();
  const frame = new Frame();
  let crc = 0;
  for (const { start, end, type } of framesOf(bytes)) {
    for (let bit = start * 8; bit < end * 8; bit++) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      const status = frame.parse(bytes, start, bytes.length);
      const sound = status === "record" && frame.checksum(crc, bytes) === frame.crc;
      const inType = bit >>> 3 === start + 9;
      assert.ok(!sound || inType, `bit ${bit} of a record of type ${type} at ${start}`);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
    }
    frame.parse(bytes, start, bytes.length);
    crc = frame.crc;
  }
});

test("a frame that is cut is short and says what it needs", () => {
  const bytes = sample().view();
  const frame = new Frame();
  for (const { start, end } of framesOf(bytes)) {
    for (let cut = start; cut < end; cut++) {
      assert.equal(frame.parse(bytes, start, cut), "short");
      assert.equal(frame.bytesNeeded, cut - start < 8 ? 8 : end - start);
    }
  }
});

test("eight zeros are the end", () => {
  assert.equal(new Frame().parse(new Uint8Array(16), 0, 16), "end");
});

test("a frame is never believed to be longer than 4 GiB", () => {
  const bytes = new Uint8Array(64);
  bytes[4] = 1;
  assert.equal(new Frame().parse(bytes, 0, 64), "malformed");
});

test("bytes from anywhere are parsed without an error, within bounds", () => {
  const frame = new Frame();
  const valid = sample().view();
  const mutated = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 });
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    mutated.map((changes) => {
      const bytes = Uint8Array.from(valid);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(anything, (bytes) => {
      for (let at = 0; at < bytes.length; at += 8) {
        if (frame.parse(bytes, at, bytes.length) !== "record") continue;
        assert.ok(frame.end > at && frame.end <= bytes.length);
        if (frame.hasData)
          assert.ok(frame.dataStart <= frame.dataEnd && frame.dataEnd <= frame.end);
      }
    }),
  );
});

test("a batch larger than what is kept does not stay in memory", () => {
  const encoder = new RecordEncoder(0);
  encoder.entry({ term: 1, index: 1, type: 0, data: new Uint8Array(5_000_000) });
  encoder.reset();
  encoder.entry({ term: 1, index: 2, type: 0, data: new Uint8Array(5) });
  assert.ok(encoder.view().buffer.byteLength < 1_000_000);
});
