import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { BufferPool } from "../h2/index.ts";
import { GrpcClientConnection } from "./client.ts";
import type { ClientCallOptions } from "./client-call.ts";
import type { PlainCall, ServerCall } from "./call.ts";
import { GrpcServerConnection } from "./server.ts";
import { GrpcService, type Gzip } from "./service.ts";
import type { GrpcStatus } from "./status.ts";
import { literalRequest, rawConversation } from "./testkit.ts";

const KEEPALIVE = { intervalMs: Infinity, timeoutMs: 20_000, withoutStreams: false };
const OK = { code: 0, message: "" };

const gzip: Gzip = {
  compress: (bytes) => gzipSync(bytes),
  expand: (bytes, bytesMax) => {
    try {
      const expanded = gunzipSync(bytes);
      return expanded.length <= bytesMax ? expanded : { error: "too large" };
    } catch {
      return { error: "not gzip" };
    }
  },
};

const METHODS = new Set(["/kv.KV/Put", "/kv.KV/Range"]);

function service(
  onCall: (call: ServerCall) => void,
  onPlain?: (call: PlainCall) => void,
): GrpcService {
  return new GrpcService({
    methods: METHODS,
    onCall,
    onPlain,
    messageBytesMax: 1000,
    gzip,
    nowMs: 0,
  });
}

/** Both ends in one place; `run` carries bytes to and fro until nothing moves. */
class Pair {
  nowMs = 0;
  readonly service: GrpcService;
  readonly server: GrpcServerConnection;
  readonly client: GrpcClientConnection;

  constructor(onCall: (call: ServerCall) => void, streamsMax = 100) {
    this.service = service(onCall);
    const common = { pool: new BufferPool(), nowMs: 0, keepalive: KEEPALIVE, wantsFlush: () => {} };
    this.server = new GrpcServerConnection({ ...common, service: this.service, streamsMax });
    this.client = new GrpcClientConnection({
      ...common,
      authority: "a",
      secure: false,
      userAgent: "test",
      messageBytesMax: 2000,
      changed: () => {},
    });
    this.run();
  }

  run(cut = 1_000_000): void {
    while (this.client.hasOutput || this.server.hasOutput) {
      for (const piece of pieces(this.client.takeOutput(), cut))
        this.server.receive(piece, this.nowMs);
      for (const piece of pieces(this.server.takeOutput(), cut))
        this.client.receive(piece, this.nowMs);
    }
  }

  /** Starts a call and returns what comes of it. */
  call(path: string, options: ClientCallOptions = {}) {
    const log: { messages: string[]; status: GrpcStatus | undefined; trailers: string[] } = {
      messages: [],
      status: undefined,
      trailers: [],
    };
    const call = this.client.call(
      path,
      options,
      {
        onMessage: (bytes) => log.messages.push(Buffer.from(bytes).toString()),
        onEnd: (status, trailers) => {
          assert.equal(log.status, undefined, "ended twice");
          log.status = status;
          log.trailers = [...trailers.entries()].map((entry) => entry.join(": "));
        },
      },
      this.nowMs,
    );
    return { call, log };
  }
}

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

function text(content: string): Uint8Array {
  return new Uint8Array(Buffer.from(content));
}

function echo(call: ServerCall): void {
  call.onMessage = (message) => call.reply(message);
}

test("a unary call is answered", () => {
  const pair = new Pair(echo);
  const { call, log } = pair.call("/kv.KV/Put");
  call.sendLast(text("hello"));
  pair.run();
  assert.deepEqual(log, { messages: ["hello"], status: OK, trailers: [] });
  assert.equal(pair.server.openCalls, 0);
});

test("both sides of a stream may send at will, in pieces of any size", () => {
  const plan = fc.array(fc.string({ maxLength: 300 }), { maxLength: 20 });
  fc.assert(
    fc.property(plan, fc.integer({ min: 1, max: 100 }), (messages, cut) => {
      const heard: string[] = [];
      const pair = new Pair((call) => {
        call.onMessage = (message) => {
          heard.push(Buffer.from(message).toString());
          call.send(message);
        };
        call.onHalfClose = () => call.end({ code: 5, message: "größe" }, [["x-bin", "\x01"]]);
      });
      const { call, log } = pair.call("/kv.KV/Range");
      for (const message of messages) call.send(text(message));
      pair.run(cut);
      call.halfClose();
      pair.run(cut);
      assert.deepEqual(heard, messages);
      assert.deepEqual(log.messages, messages);
      assert.deepEqual(log.status, { code: 5, message: "größe" });
      assert.ok(log.trailers.includes("x-bin: \x01"));
    }),
    { numRuns: 50 },
  );
});

test("metadata and deadline reach the server", () => {
  let seen: ServerCall | undefined;
  const pair = new Pair((call) => {
    seen = call;
  });
  pair.nowMs = 5000;
  pair.call("/kv.KV/Put", {
    metadata: [
      ["token", "t"],
      ["a-bin", "\xff"],
    ],
    timeoutMs: 1500,
  });
  pair.run();
  assert.equal(seen!.metadata.get("token"), "t");
  assert.equal(seen!.metadata.get("a-bin"), "\xff");
  assert.equal(seen!.metadata.get("user-agent"), "test");
  assert.ok(Math.abs(seen!.deadlineMs! - 6500) < 1);
});

