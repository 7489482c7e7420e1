/**
 * The same requests to the peer ports of etcd and of quord's transport: status, all fields but the
 * date, and the body must be equal.
 *
 *   node test/peer/endpoints.ts [--only REGEXP]
 */
import { connect } from "node:net";
import { parseArgs } from "node:util";
import type { PeerHash, PeerReply } from "../../src/member/index.ts";
import type { FakeInbox } from "../../src/peer/testing.ts";
import { fail } from "../../src/proto/index.ts";
import { parse } from "../e2e/endpoints-wire.ts";
import { Cluster as ClusterApi, KV, Lease, Maintenance } from "../lib/api.ts";
import { needPeer } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { freePort, startMember } from "../lib/processes.ts";
import { type Ask, type Facts, peerCases } from "./endpoints-cases.ts";
import { ScriptedMember } from "./scripted-member.ts";

const { only = "" } = parseArgs({ options: { only: { type: "string" } } }).values;
const wanted = new RegExp(only);
const ANSWER_MS = 1500;

/** What comes back on a connection of its own; a stream is cut off after a while. */
function exchange(port: number, bytes: Buffer, isWhole: (all: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (isWhole(Buffer.concat(chunks))) socket.destroy();
    });
    socket.on("error", () => {});
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    socket.write(bytes);
  });
}

/** etcd keeps connections for a while that it said it would close. */
function isWhole(method: string): (all: Buffer) => boolean {
  return (all) => {
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const { status, fields } = parse(all);
    if (method === "HEAD" || status === 204) return true;
    const length = fields["content-length"];
    return length !== undefined && all.length >= end + 4 + Number(length);
  };
}

function requestOf(ask: Ask): Buffer {
  const { method = "GET", path, fields = {}, body } = ask;
  const all: Record<string, string> = { Host: "peer", Connection: "close", ...fields };
  if (body !== undefined) all["Content-Length"] ??= String(body.length);
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return Buffer.concat([head, body ?? Buffer.alloc(0)]);
}

async function answerOf(port: number, ask: Ask): Promise<string> {
  const { status, fields, body } = parse(
    await exchange(port, requestOf(ask), isWhole(ask.method ?? "GET")),
  );
  // A stream goes on, a time has as many digits as it has, and a space is one byte or two.
  const isOpen = status === 200 && ask.path.startsWith("/raft/stream/");
  const isVague = ask.path === "/raft/probing" || body.includes("(proto:");
  const shown = Object.entries(fields).filter(
    ([name]) => name !== "date" && !(name === "content-length" && isVague),
  );
  const sorted = shown.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([status, sorted, isOpen ? "" : tidy(body)]);
}

/** Times differ, and Go's protobuf chooses a kind of space for each build. */
function tidy(body: string): string {
  return body
    .replaceAll("\u00a0", " ")
    .replace(/"Now":"[^"]*"/, '"Now":TIME')
    .replace(/127\.0\.0\.1:\d+->127\.0\.0\.1:\d+/g, "A->B");
}

/** What is asked of a lease or a member that nobody knows. */
const REFUSALS: Partial<FakeInbox> = {
  ttl: { kind: "refused", failure: fail("leaseNotFound") },
  lease: { kind: "refused", failure: fail("leaseNotFound") },
  promoted: { kind: "refused", failure: fail("memberNotFound") },
};

const text = (value: string) => Buffer.from(value);

async function main(): Promise<void> {
  needPeer("etcd");
  const etcd = await startMember("etcd");
  const client = new Client(etcd.endpoint);
  for (const key of ["a", "b", "a", "c"]) {
    await client.call(KV.method.put, { key: text(key), value: text("v") });
  }
  await client.call(Lease.method.leaseGrant, { ID: 77n, TTL: 600n });
  await client.call(KV.method.put, { key: text("leased"), lease: 77n });
  await client.call(KV.method.compact, { revision: 3n });
  const asMember = async () => (await client.call(ClusterApi.method.memberList, {})).header!;
  const { memberId, clusterId } = await asMember();
  const add = async (port: number) => {
    const request = { peerURLs: [`http://127.0.0.1:${port}`], isLearner: true };
    return (await client.call(ClusterApi.method.memberAdd, request)).member!.ID;
  };
  const removed = await add(await freePort());
  await client.call(ClusterApi.method.memberRemove, { ID: removed });
  const learner = await add(await freePort());
  const ours = await freePort();
  const peers = [{ id: learner, urls: ["http://127.0.0.1:1"] }];
  const member = new ScriptedMember({ memberId, clusterId, port: ours, peers });
  member.inbox.removed.add(removed);
  const list = await fetch(`http://127.0.0.1:${etcd.ports.peer}/members`);
  member.inbox.members = await list.text();
  member.inbox.hash = (revision) => hashAt(client, revision);
  await member.listen();
  const facts: Facts = { memberId, clusterId, learner, removed };
  let compared = 0;
  let different = 0;
  for (const ask of peerCases(facts)) {
    if (!wanted.test(ask.name)) continue;
    Object.assign(member.inbox, REFUSALS, ask.answer);
    const [a, b] = await Promise.all([answerOf(etcd.ports.peer, ask), answerOf(ours, ask)]);
    compared++;
    if (a === b) continue;
    different++;
    console.log(`DIFFERENT ${ask.name}\n  etcd:  ${a}\n  quord: ${b}`);
  }
  console.log(`${compared} compared, ${different} different`);
  await member.stop();
  client.close();
  await etcd.stop();
  process.exit(different === 0 ? 0 : 1);
}

/** The scripted member knows of its state what etcd tells. */
async function hashAt(client: Client, revision: number): Promise<PeerReply<PeerHash>> {
  try {
    const found = await client.call(Maintenance.method.hashKV, { revision: BigInt(revision) });
    const value = {
      hash: found.hash,
      compactRevision: Number(found.compactRevision),
      hashRevision: Number(found.hashRevision),
      revision: Number(found.header!.revision),
    };
    return { kind: "value", value };
  } catch (error) {
    const name = String(error).includes("compacted") ? "compacted" : "futureRev";
    return { kind: "refused", failure: fail(name) };
  }
}

await main();
