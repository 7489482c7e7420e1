import assert from "node:assert/strict";
import { test } from "node:test";
import { Access } from "./access.ts";
import type { Exchange, RequestHead } from "./exchange.ts";
import { Target } from "./exchange.ts";
import { gatewayMetadata, gatewayTimeoutMs } from "./gateway-metadata.ts";
import { cleanPath, redirection } from "../net/index.ts";
import { BUFFERED_BYTES_MAX, PartWriter } from "./part-writer.ts";
import { handshake, isWebSocket } from "./web-socket.ts";

function head(fields: Readonly<Record<string, string>>, method = "GET"): RequestHead {
  return {
    method,
    path: "/",
    rawPath: "/",
    rawQuery: "",
    query: new URLSearchParams(),
    peer: "10.0.0.1",
    field: (name) => fields[name],
    fields: () => Object.entries(fields),
  };
}

test("paths are cleaned as Go cleans them", () => {
  for (const [path, clean] of [
    ["/", "/"],
    ["", "/"],
    ["//a", "/a"],
    ["/a//b/", "/a/b/"],
    ["/a/./b", "/a/b"],
    ["/a/../../b/..", "/"],
    ["/a/..//", "/"],
  ] as const) {
    assert.equal(cleanPath(path), clean, path);
  }
  assert.equal(redirection("/v3", ["/v3/"]), "/v3/");
  assert.equal(redirection("/v3/", ["/v3/"]), undefined);
  assert.equal(redirection("/v3//x", ["/v3/"]), "/v3/x");
  assert.equal(redirection("/version", ["/v3/"]), undefined);
});

test("a target has a path and a query, also as a whole URL", () => {
  const parts = ({ path, rawPath, rawQuery }: Target) => [path, rawPath, rawQuery];
  assert.deepEqual(parts(new Target("/a%20b?c=d?e")), ["/a b", "/a%20b", "c=d?e"]);
  assert.deepEqual(parts(new Target("http://host:1/x")), ["/x", "/x", ""]);
  assert.deepEqual(parts(new Target("http://host")), ["/", "/", ""]);
  assert.equal(new Target("/%zz").path, undefined);
  assert.equal(new Target("/a?x=1&x=2").query.getAll("x").join(), "1,2");
});

test("hosts outside the list are refused, with or without their port", () => {
  const access = new Access({ hostWhitelist: ["good", "::1"], cors: [] });
  for (const host of ["good", "good:1", "[::1]:2379"]) {
    assert.equal(access.refuse(head({ host })), undefined, host);
  }
  for (const host of ["bad", "good.bad:1", "", "[::1]"]) {
    assert.match(access.refuse(head({ host })) ?? "", /Host header was unrecognized/, host);
  }
  for (const hostWhitelist of [[], ["*"], ["x", "*"]]) {
    const open = new Access({ hostWhitelist, cors: [] });
    assert.equal(open.refuse(head({ host: "bad" })), undefined);
  }
});

test("browsers are told which origins may come", () => {
  const origins = (cors: string[], origin: string) =>
    new Access({ hostWhitelist: [], cors }).corsFields(head({ origin }))[
      "Access-Control-Allow-Origin"
    ];
  assert.equal(origins([], "http://a"), "*");
  assert.equal(origins(["*"], "http://a"), "*");
  assert.equal(origins(["http://a"], "http://a"), "http://a");
  assert.equal(origins(["http://a"], "http://b"), undefined);
});

test("fields of a request become the metadata of its call", () => {
  const metadata = gatewayMetadata(
    head({
      authorization: "Bearer t",
      "user-agent": "curl",
      "grpc-metadata-hasleader": "true",
      "x-other": "dropped",
      "x-forwarded-for": "1.2.3.4",
      host: "h:1",
      cookie: "bäd",
    }),
  );
  assert.deepEqual(Object.fromEntries(metadata.entries()), {
    authorization: "Bearer t",
    "grpcgateway-authorization": "Bearer t",
    "grpcgateway-user-agent": "curl",
    hasleader: "true",
    "x-forwarded-host": "h:1",
    "x-forwarded-for": "1.2.3.4, 10.0.0.1",
  });
});

