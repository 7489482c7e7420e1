import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { MESSAGE_TYPE, type Message } from "../proto/index.ts";
import { createPeerServer } from "./server.ts";
import { FakeInbox, messageOf, transportOptions } from "./testing.ts";
import { Transport } from "./transport.ts";

const CLUSTER = 0xc1n;

interface Node {
  readonly id: bigint;
  readonly inbox: FakeInbox;
  readonly transport: Transport;
  readonly server: Server;
  readonly url: string;
}

const nodes: Node[] = [];
after(async () => {
  for (const node of nodes) await stop(node);
});

async function start(id: bigint, clusterId = CLUSTER): Promise<Node> {
  const ready = Promise.withResolvers<Transport>();
  const server = createPeerServer(ready.promise);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const inbox = new FakeInbox({ memberId: id, clusterId });
  const transport = new Transport(transportOptions([url]), inbox);
  ready.resolve(transport);
  const node = { id, inbox, transport, server, url };
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