test("a call whose time is up ends on both sides", () => {
  const cancelled: string[] = [];
  const pair = new Pair((call) => {
    call.onCancel = (reason) => cancelled.push(reason);
  });
  const { log } = pair.call("/kv.KV/Put", { timeoutMs: 1000 });
  pair.run();
  pair.nowMs = 1100;
  pair.service.expire(pair.nowMs);
  assert.deepEqual(cancelled, ["deadline exceeded"]);
  pair.run();
  assert.deepEqual(log.status, { code: 4, message: "context deadline exceeded" });
});

test("a client ends its call in time though the server says nothing", () => {
  const pair = new Pair(() => {});
  const { log } = pair.call("/kv.KV/Put", { timeoutMs: 1000 });
  pair.run();
  pair.client.expire(1100);
  assert.deepEqual(log.status, { code: 4, message: "context deadline exceeded" });
  pair.run();
  assert.equal(pair.server.openCalls, 0);
});

test("a cancelled call is told to the server, and later replies go nowhere", () => {
  const cancelled: string[] = [];
  let kept: ServerCall | undefined;
  const pair = new Pair((call) => {
    kept = call;
    call.onCancel = (reason) => cancelled.push(reason);
  });
  const { call, log } = pair.call("/kv.KV/Put");
  pair.run();
  call.cancel();
  pair.run();
  assert.deepEqual(cancelled, ["reset by client"]);
  assert.deepEqual(log.status, { code: 1, message: "context canceled" });
  assert.equal(kept!.isOpen, false);
  kept!.reply(text("late"));
  assert.equal(kept!.send(text("late")), false);
  assert.equal(pair.server.hasOutput, false);
});

test("when the connection is lost every call ends on both sides", () => {
  const cancelled: string[] = [];
  const pair = new Pair((call) => {
    call.onCancel = (reason) => cancelled.push(reason);
  });
  const { log } = pair.call("/kv.KV/Put");
  pair.run();
  pair.server.abort("gone");
  pair.client.abort("gone");
  assert.deepEqual(cancelled, ["connection lost"]);
  assert.deepEqual(log.status, { code: 14, message: "gone" });
  assert.equal(pair.client.isUsable, false);
});

test("calls above the server's limit wait their turn", () => {
  const pair = new Pair(echo, 2);
  const calls = ["a", "b", "c", "d", "e"].map((name) => {
    const { call, log } = pair.call("/kv.KV/Put");
    call.send(text(name));
    call.halfClose();
    return log;
  });
  pair.run();
  assert.deepEqual(
    calls.map((log) => log.messages[0]),
    ["a", "b", "c", "d", "e"],
  );
});

test("a drained server finishes its calls and takes no new ones", () => {
  let kept: ServerCall | undefined;
  const pair = new Pair((call) => {
    kept = call;
  });
  const first = pair.call("/kv.KV/Put");
  pair.run();
  pair.server.drain();
  pair.run();
  assert.equal(pair.client.isUsable, false);
  kept!.reply(text("done"));
  pair.run();
  assert.deepEqual(first.log.messages, ["done"]);
  assert.equal(pair.server.closeReason?.text, "drained");
});

const REFUSED: readonly (readonly [string, string, GrpcStatus])[] = [
  ["an unknown service", "/x.Y/Z", { code: 12, message: "unknown service x.Y" }],
  ["an unknown method", "/kv.KV/Z", { code: 12, message: "unknown method Z for service kv.KV" }],
  ["a path without a slash", "kv", { code: 12, message: 'malformed method name: "kv"' }],
  ["a path with one slash", "/kv", { code: 12, message: 'malformed method name: "/kv"' }],
];

for (const [what, path, status] of REFUSED) {
  test(`${what} is refused as grpc-go does`, () => {
    const pair = new Pair(() => assert.fail("must not reach the application"));
    const { log } = pair.call(path);
    pair.run();
    assert.deepEqual(log.status, status);
  });
}

test("a request message above the limit is refused when it is announced", () => {
  const pair = new Pair(echo);
  const { call, log } = pair.call("/kv.KV/Put");
  call.send(new Uint8Array(1001));
  pair.run();
  assert.deepEqual(log.status, {
    code: 8,
    message: "grpc: received message larger than max (1001 vs. 1000)",
  });
});

test("a response message above the client's limit ends the call", () => {
  const pair = new Pair((call) => call.reply(new Uint8Array(2001)));
  const { log } = pair.call("/kv.KV/Put");
  pair.run();
  assert.deepEqual(log.status, {
    code: 8,
    message: "grpc: received message larger than max (2001 vs. 2000)",
  });
});