test("a timeout is a number with a unit", () => {
  const ms = (text: string) => gatewayTimeoutMs(head({ "grpc-timeout": text }));
  assert.deepEqual(["1S", "2m", "3u", "1H", "1M", "0S", "", "x", "1", "S", "1s", "1.5S"].map(ms), [
    1000,
    2,
    0.003,
    3_600_000,
    60_000,
    undefined,
    undefined,
    null,
    null,
    null,
    null,
    null,
  ]);
});

test("a WebSocket's handshake is answered with the hash of its key (RFC 6455 §1.3)", () => {
  const fields = {
    connection: "keep-alive, Upgrade",
    upgrade: "WebSocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  assert.ok(isWebSocket(head(fields)));
  assert.deepEqual(handshake(head(fields)), {
    accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    protocol: undefined,
  });
  const bearer = head({ ...fields, "sec-websocket-protocol": "Bearer, token" });
  assert.equal((handshake(bearer) as { protocol?: string }).protocol, "Bearer");
  assert.deepEqual(handshake(head(fields, "POST")), { status: 405 });
  assert.deepEqual(handshake(head({ ...fields, "sec-websocket-version": "8" })), { status: 400 });
  assert.deepEqual(handshake(head({ ...fields, "sec-websocket-key": "short" })), { status: 400 });
  assert.ok(!isWebSocket(head({ ...fields, upgrade: "h2c" })));
  assert.ok(!isWebSocket(head({})));
});

/** A client that reads when it is told to. */
class SlowClient {
  bufferedBytes = 0;
  written = "";
  onDrain = (): void => {};

  write(part: string): void {
    this.written += part;
    this.bufferedBytes += part.length;
  }

  read(): void {
    this.bufferedBytes = 0;
    this.onDrain();
  }

  get exchange(): Exchange {
    return this as unknown as Exchange;
  }
}

const turn = () => new Promise((resume) => setImmediate(resume));

test("parts are made no faster than the client reads them", async () => {
  const client = new SlowClient();
  const writer = new PartWriter(client.exchange);
  const part = "x".repeat(BUFFERED_BYTES_MAX / 4);
  let made = 0;
  writer.write(
    (function* () {
      for (; made < 12; made++) yield part;
    })(),
  );
  let isDone = false;
  writer.finish(() => (isDone = true));
  for (let reads = 0; reads < 3; reads++) {
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(made, 4 * reads + 3);
    assert.ok(!isDone && !writer.hasRoom);
    client.read();
  }
  for (let turns = 0; turns < 20 && !isDone; turns++) await turn();
  assert.ok(isDone);
  assert.equal(client.written.length, 12 * part.length);
});

test("parts of several writes leave in order", async () => {
  const client = new SlowClient();
  const writer = new PartWriter(client.exchange);
  const slow = function* (name: string) {
    for (let i = 0; i < 5; i++) {
      for (const end = performance.now() + 2; performance.now() < end; );
      yield `${name}${i}`;
    }
  };
  writer.write(slow("a"));
  writer.write(slow("b"));
  await new Promise<void>((done) => writer.finish(done));
  assert.equal(client.written, "a0a1a2a3a4b0b1b2b3b4");
});

test("nothing more is made for a client that is gone", async () => {
  const client = new SlowClient();
  const writer = new PartWriter(client.exchange);
  let isReturned = false;
  writer.write(
    (function* () {
      try {
        for (;;) {
          for (const end = performance.now() + 2; performance.now() < end; );
          yield "x";
        }
      } finally {
        isReturned = true;
      }
    })(),
  );
  writer.stop();
  assert.ok(isReturned);
  const { written } = client;
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.equal(client.written, written);
});
