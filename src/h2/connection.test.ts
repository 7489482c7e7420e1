import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, Flag, FrameType, PREFACE, readUint32, Setting } from "./frames.ts";
import { EncodedField } from "./hpack.ts";
import { DRAIN_PING_TIMEOUT_MS } from "./limits.ts";
import {
  bytesOf,
  data,
  frame,
  headers,
  join,
  literalBlock,
  pairs,
  ping,
  REQUEST,
  rst,
  SETTINGS,
  setting,
  Subject,
  uint32,
  windowUpdate,
} from "./testkit.ts";

const STATUS = [new EncodedField(":status", "200")];
const TRAILERS = [new EncodedField("grpc-status", "0")];
const BODY = Uint8Array.of(1, 2, 3);
const EMPTY = new Uint8Array(0);
const LAST = Flag.endHeaders | Flag.endStream;

test("a request, its body and its end reach the handler in order", () => {
  const server = Subject.server();
  server.feed(headers(1), data(1, BODY), data(1, BODY, true));
  assert.deepEqual(server.events.slice(1), [
    { kind: "head", id: 1, fields: REQUEST.map((pair) => [...pair]), last: false },
    { kind: "data", id: 1, bytes: 3, last: false },
    { kind: "data", id: 1, bytes: 3, last: true },
  ]);
});

test("bytes may come in pieces of any size", () => {
  const input = join(PREFACE, SETTINGS, headers(1), data(1, BODY), headers(1, [["x", "y"]], LAST));
  for (const size of [1, 2, 7, 10, 23, 60]) {
    const server = new Subject("server");
    for (let at = 0; at < input.length; at += size) server.feed(input.slice(at, at + size));
    assert.deepEqual(
      server.events.map((event) => event.kind),
      ["changed", "head", "data", "trailers"],
    );
  }
});

test("a header block in several frames, padded and with priority, is put together", () => {
  const block = literalBlock(REQUEST);
  const first = join(uint32(0), Uint8Array.of(16), block.subarray(0, 5));
  const padded = join(Uint8Array.of(3), first, new Uint8Array(3));
  const server = Subject.server();
  server.feed(
    frame(FrameType.headers, Flag.padded | Flag.priority | Flag.endStream, 1, padded),
    frame(FrameType.continuation, 0, 1, block.subarray(5, 9)),
    frame(FrameType.continuation, Flag.endHeaders, 1, block.subarray(9)),
  );
  assert.deepEqual(server.events.at(-1), {
    kind: "head",
    id: 1,
    fields: REQUEST.map((pair) => [...pair]),
    last: true,
  });
});

test("an answer leaves as HEADERS, DATA and trailers", () => {
  const server = Subject.server();
  server.onHead = (stream) => {
    server.connection.sendHead(stream, STATUS, false);
    server.connection.sendData(stream, BODY, BODY);
    server.connection.sendTrailers(stream, TRAILERS);
  };
  server.feed(headers(1, REQUEST, LAST));
  const frames = server.frames();
  assert.deepEqual(
    frames.map(({ type, flags, id }) => [type, flags, id]),
    [
      [FrameType.headers, Flag.endHeaders, 1],
      [FrameType.data, 0, 1],
      [FrameType.headers, LAST, 1],
    ],
  );
  assert.deepEqual(frames[1]!.payload, join(BODY, BODY));
  assert.equal(server.connection.openStreams, 0);
});

test("an answer before the end of the request stops the request without an error (§8.1)", () => {
  const server = Subject.server();
  server.onHead = (stream) => server.connection.sendHead(stream, STATUS, true);
  server.feed(headers(1));
  assert.equal(server.complaint(), "rst 1 0");
  server.feed(data(1, BODY), data(1, BODY, true));
  assert.equal(server.complaint(), "none");
});

