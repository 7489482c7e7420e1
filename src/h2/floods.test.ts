import assert from "node:assert/strict";
import { test } from "node:test";
import { EncodedField } from "./hpack.ts";
import { ErrorCode, Flag, FrameType } from "./frames.ts";
import { CONTINUATIONS_MAX, HEADER_LIST_BYTES, OUTPUT_BYTES_MAX, RateLimit } from "./limits.ts";
import {
  data,
  frame,
  headers,
  join,
  ping,
  REQUEST,
  rst,
  SETTINGS,
  Subject,
  uint32,
  windowUpdate,
} from "./testkit.ts";

const CALM = `goaway ${ErrorCode.enhanceYourCalm}`;
const EMPTY = new Uint8Array(0);
const LAST = Flag.endHeaders | Flag.endStream;

/** Feeds `make(i)` until the server complains; returns how often it took and the complaint. */
function flood(
  server: Subject,
  make: (i: number) => Uint8Array,
  max = 20_000,
): { count: number; complaint: string } {
  for (let count = 1; count <= max; count++) {
    server.feed(make(count));
    if (!server.connection.isOpen) return { count, complaint: server.complaint() };
    server.output();
  }
  return { count: max, complaint: "none" };
}

const streamId = (i: number): number => 2 * i + 1;

/** Each attack, how it begins, and how often it may be repeated at once. */
const ATTACKS: readonly {
  name: string;
  first?: Uint8Array;
  make: (i: number) => Uint8Array;
  most: number;
}[] = [
  {
    name: "rapid reset (CVE-2023-44487)",
    make: (i) => join(headers(streamId(i)), rst(streamId(i), 8)),
    most: 1001,
  },
  {
    name: "resets provoked by bad WINDOW_UPDATEs (CVE-2025-8671)",
    make: (i) => join(headers(streamId(i)), windowUpdate(streamId(i), 0)),
    most: 1001,
  },
  {
    name: "resets provoked by malformed requests",
    make: (i) => headers(streamId(i), [["x", "y"]]),
    most: 1001,
  },
  {
    name: "resets provoked by a stream's own dependency",
    make: () => frame(FrameType.priority, 0, 1, join(uint32(1), Uint8Array.of(1))),
    most: 1001,
  },
  { name: "SETTINGS (CVE-2019-9515)", make: () => SETTINGS, most: 101 },
  {
    name: "PRIORITY (CVE-2019-9513)",
    make: () => frame(FrameType.priority, 0, 3, join(uint32(1), Uint8Array.of(1))),
    most: 1001,
  },
  { name: "PING (CVE-2019-9512)", make: ping, most: 5 },
  { name: "empty DATA (CVE-2019-9518)", first: headers(1), make: () => data(1, EMPTY), most: 101 },
  {
    name: "DATA of padding only",
    first: headers(1),
    make: () => frame(FrameType.data, Flag.padded, 1, Uint8Array.of(2, 0, 0)),
    most: 101,
  },
  { name: "WINDOW_UPDATE", make: () => windowUpdate(0, 1), most: 1001 },
  {
    name: "WINDOW_UPDATE on a stream",
    first: headers(1),
    make: () => windowUpdate(1, 1),
    most: 1001,
  },
  { name: "unknown frames", make: () => frame(0x99, 0, 0, EMPTY), most: 1001 },
  {
    name: "CONTINUATION",
    first: headers(1, REQUEST, 0),
    make: () => frame(FrameType.continuation, 0, 1, Uint8Array.of(0x82)),
    most: CONTINUATIONS_MAX + 1,
  },
  {
    name: "empty CONTINUATION",
    first: headers(1, REQUEST, 0),
    make: () => frame(FrameType.continuation, 0, 1, EMPTY),
    most: CONTINUATIONS_MAX + 1,
  },
];

for (const { name, first, make, most } of ATTACKS) {
  test(`a flood is stopped: ${name}`, () => {
    const server = Subject.server();
    if (first !== undefined) server.feed(first);
    const { count, complaint } = flood(server, make);
    assert.equal(complaint, CALM);
    assert.ok(count <= most, `took ${count}`);
  });
}

