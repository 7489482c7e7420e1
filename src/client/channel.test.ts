import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { after, test } from "node:test";
import { GrpcServerConnection, GrpcService, type ServerCall } from "../grpc/index.ts";
import { BufferPool } from "../h2/index.ts";
import { writeOutput } from "../net/index.ts";
import { type Channel, connectChannel, keepAliveMs } from "./channel.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { DialOptions, StatusError } from "./transport.ts";

const ECHO = "/t.T/Echo";
const NO_METADATA = { metadata: {} };
const OPTIONS: DialOptions = {
  timeoutMs: 1000,
  keepAliveMs: 0,
  keepAliveTimeoutMs: 0,
  receiveBytesMax: 1_000_000,
  sendBytesMax: 1_000_000,
  tls: undefined,
};

const servers: Server[] = [];
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** The smallest server: replies leave at once. */
async function serve(onCall: (call: ServerCall) => void): Promise<string> {
  const service = new GrpcService({
    methods: new Set([ECHO]),
    onCall,
    messageBytesMax: 10_000_000,
    gzip: { compress: (bytes) => bytes, expand: () => ({ error: "none" }) },
    nowMs: 0,
  });
  return listen((socket) => {
    const grpc = new GrpcServerConnection({
      service,
      pool: new BufferPool(),
      nowMs: 0,
      keepalive: { intervalMs: Infinity, timeoutMs: 1, withoutStreams: false },
      wantsFlush: () => setImmediate(() => writeOutput(socket, grpc)),
    });
    socket.on("data", (chunk) => grpc.receive(chunk, 0));
    socket.on("drain", () => writeOutput(socket, grpc));
    socket.on("close", () => grpc.abort("closed"));
    writeOutput(socket, grpc);
  });
}

async function listen(onSocket: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function dial(endpoint: string, options: Partial<DialOptions> = {}): Promise<Channel> {
  return connectChannel(parseEndpoint(endpoint), { ...OPTIONS, ...options });
}

function echo(call: ServerCall): void {
  call.onMessage = (message) => call.send(message);
  call.onHalfClose = () => call.end({ code: 0, message: "" });
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail("must fail"),
    (reason: StatusError) => reason,
  );
  return error.withCode ?? error.message;
}

test("a unary call is answered", async () => {
  const channel = await dial(await serve(echo));
  assert.deepEqual(
    await channel.unary(ECHO, Uint8Array.of(1, 2), NO_METADATA),
    Buffer.from([1, 2]),
  );
  assert.equal(channel.usable, true);
  channel.close();
  assert.equal(channel.usable, false);
});

test("a stream gives its messages one after the other", async () => {
  const channel = await dial(await serve(echo));
  const stream = channel.stream(ECHO, NO_METADATA);
  stream.send(Uint8Array.of(1));
  stream.send(Uint8Array.of(2));
  assert.equal((await stream.next())?.[0], 1);
  assert.equal((await stream.next())?.[0], 2);
  stream.end();
  assert.equal(await stream.next(), undefined);
  channel.close();
});

test("a stream that is not read stops the server, and loses nothing", async () => {
  let sent = 0;
  const endpoint = await serve((call) => {
    const more = (): void => {
      while (sent < 100 && call.isOpen) {
        sent++;
        if (!call.send(new Uint8Array(100_000).fill(sent))) return;
      }
      if (sent === 100) call.end({ code: 0, message: "" });
    };
    call.onHalfClose = more;
    call.onDrain = more;
  });
  const channel = await dial(endpoint);
  const stream = channel.stream(ECHO, NO_METADATA);
  stream.end();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(sent < 60, `${sent} sent`);
  for (let i = 1; i <= 100; i++) assert.equal((await stream.next())?.[50_000], i);
  assert.equal(await stream.next(), undefined);
  channel.close();
});