test("many replies ask for one flush", () => {
  const server = Subject.server();
  server.onHead = (stream) => server.connection.sendHead(stream, STATUS, true);
  const before = server.flushes;
  server.feed(headers(1, REQUEST, LAST), headers(3, REQUEST, LAST));
  server.feed(headers(5, REQUEST, LAST));
  assert.equal(server.flushes, before + 1);
  server.output();
  server.feed(headers(7, REQUEST, LAST));
  assert.equal(server.flushes, before + 2);
});

test("a recurring header is sent in full once and then as one byte", () => {
  const server = Subject.server();
  const fields = [
    ...STATUS,
    new EncodedField("content-type", "application/grpc", { recurring: true }),
  ];
  server.onHead = (stream) => server.connection.sendHead(stream, fields, true);
  server.feed(headers(1, REQUEST, LAST), headers(3, REQUEST, LAST));
  const [first, second] = server.frames();
  assert.ok(first!.payload.length > 10);
  assert.deepEqual(second!.payload, bytesOf("88be"));
  for (const { payload } of [first!, second!]) {
    const list = server.decoder.decode(payload, 0, payload.length);
    assert.deepEqual(pairs(list), [
      [":status", "200"],
      ["content-type", "application/grpc"],
    ]);
  }
});

test("a header list longer than a frame goes out with CONTINUATIONs", () => {
  const server = Subject.server();
  const value = "v".repeat(40_000);
  const fields = [...STATUS, new EncodedField("x", value)];
  server.onHead = (stream) => server.connection.sendHead(stream, fields, true);
  server.feed(headers(1, REQUEST, LAST));
  const frames = server.frames();
  assert.deepEqual(
    frames.map(({ type, flags }) => [type, flags]),
    [
      [FrameType.headers, Flag.endStream],
      [FrameType.continuation, 0],
      [FrameType.continuation, Flag.endHeaders],
    ],
  );
  const block = join(...frames.map(({ payload }) => payload));
  assert.equal(server.decoder.decode(block, 0, block.length).get("x"), value);
});

const TRAILER_PRIORITY = join(uint32(1), Uint8Array.of(16), literalBlock([["x", "y"]]));

