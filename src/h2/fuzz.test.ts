import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameType, PREFACE, Setting } from "./frames.ts";
import { EncodedField } from "./hpack.ts";
import {
  data,
  frame,
  headers,
  join,
  ping,
  REQUEST,
  rst,
  SETTINGS,
  setting,
  Subject,
  uint32,
  windowUpdate,
} from "./testkit.ts";

const id = fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1));
const payload = fc.uint8Array({ maxLength: 40 });

const wildFrame = fc
  .tuple(fc.nat(11), fc.nat(255), id, payload)
  .map(([type, flags, stream, bytes]) => frame(type, flags, stream, bytes));

const tameFrame = fc.oneof(
  fc.constantFrom(SETTINGS, ping()),
  id.map((stream) => headers(stream)),
  id.map((stream) => headers(stream, REQUEST, 5)),
  id.map((stream) => headers(stream, [[":status", "200"]])),
  fc.tuple(id, payload, fc.boolean()).map(([stream, bytes, last]) => data(stream, bytes, last)),
  fc.tuple(id, fc.nat(14)).map(([stream, code]) => rst(stream, code)),
  fc.tuple(id, fc.nat(2 ** 31 - 1)).map(([stream, bytes]) => windowUpdate(stream, bytes)),
  fc.tuple(fc.nat(7), fc.nat(2 ** 31)).map(([name, value]) => setting(name, value)),
  id.map((stream) => frame(FrameType.goaway, 0, 0, join(uint32(stream), uint32(0)))),
);

/** Answers and resets at random, as an application would. */
function useStreams(subject: Subject, choice: number): void {
  for (const stream of subject.streams.values()) {
    if (choice % 3 === 0)
      subject.connection.sendHead(stream, [new EncodedField(":status", "200")], false);
    if (choice % 5 === 0)
      subject.connection.sendData(stream, new Uint8Array(5), new Uint8Array(30_000));
    if (choice % 7 === 0) subject.connection.sendTrailers(stream, [new EncodedField("x", "y")]);
    if (choice % 11 === 0) subject.connection.reset(stream, 8);
  }
}

function drive(subject: Subject, input: Uint8Array, cuts: readonly number[]): void {
  let at = 0;
  for (const [i, cut] of [...cuts, input.length].entries()) {
    const end = Math.max(at, Math.min(input.length, cut));
    subject.feed(input.slice(at, end));
    at = end;
    useStreams(subject, cut);
    subject.nowMs += i * 100;
    subject.connection.tick(subject.nowMs);
    if (cut % 2 === 0) subject.output();
  }
  subject.connection.abort("over");
  assert.equal(subject.connection.openStreams, 0);
  assert.equal(subject.connection.queuedBytes, 0);
}

const cuts = fc.array(fc.nat(400), { maxLength: 6 }).map((list) => list.sort((a, b) => a - b));
const frames = fc
  .array(fc.oneof(wildFrame, tameFrame, tameFrame, fc.uint8Array({ maxLength: 20 })), {
    maxLength: 20,
  })
  .map((parts) => join(...parts));

test("no bytes of a client make a server throw, and nothing is left behind", () => {
  fc.assert(
    fc.property(frames, cuts, (bytes, where) => {
      drive(new Subject("server"), join(PREFACE, SETTINGS, bytes), where);
    }),
    { numRuns: 500 },
  );
});

test("no bytes of a server make a client throw, and nothing is left behind", () => {
  fc.assert(
    fc.property(frames, cuts, (bytes, where) => {
      const client = Subject.client();
      for (let i = 0; i < 3; i++) {
        const stream = client.connection.open([new EncodedField(":path", "/")], i === 1);
        client.streams.set(stream.id, stream);
      }
      drive(client, bytes, where);
    }),
    { numRuns: 500 },
  );
});

test("a damaged conversation is survived", () => {
  const valid = join(
    PREFACE,
    setting(Setting.initialWindowSize, 70_000),
    headers(1),
    data(1, new Uint8Array(50)),
    headers(3, REQUEST, 5),
    windowUpdate(1, 1000),
    ping(),
    headers(1, [["x", "y"]], 5),
    rst(3, 8),
  );
  const damage = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(damage, cuts, (changes, where) => {
      const bytes = valid.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      drive(new Subject("server"), bytes, where);
    }),
    { numRuns: 500 },
  );
});
