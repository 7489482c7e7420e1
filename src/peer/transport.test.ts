import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import type { SnapshotSink } from "../member/index.ts";
import { type Failure, fail, MESSAGE_TYPE, type Message } from "../proto/index.ts";
import type { TransportOptions } from "./local.ts";
import { createPeerServer } from "./server.ts";
import { STREAM_BYTES_MAX } from "./stream-writer.ts";
import { FakeInbox, KeptLines, messageOf, transportOptions } from "./testing.ts";
import { Transport } from "./transport.ts";

const CLUSTER = 0xc1n;

interface Node {
  readonly id: bigint;
  readonly inbox: FakeInbox;
  readonly lines: KeptLines;
  /** How often it was told that it is not a member any more. */
  readonly removals: string[];
  readonly transport: Transport;
  readonly server: Server;
  readonly url: string;
}

const nodes: Node[] = [];
after(async () => {
  await Promise.all(nodes.map(stop));
});

async function start(
  id: bigint,
  clusterId = CLUSTER,
  times: Partial<TransportOptions> = {},
): Promise<Node> {
  const ready = Promise.withResolvers<Transport>();
  const server = createPeerServer(ready.promise);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const inbox = new FakeInbox({ memberId: id, clusterId });
  const lines = new KeptLines();
  const removals: string[] = [];
  const onRemoved = (reason: string) => removals.push(reason);
  const transport = new Transport(transportOptions([url], { lines, onRemoved, ...times }), inbox);
  ready.resolve(transport);
  const node = { id, inbox, lines, removals, transport, server, url };
  nodes.push(node);
  return node;
}

async function stop({ transport, server }: Node): Promise<void> {
  server.close();
  await transport.stop();
  server.closeAllConnections();
}

async function pair(): Promise<[Node, Node]> {
  const a = await start(0xan);
  const b = await start(0xbn);
  a.transport.setPeer(b.id, [b.url]);
  b.transport.setPeer(a.id, [a.url]);
  return [a, b];
}

const app = (from: Node, to: Node, index: number): Message =>
  messageOf({
    type: MESSAGE_TYPE.app,
    from: from.id,
    to: to.id,
    term: 3,
    logTerm: 3,
    index,
    entries: [{ type: 0, term: 3, index: index + 1, data: Uint8Array.of(index, 7) }],
    commit: index,
  });