/** What a server answers to mistakes: `goaway CODE`, or `rst STREAM CODE`. */
const MISTAKES: readonly (readonly [string, Uint8Array, string])[] = [
  ["DATA on stream 0", data(0, BODY), "goaway 1"],
  ["HEADERS on stream 0", headers(0), "goaway 1"],
  ["PRIORITY on stream 0", frame(FrameType.priority, 0, 0, new Uint8Array(5)), "goaway 1"],
  ["RST_STREAM on stream 0", rst(0, 8), "goaway 1"],
  ["SETTINGS on a stream", frame(FrameType.settings, 0, 1, EMPTY), "goaway 1"],
  ["PING on a stream", frame(FrameType.ping, 0, 1, new Uint8Array(8)), "goaway 1"],
  ["GOAWAY on a stream", frame(FrameType.goaway, 0, 1, new Uint8Array(8)), "goaway 1"],
  ["DATA on an idle stream", data(1, BODY), "goaway 1"],
  ["RST_STREAM on an idle stream", rst(1, 8), "goaway 1"],
  ["WINDOW_UPDATE on an idle stream", windowUpdate(1, 1), "goaway 1"],
  ["an even stream id", headers(2), "goaway 1"],
  ["a stream id that goes backwards", join(headers(5), headers(3)), "goaway 1"],
  ["PUSH_PROMISE", frame(FrameType.pushPromise, 4, 1, uint32(2)), "goaway 1"],
  ["CONTINUATION without HEADERS", frame(FrameType.continuation, 4, 1, EMPTY), "goaway 1"],
  ["a header block interrupted", join(headers(1, REQUEST, 0), data(1, BODY)), "goaway 1"],
  [
    "a header block continued elsewhere",
    join(headers(1, REQUEST, 0), frame(9, 4, 3, EMPTY)),
    "goaway 1",
  ],
  ["a wrong PING length", frame(FrameType.ping, 0, 0, BODY), "goaway 6"],
  [
    "a wrong RST_STREAM length",
    join(headers(1), frame(FrameType.rstStream, 0, 1, BODY)),
    "goaway 6",
  ],
  ["a wrong SETTINGS length", frame(FrameType.settings, 0, 0, BODY), "goaway 6"],
  ["a SETTINGS ACK with a payload", frame(FrameType.settings, 1, 0, new Uint8Array(6)), "goaway 6"],
  ["a wrong WINDOW_UPDATE length", frame(FrameType.windowUpdate, 0, 0, BODY), "goaway 6"],
  ["a GOAWAY that is too short", frame(FrameType.goaway, 0, 0, uint32(0)), "goaway 6"],
  ["HEADERS too short for their priority", frame(FrameType.headers, 0x24, 1, BODY), "goaway 6"],
  ["a frame of more than 16 KiB", frame(FrameType.data, 0, 1, new Uint8Array(16_385)), "goaway 6"],
  [
    "padding longer than the frame",
    frame(FrameType.headers, 0xc, 1, Uint8Array.of(9, 1)),
    "goaway 1",
  ],
  ["a bad header block", frame(FrameType.headers, 4, 1, Uint8Array.of(0x80)), "goaway 9"],
  ["ENABLE_PUSH of 2", setting(Setting.enablePush, 2), "goaway 1"],
  ["INITIAL_WINDOW_SIZE above 2^31-1", setting(Setting.initialWindowSize, 2 ** 31), "goaway 3"],
  ["MAX_FRAME_SIZE below 16384", setting(Setting.maxFrameSize, 16_383), "goaway 1"],
  ["WINDOW_UPDATE of 0 on the connection", windowUpdate(0, 0), "goaway 1"],
  ["a connection window above 2^31-1", windowUpdate(0, 2 ** 31 - 1), "goaway 3"],
  ["WINDOW_UPDATE of 0 on a stream", join(headers(1), windowUpdate(1, 0)), "rst 1 1"],
  ["a stream window above 2^31-1", join(headers(1), windowUpdate(1, 2 ** 31 - 1)), "rst 1 3"],
  ["DATA after the end", join(headers(1, REQUEST, LAST), data(1, BODY)), "rst 1 5"],
  ["HEADERS after the end", join(headers(1, REQUEST, LAST), headers(1)), "rst 1 5"],
  ["DATA after the client's reset", join(headers(1), rst(1, 8), data(1, BODY)), "rst 1 5"],
  ["HEADERS after the client's reset", join(headers(1), rst(1, 8), headers(1)), "goaway 5"],
  ["trailers without END_STREAM", join(headers(1), headers(1, [["x", "y"]])), "rst 1 1"],
  ["a pseudo-field in trailers", join(headers(1), headers(1, [[":path", "/"]], LAST)), "rst 1 1"],
  [
    "trailers that depend on themselves",
    join(headers(1), frame(1, 0x25, 1, TRAILER_PRIORITY)),
    "rst 1 1",
  ],
  [
    "PRIORITY that depends on itself",
    frame(FrameType.priority, 0, 3, join(uint32(3), BODY.subarray(0, 1))),
    "rst 3 1",
  ],
  ["a wrong PRIORITY length", frame(FrameType.priority, 0, 3, BODY), "rst 3 6"],
  [
    "a body shorter than declared",
    join(headers(1, [...REQUEST, ["content-length", "4"]]), data(1, BODY, true)),
    "rst 1 1",
  ],
  [
    "a body longer than declared",
    join(headers(1, [...REQUEST, ["content-length", "2"]]), data(1, BODY)),
    "rst 1 1",
  ],
  [
    "no body where one is declared",
    headers(1, [...REQUEST, ["content-length", "1"]], LAST),
    "rst 1 1",
  ],
  [
    "two lengths",
    headers(1, [...REQUEST, ["content-length", "1"], ["content-length", "2"]]),
    "rst 1 1",
  ],
  ["a length that is no number", headers(1, [...REQUEST, ["content-length", "1x"]]), "rst 1 1"],
  ["an upper-case name", headers(1, [...REQUEST, ["X", "y"]]), "rst 1 1"],
  ["an empty name", headers(1, [...REQUEST, ["", "y"]]), "rst 1 1"],
  ["a line feed in a value", headers(1, [...REQUEST, ["x", "a\nb"]]), "rst 1 1"],
  ["a connection field", headers(1, [...REQUEST, ["connection", "close"]]), "rst 1 1"],
  ["te with another value than trailers", headers(1, [...REQUEST, ["te", "gzip"]]), "rst 1 1"],
  ["an unknown pseudo-field", headers(1, [[":x", "y"], ...REQUEST]), "rst 1 1"],
  ["a pseudo-field of responses", headers(1, [[":status", "200"], ...REQUEST]), "rst 1 1"],
  ["a pseudo-field after others", headers(1, [["x", "y"], ...REQUEST]), "rst 1 1"],
  ["a pseudo-field twice", headers(1, [[":path", "/"], ...REQUEST]), "rst 1 1"],
  ["no :method", headers(1, REQUEST.slice(1)), "rst 1 1"],
  [
    "an empty :path",
    headers(1, [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", ""],
    ]),
    "rst 1 1",
  ],
];

