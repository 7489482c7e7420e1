import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EncodedField } from "./hpack.ts";
import { Flag, FrameType, Setting } from "./frames.ts";
import {
  CONNECTION_WINDOW_BYTES,
  OUTPUT_BYTES_SOFT,
  STREAM_QUEUE_BYTES,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";
import { data, headers, join, rst, setting, Subject, windowUpdate } from "./testkit.ts";

const STATUS = [new EncodedField(":status", "200")];
const TRAILERS = [new EncodedField("grpc-status", "0")];
const EMPTY = new Uint8Array(0);

/** A server with open streams that have answered with their heads, and windows of given sizes. */
function answering(options: { streams: number; streamWindow: number }): Subject {
  const server = Subject.server();
  server.feed(setting(Setting.initialWindowSize, options.streamWindow));
  server.onHead = (stream) => server.connection.sendHead(stream, STATUS, false);
  for (let i = 0; i < options.streams; i++) server.feed(headers(2 * i + 1));
  server.output();
  return server;
}

/** Bytes of a stream, each telling its place. */
function pattern(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (from + i) % 251);
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant("send" as const),
    stream: fc.nat(2),
    bytes: fc.oneof(fc.nat(300), fc.nat(40_000)),
    owned: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("grow" as const),
    stream: fc.nat(3),
    bytes: fc.integer({ min: 1, max: 50_000 }),
  }),
  fc.record({ kind: fc.constant("resize" as const), bytes: fc.nat(40_000) }),
  fc.record({ kind: fc.constant("take" as const) }),
);

test("whatever the windows, bytes leave in order, within them, and in the end all of them", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const server = answering({ streams: 3, streamWindow: 1000 });
      const sent = [0, 0, 0];
      const got = [0, 0, 0];
      const ended = new Set<number>();
      const window = [1000, 1000, 1000];
      let initial = 1000;
      let connectionWindow = 65_535;
      const take = (): void => {
        for (const { type, flags, id, payload } of server.frames()) {
          const i = (id - 1) / 2;
          if (type === FrameType.headers) ended.add(i);
          if (type !== FrameType.data) continue;
          assert.deepEqual(payload, pattern(got[i]!, payload.length));
          got[i]! += payload.length;
          window[i]! -= payload.length;
          connectionWindow -= payload.length;
          assert.ok(payload.length === 0 || window[i]! >= 0);
          assert.ok(connectionWindow >= 0);
          assert.equal(flags & Flag.endStream, 0);
        }
      };
      for (const s of steps) {
        if (s.kind === "send") {
          const stream = server.streams.get(2 * s.stream + 1)!;
          const bytes = pattern(sent[s.stream]!, s.bytes);
          const cut = Math.min(5, s.bytes);
          const body = bytes.slice(cut);
          server.connection.sendData(
            stream,
            bytes.subarray(0, cut),
            body,
            s.owned ? "owned" : "copy",
          );
          if (!s.owned) body.fill(255);
          sent[s.stream]! += s.bytes;
        } else if (s.kind === "grow") {
          if (s.stream === 3) connectionWindow += s.bytes;
          else window[s.stream]! += s.bytes;
          server.feed(windowUpdate(s.stream === 3 ? 0 : 2 * s.stream + 1, s.bytes));
        } else if (s.kind === "resize") {
          take();
          for (let i = 0; i < 3; i++) window[i]! += s.bytes - initial;
          initial = s.bytes;
          server.feed(setting(Setting.initialWindowSize, s.bytes));
        } else {
          take();
        }
      }
      take();
      for (let i = 0; i < 3; i++)
        server.connection.sendTrailers(server.streams.get(2 * i + 1)!, TRAILERS);
      connectionWindow += 2_000_000;
      server.feed(windowUpdate(0, 2_000_000));
      for (let i = 0; i < 3; i++) {
        if (ended.has(i)) continue;
        window[i]! += 1_000_000;
        server.feed(windowUpdate(2 * i + 1, 1_000_000));
      }
      take();
      assert.deepEqual(got, sent);
      assert.equal(ended.size, 3);
      assert.equal(server.connection.queuedBytes, 0);
    }),
    { numRuns: 100 },
  );
});