test("messages reach a peer before there are streams, and over streams after", async () => {
  const [a, b] = await pair();
  for (let i = 1; i <= 20; i++) {
    a.transport.send([
      app(a, b, i),
      messageOf({ type: MESSAGE_TYPE.heartbeat, from: a.id, to: b.id, term: 3, commit: i }),
    ]);
    await b.inbox.has(2 * i);
  }
  const apps = b.inbox.received.filter(({ type }) => type === MESSAGE_TYPE.app);
  assert.deepEqual(
    apps.map(({ index }) => index),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  assert.ok(apps.every(({ entries, index }) => entries[0]!.data[0] === index));
  assert.notEqual(a.transport.activeSince(b.id), undefined);
  assert.deepEqual(a.inbox.unreachable, []);
});

/** Resolves when both streams to the peer carry what it sends. */
async function linked(from: Node, to: Node): Promise<void> {
  await until(() => from.lines.kept.filter((line) => OPENED.test(line)).length >= 2);
  await until(() => to.transport.activeSince(from.id) !== undefined);
}

const OPENED = /^established TCP streaming connection .*stream-writer-type/;

async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test("a peer whose process is gone is told of once, and found again when it is back", async () => {
  const [a, b] = await pair();
  await linked(a, b);
  const { port } = b.server.address() as AddressInfo;
  b.server.close();
  b.server.closeAllConnections();
  await a.inbox.until(() => a.inbox.gone.length > 0);
  assert.deepEqual(a.inbox.gone, [b.id]);
  assert.equal(a.transport.activeSince(b.id), undefined);
  const again = createPeerServer(Promise.resolve(b.transport));
  again.listen(port, "127.0.0.1");
  await until(() => a.transport.activeSince(b.id) !== undefined);
  assert.deepEqual(a.inbox.gone, [b.id]);
  again.close();
  again.closeAllConnections();
});

test("a member that was removed is told so by its peers", async () => {
  const a = await start(0xan);
  const b = await start(0xbn);
  b.inbox.removed.add(a.id);
  a.transport.setPeer(b.id, [b.url]);
  await until(() => a.removals.length > 0);
  assert.equal(a.removals[0], "the member has been permanently removed from the cluster");
});

test("members of another cluster hear nothing of each other", async () => {
  const a = await start(0xan);
  const b = await start(0xbn, 0xc2n);
  a.transport.setPeer(b.id, [b.url]);
  b.transport.setPeer(a.id, [a.url]);
  a.transport.send([app(a, b, 1)]);
  await a.inbox.until(() => a.inbox.unreachable.length > 0);
  await until(() => a.lines.kept.some((line) => line.includes("due to cluster ID mismatch")));
  assert.deepEqual(b.inbox.received, []);
  assert.equal(a.transport.activeSince(b.id), undefined);
});

test("who is silent, or does not read, is given up after the times that were asked for", async () => {
  const a = await start(0xan, CLUSTER, { readTimeoutMs: 200, writeTimeoutMs: 300 });
  // It answers streams, and then says nothing; and it begins a message that it does not end.
  const silent = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(
      "HTTP/1.1 200 OK\r\nX-Server-Version: 3.7.3\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const begun = performance.now();
  a.transport.setPeer(0xbn, [`http://127.0.0.1:${(silent.address() as AddressInfo).port}`]);
  await until(() => a.lines.kept.some((line) => /^lost TCP .*i\/o timeout/.test(line)));
  assert.ok(performance.now() - begun < 2000, "the default has nothing to do with it");
  const socket = connectTo(a);
  socket.write(`POST /raft HTTP/1.1\r\n${FIELDS.join("\r\n")}\r\nContent-Length: 9\r\n\r\nhalf`);
  await once(socket, "data");
  assert.ok(a.lines.kept.some((line) => /^failed to read Raft message.*i\/o timeout/.test(line)));
  assert.ok(performance.now() - begun < 2000, "the default has nothing to do with it");
  // Who is reached again after a silence would be made to open its streams anew.
  a.transport.setPeer(0xbn, ["http://127.0.0.1:1"]);
  const reader = connectTo(a);
  reader.write(`GET /raft/stream/msgapp/b HTTP/1.1\r\n${FIELDS.join("\r\n")}\r\n\r\n`);
  await once(reader, "readable");
  const entries = [{ ...ENTRY, data: new Uint8Array(8 * 1024 * 1024) }];
  a.transport.send([messageOf({ type: MESSAGE_TYPE.app, from: a.id, to: 0xbn, entries })]);
  await until(() => a.lines.kept.some((line) => /^lost TCP .*stream-writer/.test(line)));
  assert.ok(performance.now() - begun < 4500, "the default has nothing to do with it");
  for (const end of [socket, reader]) end.destroy();
  silent.close();
});

/** Hands connections on, to the port of a node: until they are frozen, as a cut network does it. */
async function relayTo(node: Node): Promise<{ readonly url: string; freeze(): void }> {
  const { port } = node.server.address() as AddressInfo;
  const ends: Socket[] = [];
  const relay = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => {}).on("close", () => to.destroy());
      from.pipe(to);
      ends.push(from);
    }
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  after(() => {
    relay.close();
    for (const end of ends) end.destroy();
  });
  const freeze = (): void => {
    for (const end of ends.splice(0)) end.unpipe().resume();
  };
  return { url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, freeze };
}