for (const [what, bytes, answer] of MISTAKES) {
  test(`${what} is answered with ${answer}`, () => {
    const server = Subject.server();
    server.feed(bytes);
    assert.equal(server.complaint(), answer);
    assert.equal(server.connection.isOpen, answer.startsWith("rst"));
  });
}

test("a preface that is not HTTP/2's ends the connection", () => {
  const server = new Subject("server");
  server.feed(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  assert.equal(server.complaint(), "goaway 1");
});

test("a first frame that is not SETTINGS ends the connection", () => {
  const server = new Subject("server");
  server.feed(PREFACE, ping());
  assert.equal(server.complaint(), "goaway 1");
});

test("SETTINGS and PING are acknowledged, unknown frames and settings ignored", () => {
  const server = Subject.server();
  const payload = bytesOf("0102030405060708");
  server.feed(frame(0x42, 0xff, 7, BODY), setting(0x99, 1), frame(FrameType.ping, 0, 0, payload));
  const frames = server.frames();
  assert.deepEqual(
    frames.map(({ type, flags }) => [type, flags]),
    [
      [FrameType.settings, Flag.ack],
      [FrameType.ping, Flag.ack],
    ],
  );
  assert.deepEqual(frames[1]!.payload, payload);
});

test("streams beyond the limit are refused, and the place of a finished one is free", () => {
  const server = Subject.server({ streamsMax: 2 });
  server.feed(headers(1), headers(3), headers(5));
  assert.equal(server.complaint(), `rst 5 ${ErrorCode.refusedStream}`);
  server.feed(rst(1, 8), headers(7));
  assert.equal(server.complaint(), "none");
  assert.equal(server.connection.openStreams, 2);
});

test("a reset of the client is told, and nothing can be sent after it", () => {
  const server = Subject.server();
  server.feed(headers(1), rst(1, 8));
  assert.deepEqual(server.events.at(-1), { kind: "reset", id: 1, code: 8, origin: "peer" });
  server.connection.sendHead(server.streams.get(1)!, STATUS, true);
  assert.equal(server.output().length, 0);
});

test("equal blocks are judged by their place: good trailers are a bad request", () => {
  const server = Subject.server();
  const indexed = frame(FrameType.headers, LAST, 1, bytesOf("be"));
  server.feed(headers(1), frame(FrameType.headers, Flag.endHeaders, 3, bytesOf("4001780179")));
  server.output();
  server.feed(indexed);
  assert.equal(server.complaint(), "none");
  server.feed(frame(FrameType.headers, LAST, 5, bytesOf("be")));
  assert.equal(server.complaint(), "rst 5 1");
});

test("a drain announces itself, serves what was under way, and then closes", () => {
  const server = Subject.server();
  server.feed(headers(1));
  server.connection.drain();
  const [goaway, probe] = server.frames();
  assert.equal(readUint32(goaway!.payload, 0), 2 ** 31 - 1);
  server.feed(headers(3), frame(FrameType.ping, Flag.ack, 0, probe!.payload));
  assert.equal(readUint32(server.frames()[0]!.payload, 0), 3);
  server.feed(headers(5));
  assert.equal(server.connection.openStreams, 2);
  for (const id of [1, 3]) server.connection.sendHead(server.streams.get(id)!, STATUS, true);
  assert.equal(server.connection.closeReason?.text, "drained");
});

test("a drain does not wait for ever for its ping", () => {
  const server = Subject.server();
  server.connection.drain();
  server.connection.tick(server.nowMs + DRAIN_PING_TIMEOUT_MS - 1);
  assert.equal(server.connection.isOpen, true);
  server.connection.tick(server.nowMs + DRAIN_PING_TIMEOUT_MS);
  assert.equal(server.connection.isOpen, false);
});

test("a client opens streams in order and hears the answers", () => {
  const client = Subject.client();
  const fields = REQUEST.map(([name, value]) => new EncodedField(name, value));
  const first = client.connection.open(fields, false);
  client.connection.sendLastData(first, BODY, EMPTY);
  client.connection.open(fields, true);
  assert.deepEqual(
    client.frames().map(({ type, flags, id }) => [type, flags, id]),
    [
      [FrameType.headers, Flag.endHeaders, 1],
      [FrameType.data, Flag.endStream, 1],
      [FrameType.headers, LAST, 3],
    ],
  );
  client.feed(headers(1, [[":status", "103"]]), headers(1, [[":status", "200"]]), data(1, BODY));
  client.feed(headers(1, [["grpc-status", "0"]], LAST));
  assert.deepEqual(
    client.events.slice(1).map((event) => event.kind),
    ["head", "data", "trailers"],
  );
  assert.equal(client.connection.openStreams, 1);
});

test("GOAWAY gives the streams that the server has not seen back to the client", () => {
  const client = Subject.client();
  const fields = REQUEST.map(([name, value]) => new EncodedField(name, value));
  client.connection.open(fields, true);
  client.connection.open(fields, true);
  client.feed(frame(FrameType.goaway, 0, 0, join(uint32(1), uint32(0))));
  const told = client.events.filter((event) => event.kind === "reset");
  assert.deepEqual(told, [
    { kind: "reset", id: 3, code: ErrorCode.refusedStream, origin: "connection" },
  ]);
  assert.equal(client.connection.canOpen, false);
  client.feed(headers(1, [[":status", "200"]], LAST));
  assert.equal(client.connection.isOpen, false);
});

test("a client keeps to the number of streams that the server permits", () => {
  const client = Subject.client();
  const fields = REQUEST.map(([name, value]) => new EncodedField(name, value));
  client.feed(setting(Setting.maxConcurrentStreams, 1));
  client.connection.open(fields, true);
  assert.equal(client.connection.canOpen, false);
  client.feed(headers(1, [[":status", "200"]], LAST));
  assert.equal(client.connection.canOpen, true);
});

test("when the connection is lost every open stream is told", () => {
  const server = Subject.server();
  server.feed(headers(1), headers(3));
  server.connection.abort("gone");
  assert.deepEqual(
    server.events.slice(-2).map(({ kind, id, origin }) => [kind, id, origin]),
    [
      ["reset", 1, "connection"],
      ["reset", 3, "connection"],
    ],
  );
});