test("a producer is told to wait when its stream is full, and told when there is room", () => {
  const server = answering({ streams: 1, streamWindow: 0 });
  const stream = server.streams.get(1)!;
  const piece = new Uint8Array(10_000);
  let pieces = 0;
  while (server.connection.canSend(stream)) {
    server.connection.sendData(stream, EMPTY, piece);
    pieces++;
  }
  assert.ok(pieces * 10_000 <= STREAM_QUEUE_BYTES + 10_000);
  assert.equal(server.output().length, 0);
  server.feed(windowUpdate(1, 5_000));
  assert.ok(!server.events.some((event) => event.kind === "writable"));
  server.feed(windowUpdate(1, 50_000));
  assert.equal(server.events.at(-1)!.kind, "writable");
  assert.equal(server.connection.canSend(stream), true);
});

test("streams take turns, so a large answer does not hold up a small one", () => {
  const server = answering({ streams: 2, streamWindow: 1_000_000 });
  const large = server.streams.get(1)!;
  const small = server.streams.get(3)!;
  server.connection.sendData(large, EMPTY, new Uint8Array(900_000), "owned");
  server.connection.sendData(small, EMPTY, new Uint8Array(1000));
  server.output();
  server.feed(windowUpdate(0, 40_000));
  assert.deepEqual(
    server.frames().map(({ id, payload }) => [id, payload.length]),
    [
      [1, 16_384],
      [3, 1000],
      [1, 16_384],
      [1, 6232],
    ],
  );
});

test("no more data is moved into the output than its bound while nobody takes it", () => {
  const server = answering({ streams: 1, streamWindow: 10_000_000 });
  server.feed(windowUpdate(0, 10_000_000));
  server.connection.sendData(server.streams.get(1)!, EMPTY, new Uint8Array(5_000_000), "owned");
  assert.ok(server.connection.takeOutput().length < OUTPUT_BYTES_SOFT + 20_000);
  assert.equal(server.connection.hasOutput, true);
});

test("a reset drops what is queued", () => {
  const server = answering({ streams: 2, streamWindow: 0 });
  for (const id of [1, 3]) {
    server.connection.sendData(server.streams.get(id)!, EMPTY, new Uint8Array(1000));
  }
  server.feed(rst(1, 8));
  assert.equal(server.connection.queuedBytes, 1000);
  server.connection.reset(server.streams.get(3)!, 8);
  assert.equal(server.connection.queuedBytes, 0);
});

test("a sender that passes its stream's window loses the stream, and of the connection all", () => {
  const chunk = new Uint8Array(16_384);
  const server = Subject.server();
  server.feed(headers(1));
  const stream = server.streams.get(1)!;
  server.connection.pause(stream);
  const frames = STREAM_WINDOW_BYTES / chunk.length;
  for (let i = 0; i < frames; i++) server.feed(data(1, chunk));
  assert.equal(server.complaint(), "none");
  server.feed(data(1, chunk));
  assert.equal(server.complaint(), "rst 1 3");
});

test("windows are given back in large portions", () => {
  const chunk = new Uint8Array(16_384);
  const server = Subject.server();
  server.feed(headers(1));
  const grants: number[] = [];
  for (let i = 0; i < (2 * CONNECTION_WINDOW_BYTES) / chunk.length; i++) {
    server.feed(data(1, chunk));
    for (const { type, id } of server.frames()) {
      assert.equal(type, FrameType.windowUpdate);
      grants.push(id);
    }
  }
  assert.equal(grants.filter((id) => id === 1).length, 16);
  assert.equal(grants.filter((id) => id === 0).length, 4);
});

test("a paused stream gets no more window until it is resumed", () => {
  const chunk = new Uint8Array(16_384);
  const server = Subject.server();
  server.feed(headers(1));
  const stream = server.streams.get(1)!;
  server.connection.pause(stream);
  for (let i = 0; i < 60; i++) server.feed(data(1, chunk));
  assert.equal(server.output().length, 0);
  server.connection.resume(stream);
  assert.deepEqual(server.output(), windowUpdate(1, 60 * chunk.length));
});

test("an early end of a queued body is sent with its last frame", () => {
  const server = answering({ streams: 1, streamWindow: 10 });
  const stream = server.streams.get(1)!;
  server.connection.sendLastData(stream, pattern(0, 5), pattern(5, 20));
  server.feed(windowUpdate(1, 100));
  const frames = server.frames();
  assert.deepEqual(
    frames.map(({ type, flags, payload }) => [type, flags, payload.length]),
    [
      [FrameType.data, 0, 10],
      [FrameType.data, Flag.endStream, 15],
      [FrameType.rstStream, 0, 4],
    ],
  );
  assert.deepEqual(join(frames[0]!.payload, frames[1]!.payload), pattern(0, 25));
});
