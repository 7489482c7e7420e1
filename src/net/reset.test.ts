import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { resetConnection } from "./reset.ts";
import { CERTIFICATES, NO_TLS_FILES } from "./testing.ts";
import { TlsIdentity } from "./tls-identity.ts";

const dir = mkdtempSync(join(tmpdir(), "quord-reset-"));
after(() => rmSync(dir, { recursive: true }));

function identity(): TlsIdentity {
  const [certFile, keyFile] = [join(dir, "peer.crt"), join(dir, "peer.key")];
  writeFileSync(certFile, CERTIFICATES["peer.crt"]);
  writeFileSync(keyFile, CERTIFICATES["peer.key"]);
  return new TlsIdentity({ ...NO_TLS_FILES, certFile, keyFile });
}

async function listening(server: Server, at: number | string): Promise<Server> {
  if (typeof at === "number") server.listen(at, "127.0.0.1");
  else server.listen(at);
  await once(server, "listening");
  after(() => server.close());
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** How the connection ends for a client: the code of an error, or that there is none. */
function endOf(client: Socket): Promise<string> {
  let code = "no error";
  client.on("error", (error: NodeJS.ErrnoException) => (code = error.code ?? error.message));
  client.resume();
  return new Promise((resolve) => client.on("close", () => resolve(code)));
}

test("the other end of a connection is told that it was reset", async () => {
  const server = await listening(
    createServer((socket) => socket.once("data", () => resetConnection(socket))),
    0,
  );
  const client = connect(portOf(server), "127.0.0.1");
  client.write("x");
  assert.equal(await endOf(client), "ECONNRESET");
});

test("a connection of TLS is reset below TLS", async () => {
  const serve = identity().server(() => {});
  const server = await listening(
    createServer((raw) => {
      serve(raw, (socket) => socket.once("data", () => resetConnection(socket)));
    }),
    0,
  );
  const client = connectTls({ port: portOf(server), host: "127.0.0.1", rejectUnauthorized: false });
  client.write("x");
  assert.equal(await endOf(client), "ECONNRESET");
});

test("a connection that is no TCP, or is over, is ended", async () => {
  const path = join(dir, "socket");
  const twice = (socket: Socket): void => {
    resetConnection(socket);
    resetConnection(socket);
  };
  await listening(
    createServer((socket) => socket.once("data", () => twice(socket))),
    path,
  );
  const client = connect(path);
  client.write("x");
  assert.equal(await endOf(client), "no error");
});