test("a peer that was silent is made to open its streams anew as soon as it is reached", async () => {
  const a = await start(0xan, CLUSTER, { readTimeoutMs: 3_000 });
  // As members of etcd are: they wait for TCP to find out.
  const b = await start(0xbn, CLUSTER, { readTimeoutMs: 600_000 });
  const [toA, toB] = [await relayTo(a), await relayTo(b)];
  a.transport.setPeer(b.id, [toB.url]);
  b.transport.setPeer(a.id, [toA.url]);
  await linked(a, b);
  await linked(b, a);
  toA.freeze();
  toB.freeze();
  const opened = () => a.lines.kept.filter((line) => OPENED.test(line)).length;
  await until(() => opened() === 4);
  const reset = a.lines.kept.filter((line) => /^closed TCP .*stream-writer-type/.test(line));
  assert.equal(reset.length, 2, "each of the old ones once");
  a.transport.send([app(a, b, 1)]);
  await b.inbox.has(1);
});

const connectTo = ({ server }: Node): Socket =>
  connect((server.address() as AddressInfo).port, "127.0.0.1");

/** Of a request to `a`. */
const FIELDS = [
  ["Host: a", "X-Server-Version: 3.7.3", "X-Min-Cluster-Version: 3.0.0"],
  [`X-Etcd-Cluster-ID: ${CLUSTER.toString(16)}`, "X-Raft-To: a"],
].flat();