test("a call ends in time", async () => {
  const channel = await dial(await serve(() => {}));
  const answer = failure(channel.unary(ECHO, new Uint8Array(1), { ...NO_METADATA, timeoutMs: 30 }));
  assert.equal(await answer, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
  channel.close();
});

test("a call can be given up", async () => {
  const channel = await dial(await serve(() => {}));
  const abort = new AbortController();
  const answer = failure(
    channel.unary(ECHO, new Uint8Array(1), { ...NO_METADATA, signal: abort.signal }),
  );
  abort.abort();
  assert.equal(await answer, "rpc error: code = Canceled desc = context canceled");
  const stream = channel.stream(ECHO, NO_METADATA);
  stream.cancel();
  assert.equal(await failure(stream.next()), "rpc error: code = Canceled desc = context canceled");
  channel.close();
});

test("a status of the server is the error of the call", async () => {
  const channel = await dial(
    await serve((call) => call.end({ code: 9, message: "etcdserver: größe" })),
  );
  assert.equal(
    await failure(channel.unary(ECHO, new Uint8Array(1), NO_METADATA)),
    "rpc error: code = FailedPrecondition desc = etcdserver: größe",
  );
  channel.close();
});

test("messages above the limits are refused in both directions", async () => {
  const channel = await dial(await serve(echo), { receiveBytesMax: 100, sendBytesMax: 200 });
  assert.equal(
    await failure(channel.unary(ECHO, new Uint8Array(201), NO_METADATA)),
    "rpc error: code = ResourceExhausted desc = trying to send message larger than max (201 vs. 200)",
  );
  assert.equal(
    await failure(channel.unary(ECHO, new Uint8Array(101), NO_METADATA)),
    "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (101 vs. 100)",
  );
  channel.close();
});

test("no answer, or two, to a unary call is an error", async () => {
  const none = await dial(await serve((call) => call.end({ code: 0, message: "" })));
  assert.match(
    await failure(none.unary(ECHO, new Uint8Array(1), NO_METADATA)),
    /received no response/,
  );
  const two = await dial(
    await serve((call) => {
      call.send(new Uint8Array(1));
      call.reply(new Uint8Array(1));
    }),
  );
  assert.match(await failure(two.unary(ECHO, new Uint8Array(1), NO_METADATA)), /another message/);
  none.close();
  two.close();
});

test("what goes wrong while dialing is told in grpc-go's words", async () => {
  assert.equal(
    await failure(dial("127.0.0.1:1")),
    "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused",
  );
  assert.equal(
    await failure(dial("unix:///no/such/socket")),
    "transport: Error while dialing: dial unix /no/such/socket: connect: no such file or directory",
  );
  const closes = await listen((socket) => socket.end());
  assert.equal(await failure(dial(closes)), "error reading server preface: EOF");
  const silent = await listen(() => {});
  assert.match(await failure(dial(silent, { timeoutMs: 50 })), /^error reading server preface: /);
});

test("when the server goes away calls fail as Unavailable", async () => {
  const endpoint = await serve(() => {});
  const channel = await dial(endpoint);
  const answer = failure(channel.unary(ECHO, new Uint8Array(1), NO_METADATA));
  await new Promise((resolve) => setTimeout(resolve, 20));
  sockets.at(-1)!.end();
  assert.equal(
    await answer,
    'rpc error: code = Unavailable desc = connection error: desc = "error reading from server: EOF"',
  );
  assert.equal(channel.usable, false);
});

test("a server is not asked whether it is there more often than it bears", () => {
  assert.equal(keepAliveMs({ keepAliveMs: 2_000 }), 10_000);
  assert.equal(keepAliveMs({ keepAliveMs: 30_000 }), 30_000);
  assert.equal(keepAliveMs({ keepAliveMs: 0 }), Number.POSITIVE_INFINITY);
});

test("closing the channel ends its calls as Canceled", async () => {
  const channel = await dial(await serve(() => {}));
  const answer = failure(channel.unary(ECHO, new Uint8Array(1), NO_METADATA));
  channel.close();
  assert.equal(
    await answer,
    "rpc error: code = Canceled desc = grpc: the client connection is closing",
  );
});
