import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { after, test } from "node:test";
import fc from "fast-check";
import { MESSAGE_TYPE, Writer } from "../proto/index.ts";
import { writeFramedMessage } from "./encoders.ts";
import { createPeerServer } from "./server.ts";
import { FakeInbox, messageOf, transportOptions } from "./testing.ts";
import { Transport } from "./transport.ts";
import { parseProbe } from "./prober.ts";

const inbox = new FakeInbox({ memberId: 0xan, clusterId: 0xc1n });
const transport = new Transport(transportOptions(["http://127.0.0.1:1"]), inbox);
const server = createPeerServer(Promise.resolve(transport));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
after(async () => {
  server.close();
  server.closeAllConnections();
  await transport.stop();
});

const IDENTITY = {
  "X-Server-From": "b",
  "X-Server-Version": "3.7.3",
  "X-Min-Cluster-Version": "3.0.0",
  "X-Etcd-Cluster-ID": "c1",
  "X-Raft-To": "a",
};

const CONF = { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

function framedSnapshot(): Buffer {
  const w = new Writer(64);
  const meta = { index: 5, term: 3, confState: CONF };
  const snapshot = { data: Uint8Array.of(1), meta };
  writeFramedMessage(w, messageOf({ type: MESSAGE_TYPE.snap, from: 11n, to: 10n, snapshot }));
  return Buffer.from(w.view());
}

/** Bytes on a connection of their own; what came back, and then the end. */
function exchange(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => (received += String(chunk)));
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
    socket.end(bytes);
  });
}

function request(method: string, path: string, fields: object, body: Uint8Array): Buffer {
  const all = { Host: "a", Connection: "close", "Content-Length": body.length, ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}

const PATHS = [
  "/raft",
  "/raft/snapshot",
  "/raft/stream/msgapp/b",
  "/raft/stream/message/b",
  "/leases",
  "/leases/internal",
  "/members/hashkv",
  "/members/promote/5",
  "/members",
];
const path = fc.oneof(
  fc.constantFrom(...PATHS),
  fc.string({ maxLength: 12 }).map((text) => `/${encodeURIComponent(text)}`),
);
const field = fc.oneof(
  fc.constant({}),
  fc
    .record({
      name: fc.constantFrom(...Object.keys(IDENTITY), "X-PeerURLs"),
      value: fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
    })
    .map(({ name, value }) => ({ [name]: value.trim() })),
);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
    const bytes = framedSnapshot();
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
);

test("whatever is asked, it is answered or the connection closed, and the server goes on", async () => {
  const method = fc.constantFrom("GET", "POST", "PUT", "HEAD");
  await fc.assert(
    fc.asyncProperty(method, path, field, body, async (how, where, more, bytes) => {
      const answer = await exchange(request(how, where, { ...IDENTITY, ...more }, bytes));
      assert.match(answer, /^$|^HTTP\/1.1 \d{3} /);
    }),
    { numRuns: 300 },
  );
  const version = await exchange(request("GET", "/version", {}, new Uint8Array(0)));
  assert.match(version, /^HTTP\/1.1 200 OK/);
});

test("a probe's answer is read as Go writes it, anything else refused", () => {
  assert.equal(parseProbe('{"OK":true,"Now":"2026-11-26T13:00:00.123456789Z"}'), 1795698000123);
  assert.equal(parseProbe('{"OK":true,"Now":"2026-11-26T15:00:00.1+02:00"}'), 1795698000100);
  for (const text of [
    "",
    "null",
    "{}",
    '{"OK":false,"Now":"2026-11-26T13:00:00Z"}',
    '{"OK":true}',
  ]) {
    assert.throws(() => parseProbe(text));
  }
});
