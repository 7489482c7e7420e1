import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import { freePort } from "../../test/lib/processes.ts";
import { Logger, metricsPage } from "../observe/index.ts";
import { type Lines, Transport } from "../peer/index.ts";
import { FakeInbox, transportOptions } from "../peer/testing.ts";
import { networkFamilies } from "./metrics-network.ts";
import { PeerPort } from "./peer-port.ts";

const QUIET = new Logger({ level: "fatal", sinks: [] });
const ports: PeerPort[] = [];
const transports: Transport[] = [];
after(async () => {
  for (const port of ports) port.close();
  await Promise.all(transports.map((transport) => transport.stop()));
});

async function open(port: number): Promise<PeerPort> {
  const opened = new PeerPort([new URL(`http://127.0.0.1:${port}`)], QUIET);
  await opened.listen();
  ports.push(opened);
  return opened;
}

function newTransport(lines: Lines = QUIET): Transport {
  const inbox = new FakeInbox({ memberId: 0xan, clusterId: 0xcn });
  const transport = new Transport(transportOptions(["http://127.0.0.1:1"], { lines }), inbox);
  transports.push(transport);
  return transport;
}

test("requests wait for a member that starts", async () => {
  const port = await freePort();
  const opened = await open(port);
  const answer = fetch(`http://127.0.0.1:${port}/version`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  opened.serve(newTransport());
  const reply = await answer;
  assert.equal(reply.status, 200);
  assert.equal(
    await reply.text(),
    '{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0"}',
  );
});

test("peers do not speak HTTP/2", async () => {
  const port = await freePort();
  (await open(port)).serve(newTransport());
  const socket = connect(port, "127.0.0.1");
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1.1 400 Bad Request/);
  socket.destroy();
});

test("a port in use is told", async () => {
  const port = await freePort();
  await open(port);
  await assert.rejects(open(port), { code: "EADDRINUSE" });
});

test("what links count is told by the member at their other end", async () => {
  const transport = newTransport();
  const { meters } = transport;
  const page = (): string =>
    [...metricsPage(networkFamilies({ meters, localId: "a" }))]
      .join("")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .join("\n");
  assert.equal(page(), "");
  meters.activePeers.add(0xbn, 1);
  meters.sentBytes.add(0xbn, 12);
  meters.snapshotReceiveSeconds.observe(0xbn, 60);
  assert.match(page(), /^etcd_network_active_peers\{Local="a",Remote="b"\} 1$/m);
  assert.match(page(), /^etcd_network_peer_sent_bytes_total\{To="b"\} 12$/m);
  assert.match(
    page(),
    /^etcd_network_snapshot_receive_total_duration_seconds_bucket\{From="b",le="\+Inf"\} 1$/m,
  );
});
