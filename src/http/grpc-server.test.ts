import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  type ClientCallOptions,
  GrpcClientConnection,
  type GrpcStatus,
  MethodStats,
  type ServerCall,
} from "../grpc/index.ts";
import { BufferPool } from "../h2/index.ts";
import { Listener, writeOutput } from "../net/index.ts";
import { GrpcServer, type GrpcServerOptions } from "./grpc-server.ts";
import { gzip } from "./gzip.ts";

const PUT = "/kv.KV/Put";
const OK = { code: 0, message: "" };

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function serve(
  onCall: (call: ServerCall) => void,
  options: Partial<GrpcServerOptions> = {},
): Promise<{ grpc: GrpcServer; listener: Listener }> {
  const grpc = new GrpcServer({ methods: new Set([PUT]), onCall, ...options });
  const listener = new Listener({
    onHttp2: (socket, head, ready) => grpc.accept(socket, head, ready),
  });
  closers.push(() => listener.close());
  await listener.listen({ kind: "tcp", secure: false, host: "127.0.0.1", port: 0 });
  return { grpc, listener };
}

/** A client on a socket, with as little as possible between. */
class Client {
  readonly socket: Socket;
  readonly grpc: GrpcClientConnection;

  constructor(listener: Listener) {
    this.socket = connect(listener.port, "127.0.0.1");
    this.grpc = new GrpcClientConnection({
      authority: "a",
      secure: false,
      userAgent: "test",
      messageBytesMax: 2 ** 31,
      pool: new BufferPool(),
      nowMs: 0,
      keepalive: { intervalMs: Infinity, timeoutMs: 1, withoutStreams: false },
      wantsFlush: () => setImmediate(() => this.flush()),
      changed: () => {},
    });
    this.socket.on("data", (chunk) => this.grpc.receive(chunk, 0));
    this.socket.on("drain", () => this.flush());
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.grpc.abort("closed"));
    closers.push(() => this.socket.destroy());
    this.flush();
  }

  flush(): void {
    writeOutput(this.socket, this.grpc);
  }

  unary(
    message: Uint8Array,
    options: ClientCallOptions = {},
  ): Promise<{ bytes: number; status: GrpcStatus }> {
    return new Promise((resolve) => {
      let bytes = -1;
      const call = this.grpc.call(
        PUT,
        options,
        {
          onMessage: (reply) => {
            bytes = reply.length;
          },
          onEnd: (status) => resolve({ bytes, status }),
        },
        0,
      );
      call.sendLast(message);
    });
  }
}

function echo(call: ServerCall): void {
  call.onMessage = (message) => call.reply(message);
}

test("calls of many connections are answered, and bytes are counted", async () => {
  const { grpc, listener } = await serve(echo);
  const clients = Array.from({ length: 5 }, () => new Client(listener));
  const calls = clients.flatMap((client) =>
    Array.from({ length: 20 }, (_, i) => client.unary(new Uint8Array(i * 100))),
  );
  const answers = await Promise.all(calls);
  answers.forEach((answer, i) => {
    assert.deepEqual(answer, { bytes: (i % 20) * 100, status: OK });
  });
  assert.equal(grpc.connections, 5);
  assert.equal(grpc.openCalls, 0);
  assert.ok(grpc.receivedBytes > 95_000 && grpc.sentBytes > 95_000);
});

test("calls are counted by how they ended, with the time they took", async () => {
  let clock = 0;
  const stats = new MethodStats(PUT, "unary", () => (clock += 20));
  const { listener } = await serve(
    (call) => {
      call.onMessage = (message) => {
        if (message.length === 1) call.end({ code: 5, message: "no" });
        else if (message.length < 4) call.reply(message);
      };
    },
    { stats: new Map([[PUT, stats]]) },
  );
  const client = new Client(listener);
  const lengths = [2, 3, 2, 1];
  await Promise.all(lengths.map((length) => client.unary(new Uint8Array(length))));
  void client.unary(new Uint8Array(9));
  while (stats.messagesReceived < 5) await new Promise(setImmediate);
  client.socket.destroy();
  while (stats.handled[1] === 0) await new Promise(setImmediate);
  const { started, messagesReceived, messagesSent, handled, handling } = stats;
  assert.deepEqual([started, messagesReceived, messagesSent], [5, 5, 3]);
  assert.deepEqual([handled[0], handled[1], handled[5], handling!.count], [3, 1, 1, 5]);
  assert.ok(handling!.sum >= 5 * 0.02);
});

test("a ping is acknowledged with the next reply, or soon without one", async () => {
  const { listener } = await serve(() => {});
  const socket = connect(listener.port, "127.0.0.1");
  closers.push(() => socket.destroy());
  const ping = Buffer.from("0000080600000000000102030405060708", "hex");
  const pong = Buffer.from("0000080601000000000102030405060708", "hex");
  const came: Buffer[] = [];
  socket.on("data", (chunk) => came.push(chunk));
  const settings = Buffer.from("000000040000000000", "hex");
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]));
  socket.write(ping);
  while (!Buffer.concat(came).includes(pong)) await once(socket, "data");
  came.length = 0;
  // What must be acknowledged at once takes along what may wait.
  socket.write(Buffer.concat([ping, settings]));
  while (!Buffer.concat(came).includes(pong)) await once(socket, "data");
  assert.ok(Buffer.concat(came).includes(Buffer.from("000000040100000000", "hex")));
});