test("what happens at a moderate rate is no flood", () => {
  const server = Subject.server();
  for (let i = 0; i < 5000; i++) {
    server.nowMs += 20;
    server.feed(headers(streamId(i)), rst(streamId(i), 8), windowUpdate(0, 1));
  }
  assert.equal(server.connection.isOpen, true);
});

test("a client may say NO_ERROR to each request that was answered early", () => {
  const server = Subject.server();
  server.onHead = (stream) => {
    server.connection.sendHead(stream, [new EncodedField(":status", "200")], true);
  };
  for (let i = 0; i < 5000; i++) server.feed(headers(streamId(i)), rst(streamId(i), 0));
  assert.equal(server.connection.isOpen, true);
});

test("bodies that come after an early answer are no mistake, however many", () => {
  const server = Subject.server();
  server.onHead = (stream) => {
    server.connection.sendHead(stream, [new EncodedField(":status", "200")], true);
  };
  for (let i = 0; i < 3000; i++) server.feed(headers(streamId(i)));
  for (let i = 0; i < 3000; i++) server.feed(data(streamId(i), EMPTY, true));
  assert.equal(server.connection.isOpen, true);
});

test("a client that reads may return its window for each frame it gets", () => {
  const server = Subject.server();
  server.feed(headers(1, REQUEST, LAST));
  const stream = server.streams.get(1)!;
  server.connection.sendHead(stream, [new EncodedField(":status", "200")], false);
  for (let i = 0; i < 5000; i++) {
    server.connection.sendData(stream, EMPTY, Uint8Array.of(1, 2));
    server.output();
    server.feed(windowUpdate(0, 1), windowUpdate(0, 1), windowUpdate(1, 2), ping());
  }
  assert.equal(server.connection.isOpen, true);
});

test("answers that are not read are bounded", () => {
  const server = Subject.server();
  server.onHead = (stream) => {
    server.connection.sendHead(stream, [new EncodedField("x", "y".repeat(2000))], true);
  };
  let count = 0;
  while (server.connection.isOpen) server.feed(headers(streamId(count++), REQUEST, LAST));
  assert.ok(count * 2000 < OUTPUT_BYTES_MAX + 100_000);
  assert.equal(server.connection.closeReason?.code, ErrorCode.enhanceYourCalm);
});

test("a header list above the limit costs its stream, not the connection", () => {
  const server = Subject.server();
  const value = "v".repeat(8000);
  const fields = Array.from({ length: 9 }, () => ["x", value] as const);
  const block = headers(1, [...REQUEST, ...fields]).subarray(9);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < block.length; at += 16_000) {
    const flags = at + 16_000 >= block.length ? Flag.endHeaders : 0;
    parts.push(frame(at === 0 ? 1 : 9, flags, 1, block.subarray(at, at + 16_000)));
  }
  assert.ok(block.length > HEADER_LIST_BYTES);
  server.feed(...parts);
  assert.equal(server.complaint(), `rst 1 ${ErrorCode.frameSizeError}`);
  server.feed(headers(3));
  assert.equal(server.connection.openStreams, 1);
});

test("HPACK bombs cost their stream", () => {
  const server = Subject.server();
  server.feed(headers(1));
  const bomb = join(
    Uint8Array.of(0x40, 1, 0x61, 0x7f, 0x9d, 0x1e),
    new Uint8Array(3996).fill(0x62),
    new Uint8Array(12_000).fill(0xbe),
  );
  server.feed(frame(FrameType.headers, LAST, 3, bomb));
  assert.equal(server.complaint(), `rst 3 ${ErrorCode.frameSizeError}`);
});

test("a rate limit permits its burst, and then what time earns", () => {
  const limit = new RateLimit({ burst: 3, perSecond: 2 });
  const taken = [0, 0, 0, 0, 400, 500, 500, 999, 1000, 60_000, 60_000, 60_000, 60_000];
  assert.deepEqual(
    taken.map((nowMs) => limit.take(nowMs)),
    [true, true, true, false, false, true, false, false, true, true, true, true, false],
  );
});
