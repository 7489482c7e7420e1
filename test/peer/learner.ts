/**
 * A member without a store follows a live etcd cluster over quord's transport: as a learner that
 * gets entries, as a voter whose acknowledgements the cluster needs, as one that is removed; then
 * another one that begins with a snapshot.
 *
 *   node test/peer/learner.ts [--members 3] [--puts 2000] [--program etcd]
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Cluster } from "../cluster/cluster.ts";
import type { Program } from "../cluster/seat.ts";
import { Cluster as ClusterApi, KV } from "../lib/api.ts";
import type { Client } from "../lib/grpc.ts";
import { freePort } from "../lib/processes.ts";
import { ScriptedMember } from "./scripted-member.ts";

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "3" },
    puts: { type: "string", default: "2000" },
    program: { type: "string", default: "etcd" },
  },
});
const PUTS = Number(values.puts);
const SIDES = Number(values.members);
const CALLS_AT_A_TIME = 50;

const bytes = (text: string) => Buffer.from(text);

async function put(cluster: Cluster, from: number, count: number): Promise<void> {
  const { client } = await cluster.leader();
  const value = bytes("v".repeat(300));
  const caller = async (first: number): Promise<void> => {
    for (let i = first; i < from + count; i += CALLS_AT_A_TIME) {
      await client.call(KV.method.put, { key: bytes(`key-${i % 5000}`), value });
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_A_TIME }, (_, i) => caller(from + i)));
}

async function appliedBy(cluster: Cluster): Promise<number> {
  return Number((await (await cluster.leader()).status())!.raftAppliedIndex);
}

async function until(what: string, isMet: () => boolean | Promise<boolean>): Promise<number> {
  const begun = performance.now();
  while (!(await isMet())) {
    if (performance.now() - begun > 30_000) throw new Error(`never: ${what}`);
    await sleep(20);
  }
  return Math.round(performance.now() - begun);
}

/** A change of members, tried until the cluster is found healthy. */
async function change<T>(cluster: Cluster, make: (client: Client) => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const { client } = await cluster.leader();
    try {
      return await make(client);
    } catch (error) {
      if (tries > 50) throw error;
      await sleep(200);
    }
  }
}

async function join(cluster: Cluster): Promise<ScriptedMember> {
  const port = await freePort();
  const request = { peerURLs: [`http://127.0.0.1:${port}`], isLearner: true };
  const { member, members, header } = await change(cluster, (client) =>
    client.call(ClusterApi.method.memberAdd, request),
  );
  const scripted = new ScriptedMember({
    memberId: member!.ID,
    clusterId: header!.clusterId,
    port,
    peers: members
      .filter(({ ID }) => ID !== member!.ID)
      .map(({ ID, peerURLs: urls }) => ({ id: ID, urls })),
  });
  await scripted.listen();
  return scripted;
}

async function caughtUp(cluster: Cluster, member: ScriptedMember): Promise<number> {
  const index = await appliedBy(cluster);
  return until(`entry ${index} arrives`, () => member.applied >= index);
}

async function follow(cluster: Cluster): Promise<void> {
  await put(cluster, 0, PUTS);
  const learner = await join(cluster);
  console.log(`a learner has caught up after ${await caughtUp(cluster, learner)} ms`);
  const begun = process.cpuUsage();
  await put(cluster, PUTS, PUTS);
  const lag = await caughtUp(cluster, learner);
  const { user, system } = process.cpuUsage(begun);
  console.log(
    `${PUTS} puts followed, the last ${lag} ms late; ours and load: ${((user + system) / 1e3) | 0} ms`,
  );
  const ID = learner.inbox.ids.memberId;
  const others = cluster.seats.slice();
  await change(cluster, (client) => client.call(ClusterApi.method.memberPromote, { ID }));
  console.log("promoted");
  // Of N + 1 voters the cluster now needs the scripted one once enough of the others are down.
  const spare = Math.floor(SIDES / 2);
  const stopped = others.filter((_, i) => i < spare);
  const leader = await cluster.leader();
  for (const seat of stopped.filter((seat) => seat !== leader)) await seat.stop();
  await put(cluster, 2 * PUTS, 200);
  await caughtUp(cluster, learner);
  console.log("200 puts with its acknowledgements");
  for (const seat of stopped) if (!seat.isRunning) seat.start(seat.program);
  await cluster.serving();
  await change(cluster, (client) => client.call(ClusterApi.method.memberRemove, { ID }));
  console.log(`told of its removal after ${await until("removed", () => learner.removed)} ms`);
  await learner.stop();
}

async function fromSnapshot(cluster: Cluster): Promise<void> {
  await put(cluster, 0, 12_000);
  const learner = await join(cluster);
  await caughtUp(cluster, learner);
  const [snapshot] = learner.snapshots;
  assert.ok(snapshot !== undefined, "no snapshot came");
  assert.equal(snapshot.first.readUInt32LE(16), 0xed0cdaed, "bolt's magic");
  console.log(
    `a snapshot of ${snapshot.size} bytes at ${snapshot.index}, ${learner.entries} entries`,
  );
  await learner.stop();
}

const programs = Array.from({ length: SIDES }, () => values.program as Program);
const cluster = await Cluster.start({ programs, flags: ["--snapshot-count=100"] });
try {
  await follow(cluster);
  await fromSnapshot(cluster);
  console.log("ok");
} finally {
  await cluster.stop();
}
process.exit(0);