test("messages for a peer that does not read are dropped and reported at the bound", async () => {
  const a = await start(0xan);
  const b = await start(0xbn);
  // The peer's address is nobody's; it opens a stream and reads nothing of it.
  a.transport.setPeer(b.id, ["http://127.0.0.1:1"]);
  const socket = connectTo(a);
  socket.write(`GET /raft/stream/msgapp/b HTTP/1.1\r\n${FIELDS.join("\r\n")}\r\n\r\n`);
  await once(socket, "readable");
  const data = new Uint8Array(1024 * 1024);
  const before = a.inbox.unreachable.length;
  let sent = 0;
  while (a.inbox.unreachable.length === before && sent < 200) {
    a.transport.send([messageOf({ ...app(a, b, 1), entries: [{ ...ENTRY, data }] })]);
    sent++;
    if (sent % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent < 200, "there is no bound");
  assert.ok(sent >= STREAM_BYTES_MAX / data.length, `dropped after ${sent}`);
  assert.ok(a.lines.kept.some((line) => line.startsWith("dropped internal Raft message")));
  socket.destroy();
});

const ENTRY = { type: 0, term: 3, index: 2 };

test("a stranger who says where he lives is answered", async () => {
  const a = await start(0xan);
  const b = await start(0xbn);
  a.transport.setPeer(b.id, [b.url]);
  a.transport.send([app(a, b, 1)]);
  await b.inbox.has(1);
  b.transport.send([messageOf({ type: MESSAGE_TYPE.appResp, from: b.id, to: a.id, index: 9 })]);
  await a.inbox.has(1);
  assert.equal(a.inbox.received[0]!.index, 9);
});

function sinkOf(parts: Buffer[], finish: () => Promise<void>): SnapshotSink {
  return {
    write: (bytes) => {
      parts.push(Buffer.from(bytes));
      return Promise.resolve();
    },
    finish,
    abort: () => Promise.resolve(),
  };
}

const CONF = { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

function snapshotFor(from: Node, to: Node): Message {
  const meta = { index: 5, term: 3, confState: CONF };
  const snapshot = { data: Uint8Array.of(1, 2, 3), meta };
  return messageOf({ type: MESSAGE_TYPE.snap, from: from.id, to: to.id, term: 3, snapshot });
}

async function sendSnapshot(from: Node, to: Node, sink: SnapshotSink | Failure, file: Buffer) {
  to.inbox.sink = sink;
  let isClosed = false;
  from.transport.sendSnapshot(snapshotFor(from, to), {
    sizeBytes: file.length,
    read: async (offset, bytes) => bytes.set(file.subarray(offset, offset + bytes.length)),
    close: () => {
      isClosed = true;
    },
  });
  await from.inbox.until(() => from.inbox.snapshots.length > 0);
  assert.ok(isClosed);
  return from.inbox.snapshots[0];
}

test("a page file arrives whole behind its message", async () => {
  const [a, b] = await pair();
  const file = Buffer.from(Array.from({ length: 1_000_003 }, (_, i) => i % 251));
  const parts: Buffer[] = [];
  const sink = sinkOf(parts, () => Promise.resolve());
  assert.equal(await sendSnapshot(a, b, sink, file), true);
  assert.ok(Buffer.concat(parts).equals(file));
  assert.deepEqual([...b.transport.meters.snapshotsReceived], [["a", 1]]);
});

test("a snapshot that is refused, or cannot be kept, is told to have failed", async () => {
  const [a, b] = await pair();
  const file = Buffer.alloc(300_000);
  assert.equal(await sendSnapshot(a, b, fail("tooManyRequests"), file), false);
  a.inbox.snapshots.length = 0;
  const sink = sinkOf([], () => Promise.reject(new Error("no space left")));
  assert.equal(await sendSnapshot(a, b, sink, file), false);
  assert.ok(
    b.lines.kept.some((line) => line.includes("no space left")),
    b.lines.kept.join("\n") + a.lines.kept.join("\n"),
  );
  const missing = { ...snapshotFor(a, b), to: 0xddn };
  let isClosed = false;
  const image = {
    sizeBytes: 1,
    read: () => Promise.reject(new Error()),
    close: () => (isClosed = true),
  };
  a.transport.sendSnapshot(missing, image);
  assert.ok(isClosed, "nobody knows the target");
});

test("members ask each other over HTTP", async () => {
  const [a, b] = await pair();
  const { transport } = a;
  b.inbox.hash = (revision) =>
    Promise.resolve({
      kind: "value",
      value: { hash: 7, compactRevision: 0, hashRevision: revision, revision: 12 },
    });
  assert.deepEqual(await transport.hashKv(b.id, 10), await b.inbox.hash(10));
  for (const name of ["compacted", "futureRev"] as const) {
    const refusal = { kind: "refused", failure: fail(name) } as const;
    b.inbox.hash = () => Promise.resolve(refusal);
    assert.deepEqual(await transport.hashKv(b.id, 10), refusal);
  }
  for (const name of ["memberNotFound", "memberNotLearner", "learnerNotReady"] as const) {
    b.inbox.promoted = { kind: "refused", failure: fail(name) };
    assert.deepEqual(await transport.promote(b.id, 5n), b.inbox.promoted);
  }
  b.inbox.promoted = { kind: "value", value: "[]" };
  assert.deepEqual(await transport.promote(b.id, 5n), { kind: "value", value: "[]\n" });
  b.inbox.ttl = { kind: "value", value: 60 };
  assert.deepEqual(await transport.renewLease(b.id, 2n ** 62n, 1000), b.inbox.ttl);
  const value = { ttlSeconds: 3, grantedSeconds: 9, keys: [] };
  b.inbox.lease = { kind: "value", value };
  const found = await transport.timeToLive(b.id, { lease: -5n, keys: true }, 1000);
  assert.deepEqual(found, b.inbox.lease);
  b.inbox.lease = { kind: "refused", failure: fail("leaseNotFound") };
  assert.deepEqual(
    await transport.timeToLive(b.id, { lease: 5n, keys: true }, 1000),
    b.inbox.lease,
  );
  assert.deepEqual(await transport.version(b.id), { kind: "value", value: b.inbox.versions });
});

test("a question that nobody answers is told to be that", async () => {
  const [a, b] = await pair();
  b.inbox.ttl = { kind: "refused", failure: fail("notLeader") };
  const refused = await a.transport.renewLease(b.id, 1n, 1000);
  assert.equal(refused.kind, "unreached");
  a.transport.setPeer(b.id, ["http://127.0.0.1:1"]);
  const reason =
    'Get "http://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: connection refused';
  assert.deepEqual(await a.transport.version(b.id), { kind: "unreached", reason });
  const line = {
    address: "http://127.0.0.1:1/version",
    "remote-member-id": b.id.toString(16),
    error: reason,
  };
  const { kept } = a.transport.local.lines as KeptLines;
  assert.ok(kept.includes(`failed to reach the peer URL ${JSON.stringify(line)}`));
  assert.equal((await a.transport.version(0xddn)).kind, "unreached");
});