/** Requests by hand and what the server answers: HTTP status, gRPC status, text. */
const HEADS: readonly (readonly [string, Record<string, string | undefined>, string])[] = [
  [
    "another content type",
    { "content-type": "text/plain" },
    '415 3 invalid gRPC request content-type "text/plain"',
  ],
  ["no content type", { "content-type": undefined }, '415 3 invalid gRPC request content-type ""'],
  [
    "application/grpcx",
    { "content-type": "application/grpcx" },
    '415 3 invalid gRPC request content-type "application/grpcx"',
  ],
  [
    "GET",
    { ":method": "GET" },
    '405 13 Received a HEADERS frame with :method "GET" which should be POST',
  ],
  ["no authority", { ":authority": undefined }, "400 13 no host or :authority header present"],
  [
    "a bad timeout",
    { "grpc-timeout": "1x" },
    '400 13 malformed grpc-timeout: transport: timeout unit is not recognized: "1x"',
  ],
  [
    "bad base64",
    { "x-bin": "*" },
    '400 13 malformed binary metadata "*" in header "x-bin": illegal base64 data at input byte 0',
  ],
  ["a timeout of zero", { "grpc-timeout": "0n" }, "200 4 context deadline exceeded"],
  [
    "an unknown compression",
    { "grpc-encoding": "br" },
    '200 12 grpc: Decompressor is not installed for grpc-encoding "br"',
  ],
];

for (const [what, change, answer] of HEADS) {
  test(`a request with ${what} is answered ${answer}`, () => {
    const { lists } = rawConversation(service(echo), literalRequest(change, []));
    const list = lists.at(-1)!;
    const message = decodeURIComponent(list.get("grpc-message") ?? "");
    assert.equal(`${list.get(":status")} ${list.get("grpc-status")} ${message}`, answer);
  });
}

test("the content type is answered with the client's subtype", () => {
  const request = literalRequest({ "content-type": "application/grpc+proto" }, [[0, text("a")]]);
  const { lists } = rawConversation(service(echo), request);
  assert.equal(lists[0]!.get("content-type"), "application/grpc+proto");
});

test("a gzip request gets a gzip reply", () => {
  const request = literalRequest({ "grpc-encoding": "gzip" }, [[1, gzipSync("hello")]]);
  const { lists, body } = rawConversation(service(echo), request);
  assert.equal(lists[0]!.get("grpc-encoding"), "gzip");
  assert.equal(body[0], 1);
  assert.equal(gunzipSync(body.subarray(5)).toString(), "hello");
});

const BAD_MESSAGES: readonly (readonly [string, string | undefined, number, Uint8Array, string])[] =
  [
    [
      "compressed without saying how",
      undefined,
      1,
      text("x"),
      "13 grpc: compressed flag set with identity or empty encoding",
    ],
    ["with an unknown flag", "gzip", 2, text("x"), "13 grpc: received unexpected payload format 2"],
    [
      "that is no gzip",
      "gzip",
      1,
      text("x"),
      "13 grpc: failed to decompress the message: not gzip",
    ],
    [
      "that is a gzip bomb",
      "gzip",
      1,
      gzipSync(new Uint8Array(100_000)),
      "8 grpc: received message after decompression larger than max 1000",
    ],
  ];

for (const [what, encoding, flag, message, answer] of BAD_MESSAGES) {
  test(`a message ${what} is answered ${answer}`, () => {
    const request = literalRequest({ "grpc-encoding": encoding }, [[flag, message]]);
    const list = rawConversation(service(echo), request).lists.at(-1)!;
    assert.equal(`${list.get("grpc-status")} ${list.get("grpc-message")}`, answer);
  });
}

test("a request that ends within a message is refused", () => {
  const request = literalRequest({}, [[0, text("abcdef")]], { cutBytes: 2 });
  const list = rawConversation(service(echo), request).lists.at(-1)!;
  assert.equal(`${list.get("grpc-status")} ${list.get("grpc-message")}`, "2 unexpected EOF");
});

test("unfinished messages of one connection are bounded", () => {
  const partial = new Uint8Array(900);
  const wide = new GrpcService({
    methods: METHODS,
    onCall: () => {},
    messageBytesMax: 2 ** 31,
    gzip,
    nowMs: 0,
  });
  const request = literalRequest({}, [[0, partial]], { announcedBytes: 2 ** 30, repeats: 75_000 });
  const { lists } = rawConversation(wide, request);
  assert.equal(lists.at(-1)?.get("grpc-message"), "grpc: too many unfinished messages");
});

test("a request that is not gRPC goes to the plain handler", () => {
  const bodies: string[] = [];
  const plain = (call: PlainCall): void => {
    call.onData = (bytes) => bodies.push(Buffer.from(bytes).toString());
    call.onEnd = () => {
      call.respond(404, [["content-type", "text/plain"]]);
      call.write(text(`no ${call.path}`));
      call.end();
    };
  };
  const request = literalRequest({ "content-type": "text/plain", ":path": "/x" }, [
    [0, text("ab")],
  ]);
  const { lists, body } = rawConversation(service(echo, plain), request);
  assert.equal(lists[0]!.get(":status"), "404");
  assert.equal(Buffer.from(body).toString(), "no /x");
  assert.equal(bodies.join(""), "\0\0\0\0\x02ab");
});
