import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type Address,
  Listener,
  type ListenerOptions,
  parseAddress,
  writeOutput,
} from "./index.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const LOCAL: Address = { kind: "tcp", secure: false, host: "127.0.0.1", port: 0 };

const ADDRESSES: readonly (readonly [string, Address])[] = [
  ["http://localhost:2379", { kind: "tcp", secure: false, host: "localhost", port: 2379 }],
  ["https://10.0.0.1:1", { kind: "tcp", secure: true, host: "10.0.0.1", port: 1 }],
  ["http://[::1]:2379", { kind: "tcp", secure: false, host: "::1", port: 2379 }],
  ["http://a/", { kind: "tcp", secure: false, host: "a", port: 80 }],
  ["http://:2379", { kind: "tcp", secure: false, host: "", port: 2379 }],
  ["unix:///run/a.sock", { kind: "unix", secure: false, path: "/run/a.sock" }],
  ["unixs://localhost:m0", { kind: "unix", secure: true, path: "localhost:m0" }],
];

for (const [url, address] of ADDRESSES) {
  test(`${url} is an address`, () => assert.deepEqual(parseAddress(url), address));
}

test("what is no address is refused", () => {
  for (const url of [
    "",
    "localhost:2379",
    "http://a:x",
    "http://a:70000",
    "ftp://a:1",
    "http://a:1/x",
  ]) {
    assert.throws(() => parseAddress(url), /not an address to listen on/);
  }
});

const listeners: Listener[] = [];
after(() => {
  for (const listener of listeners) listener.close();
});

/** A listener whose HTTP/2 side says what came, and whose HTTP/1 side says the path. */
async function listen(options: Partial<ListenerOptions> = {}, address = LOCAL): Promise<Listener> {
  const listener = new Listener({
    onHttp2: (socket, head, ready) => {
      ready();
      socket.write(`h2 ${head.length}`);
    },
    http1: () =>
      createServer((request, response) => {
        response.setHeader("connection", "close");
        request.resume().on("end", () => response.end(`http/1 ${request.url}`));
      }),
    ...options,
  });
  listeners.push(listener);
  await listener.listen(address);
  return listener;
}

async function dial(listener: Listener): Promise<Socket> {
  const socket = connect(listener.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket, ...parts: string[]): Promise<string> {
  for (const part of parts) {
    socket.write(part);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [chunk] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return chunk.toString();
}

test("HTTP/2 is told by its preface, however it is cut", async () => {
  const listener = await listen();
  assert.equal(await ask(await dial(listener), `${PREFACE}xyz`), "h2 27");
  assert.equal(
    await ask(await dial(listener), "P", "RI * HTTP/2.0\r\n", PREFACE.slice(16)),
    "h2 24",
  );
});

test("HTTP/1 goes to its own server, however it is cut", async () => {
  const listener = await listen();
  const request = "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
  assert.match(await ask(await dial(listener), request), /http\/1 \/a$/);
  assert.match(
    await ask(await dial(listener), "PO", request.slice(2, 40), request.slice(40)),
    /\/a$/,
  );
});

test("neither protocol is told to go away", async () => {
  const listener = await listen();
  assert.match(await ask(await dial(listener), "\x16\x03\x01\x02"), /^HTTP\/1.1 400/);
  const socket = await dial(listener);
  socket.write("PRI * HTTP/1.1\r\n\r\n");
  await once(socket.resume(), "close");
});

test("connections that do not say what they want are closed", async () => {
  const listener = await listen({ headTimeoutMs: 50 });
  const begun = performance.now();
  const silent = [await dial(listener), await dial(listener), await dial(listener)];
  silent[1]!.write(PREFACE.slice(0, 10));
  silent[2]!.write("GET / HTTP/1.1\r\nhost:");
  for (const socket of silent) socket.resume();
  await Promise.all(silent.map((socket) => once(socket, "close")));
  assert.ok(performance.now() - begun < 3000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(listener.connections, 0);
});

test("a connection that has said what it wants stays", async () => {
  const listener = await listen({ headTimeoutMs: 50 });
  const socket = await dial(listener);
  socket.write(PREFACE);
  await once(socket, "data");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(listener.connections, 1);
  socket.destroy();
});

test("an HTTP/2 connection that never introduces itself is closed", async () => {
  const listener = await listen({ headTimeoutMs: 50, onHttp2: () => {} });
  const socket = await dial(listener);
  socket.write(PREFACE);
  await once(socket.resume(), "close");
});

test("connections above the limit are closed at once", async () => {
  const listener = await listen({ connectionsMax: 2 });
  const first = [await dial(listener), await dial(listener)];
  const third = await dial(listener);
  await once(third.resume(), "close");
  assert.equal(listener.connections, 2);
  for (const socket of first) socket.destroy();
});

test("a protocol that was agreed upon beforehand is not sniffed for", async () => {
  const seen: string[] = [];
  const listener = await listen({
    secure: (raw, admit) => admit(raw, "h2"),
    onHttp2: (socket, head, ready) => {
      seen.push(`h2 ${head.length}`);
      ready();
      socket.end("bye");
    },
  });
  const socket = await dial(listener);
  await once(socket, "data");
  assert.deepEqual(seen, ["h2 0"]);
});

test("a socket file that was left behind is replaced", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "listener-")), "s");
  const address: Address = { kind: "unix", secure: false, path };
  const first = await listen({}, address);
  await listen({}, address);
  const socket = connect(path);
  assert.equal(await ask(socket, PREFACE), "h2 24");
  first.stop();
});

test("an address in use is told", async () => {
  const listener = await listen();
  await assert.rejects(listen({}, { ...LOCAL, port: listener.port }), { code: "EADDRINUSE" });
});

test("running out of file descriptors neither ends nor spins the server", async () => {
  const script = fileURLToPath(new URL("./fd-exhaustion.fixture.ts", import.meta.url));
  const command = `ulimit -n 40; exec "${process.execPath}" --no-warnings "${script}"`;
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", command], { timeout: 20_000 });
  const { served, busyMs } = JSON.parse(stdout) as { served: string; busyMs: number };
  assert.equal(served, "h2 24");
  assert.ok(busyMs < 400, `busy for ${busyMs} ms`);
});

test("output is written until the socket has enough, and buffers written through are reused", async () => {
  const listener = await listen({ onHttp2: () => {} });
  const socket = await dial(listener);
  const log: string[] = [];
  let left = 100;
  const source = {
    get hasOutput(): boolean {
      return left > 0;
    },
    takeOutput(): Uint8Array {
      left--;
      return new Uint8Array(left > 90 ? 100 : 400_000);
    },
    reuseOutput(): void {
      log.push("reuse");
    },
  };
  const written = writeOutput(socket, source);
  assert.ok(log.length >= 9);
  assert.ok(left > 0, "the socket's bound was not kept");
  assert.ok(written > 400_000);
  socket.destroy();
});
