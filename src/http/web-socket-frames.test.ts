import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { frameHead, FrameReader, OPCODE } from "./web-socket-frames.ts";

/** A client's frame. */
function frame(opcode: number, payload: Uint8Array, isFinal = true): Buffer {
  const head = Buffer.from(frameHead(opcode, payload.length, isFinal));
  head[1]! |= 0x80;
  const mask = [0xa1, 0x00, 0xff, 0x3c];
  return Buffer.concat([head, Buffer.from(mask), payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

/** What a reader makes of pieces of bytes: messages in hex, and what else there was. */
function read(pieces: readonly Uint8Array[]): string[] {
  const found: string[] = [];
  let message: Uint8Array[] = [];
  const reader = new FrameReader({
    data: (piece, isLast) => {
      message.push(piece);
      if (!isLast) return;
      found.push(Buffer.concat(message).toString("hex"));
      message = [];
    },
    ping: (payload) => found.push(`ping ${Buffer.from(payload).toString("hex")}`),
    close: (code) => found.push(`close ${code}`),
    violation: (reason) => found.push(reason),
  });
  for (const piece of pieces) reader.push(piece);
  return found;
}

function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) pieces.push(bytes.subarray(at, (at += length)));
  pieces.push(bytes.subarray(at));
  return pieces;
}

test("messages come out as they went in, in frames and pieces of any size", () => {
  const message = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), fc.array(fc.nat(150)), (messages, cuts) => {
      const frames = messages.flatMap((parts) =>
        parts.map((part, i) =>
          frame(i === 0 ? OPCODE.text : OPCODE.continuation, part, i === parts.length - 1),
        ),
      );
      const wanted = messages.map((parts) => Buffer.concat(parts).toString("hex"));
      assert.deepEqual(read(cut(Buffer.concat(frames), cuts)), wanted);
    }),
  );
});

test("lengths of every form are read back", () => {
  for (const length of [0, 125, 126, 65_535, 65_536, 70_001]) {
    const payload = Buffer.alloc(length, "ab");
    assert.deepEqual(read([frame(OPCODE.binary, payload)]), [payload.toString("hex")]);
  }
  assert.deepEqual(
    [...frameHead(OPCODE.text, 2 ** 32 + 5, true)],
    [0x81, 127, 0, 0, 0, 1, 0, 0, 0, 5],
  );
});

test("a ping between the frames of a message is told at once", () => {
  const frames = [
    frame(OPCODE.text, Buffer.from("a"), false),
    frame(OPCODE.ping, Buffer.from("p")),
    frame(OPCODE.pong, Buffer.from("q")),
    frame(OPCODE.continuation, Buffer.from("b")),
  ];
  assert.deepEqual(read([Buffer.concat(frames)]), ["ping 70", "6162"]);
});

const EMPTY = new Uint8Array(0);
const BAD: readonly (readonly [reason: string, bytes: Uint8Array])[] = [
  ["bad MASK", Uint8Array.of(0x81, 0x01)],
  ["reserved bits set", Uint8Array.of(0xc1, 0x80, 0, 0, 0, 0)],
  ["bad opcode 3", frame(3, EMPTY)],
  ["bad opcode 15", frame(15, EMPTY)],
  ["continuation after FIN", frame(OPCODE.continuation, EMPTY)],
  ["FIN not set on control", frame(OPCODE.ping, EMPTY, false)],
  ["len > 125 for control", frame(OPCODE.ping, new Uint8Array(126))],
  ["bad close code 1005", frame(OPCODE.close, Uint8Array.of(3, 0xed))],
  ["bad close code 1005", frame(OPCODE.close, Uint8Array.of(3))],
  ["data before FIN", Buffer.concat([frame(OPCODE.text, EMPTY, false), frame(OPCODE.text, EMPTY)])],
];

for (const [reason, bytes] of BAD) {
  test(`${Buffer.from(bytes).toString("hex")} is refused: ${reason}`, () => {
    assert.deepEqual(read([bytes, frame(OPCODE.text, EMPTY)]).at(-1), reason);
  });
}

test("a goodbye is told with its code, and ends the reading", () => {
  assert.deepEqual(read([frame(OPCODE.close, EMPTY), frame(OPCODE.ping, EMPTY)]), ["close 1005"]);
  assert.deepEqual(read([frame(OPCODE.close, Uint8Array.of(3, 0xe8, 65))]), ["close 1000"]);
});

test("any bytes at all are taken without an exception", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array()), (pieces) => void read(pieces)));
});