test("a call whose time is up is ended, also after a while in which none had a deadline", async () => {
  const { listener } = await serve(() => {});
  // Its clock stands still: it is the server that ends the calls.
  const client = new Client(listener);
  for (let i = 0; i < 2; i++) {
    const { status } = await client.unary(new Uint8Array(1), { timeoutMs: 30 });
    assert.equal(status.code, 4);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test("a reply far larger than every buffer arrives", async () => {
  const { listener } = await serve((call) => {
    call.onMessage = () => call.reply(new Uint8Array(30_000_000), "owned");
  });
  assert.deepEqual(await new Client(listener).unary(new Uint8Array(1)), {
    bytes: 30_000_000,
    status: OK,
  });
});

test("a batch that the application settles leaves with one write for each connection", async () => {
  const waiting: ServerCall[] = [];
  const { grpc, listener } = await serve((call) => {
    call.onHalfClose = () => waiting.push(call);
  });
  const client = new Client(listener);
  const calls = Array.from({ length: 50 }, () => client.unary(new Uint8Array(3)));
  while (waiting.length < 50) await new Promise((resolve) => setImmediate(resolve));
  let chunks = 0;
  client.socket.on("data", () => chunks++);
  for (const call of waiting) call.reply(new Uint8Array(10));
  grpc.flushAll();
  await Promise.all(calls);
  assert.equal(chunks, 1);
});

test("a client that does not read holds up its own stream and takes bounded memory", async () => {
  let sent = 0;
  const { listener } = await serve((call) => {
    const more = (): void => {
      while (call.send(new Uint8Array(50_000))) sent++;
    };
    call.onMessage = (message) => call.reply(message);
    call.onHalfClose = more;
    call.onDrain = more;
  });
  const deaf = new Client(listener);
  let heard = 0;
  const call = deaf.grpc.call(PUT, {}, { onMessage: () => heard++, onEnd: () => {} }, 0);
  call.halfClose();
  await new Promise((resolve) => setTimeout(resolve, 50));
  call.pause();
  deaf.socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stuckAt = sent;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(sent, stuckAt);
  assert.deepEqual((await new Client(listener).unary(new Uint8Array(1))).status, OK);
  deaf.socket.resume();
  call.resume();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(sent > stuckAt && heard > 0);
  call.cancel();
});

test("an exception of the application closes its connection and no other", async () => {
  const errors: unknown[] = [];
  const { grpc, listener } = await serve(
    (call) => {
      call.onMessage = (message) => {
        if (message.length === 13) throw new Error("boom");
        call.reply(message);
      };
    },
    { onError: (error) => errors.push(error) },
  );
  const [good, bad] = [new Client(listener), new Client(listener)];
  await good.unary(new Uint8Array(1));
  const answer = await bad.unary(new Uint8Array(13));
  assert.equal(answer.status.code, 14);
  assert.match(String(errors[0]), /boom/);
  assert.deepEqual((await good.unary(new Uint8Array(2))).status, OK);
  assert.equal(grpc.connections, 1);
});

test("draining lets open calls finish", async () => {
  let kept: ServerCall | undefined;
  const { grpc, listener } = await serve((call) => {
    call.onHalfClose = () => {
      kept = call;
    };
  });
  const client = new Client(listener);
  const answer = client.unary(new Uint8Array(1));
  while (kept === undefined) await new Promise((resolve) => setImmediate(resolve));
  const drained = grpc.drain(5000);
  setTimeout(() => kept!.reply(new Uint8Array(4)), 50);
  assert.deepEqual(await answer, { bytes: 4, status: OK });
  await drained;
  assert.equal(grpc.connections, 0);
});

test("draining does not wait for calls beyond its limit", async () => {
  const { grpc, listener } = await serve(() => {});
  const client = new Client(listener);
  const answer = client.unary(new Uint8Array(1));
  await once(client.socket, "connect");
  await new Promise((resolve) => setTimeout(resolve, 20));
  const begun = performance.now();
  await grpc.drain(100);
  assert.ok(performance.now() - begun < 1000);
  assert.equal((await answer).status.code, 14);
});

test("a connection that is closed for a mistake hears why before it is closed", async () => {
  const { listener } = await serve(echo);
  const socket = connect(listener.port, "127.0.0.1");
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  socket.write(Buffer.concat([Buffer.from(preface), Buffer.from("000000040000000000", "hex")]));
  socket.write(Buffer.from("000008060000000001" + "00".repeat(8), "hex"));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "end");
  const heard = Buffer.concat(chunks);
  assert.ok(heard.includes(Buffer.from("PING on a stream")));
});

test("gzip expands within its limit only", () => {
  const packed = gzipSync(Buffer.alloc(1000, 7));
  assert.equal((gzip.expand(packed, 1000) as Uint8Array).length, 1000);
  assert.deepEqual(gzip.expand(packed, 999), { error: "too large" });
  assert.ok("error" in gzip.expand(Buffer.from("no gzip"), 1000));
  assert.deepEqual(gunzipSync(gzip.compress(Buffer.from("abc"))), Buffer.from("abc"));
});
