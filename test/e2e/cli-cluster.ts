/** Clusters of three for the comparison of command lines, as equal as two clusters can be. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Auth, Cluster, Maintenance, type StatusResponse } from "../lib/api.ts";
import type { Kind } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { freePort, freshDir, type Member, type Ports, spawnMember } from "../lib/processes.ts";

const SIZE = 3;
const TOKEN = "etcd-cluster";
const FORM_MS = 30_000;
/** Members must have been connected for five seconds before etcd lets their list be changed. */
const HEALTHY_MS = 6_000;
/** A new cluster's first leader has term 2, and each of two transfers adds one. */
const TERM_FIRST = 2n;

/** Where the ids of the members lead: they depend on the addresses for peers, and on the token. */
const digest = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest().subarray(0, 8);
};

/** Three members, sorted by their ids. The first one leads, from term 4 on. */
export interface Cluster3 {
  readonly members: readonly Member[];
  /** As hexadecimals. */
  readonly ids: readonly string[];
  readonly clusterId: string;
}

interface Planned {
  readonly ports: Ports;
  readonly id: Buffer;
}

/** Addresses whose ids have all their digits: columns must come out equally wide. */
async function plan(): Promise<{ planned: Planned[]; clusterId: Buffer }> {
  for (;;) {
    const planned: Planned[] = [];
    while (planned.length < SIZE) {
      const ports = { client: await freePort(), peer: await freePort() };
      planned.push({ ports, id: digest(`http://127.0.0.1:${ports.peer}`, TOKEN) });
    }
    planned.sort((a, b) => Buffer.compare(a.id, b.id));
    const clusterId = digest(...planned.map(({ id }) => id));
    if ([...planned.map(({ id }) => id), clusterId].every((id) => id[0]! >= 0x10)) {
      return { planned, clusterId };
    }
  }
}

export async function startCluster(kind: Kind, flags: readonly string[]): Promise<Cluster3> {
  const { planned, clusterId } = await plan();
  const peers = planned.map(({ ports }, i) => `m${i + 1}=http://127.0.0.1:${ports.peer}`);
  const members = await Promise.all(
    planned.map(({ ports }, i) =>
      spawnMember(kind, {
        name: `m${i + 1}`,
        dir: join(freshDir(), "data"),
        ports,
        flags: ["--initial-cluster", peers.join(","), ...flags],
      }),
    ),
  );
  await Promise.all(members.map((member) => member.serving()));
  const healthyAt = performance.now() + HEALTHY_MS;
  const cluster = {
    members,
    ids: planned.map(({ id }) => id.toString("hex")),
    clusterId: clusterId.toString("hex"),
  };
  const numbers = planned.map(({ id }) => id.readBigUInt64BE());
  if (await settleLeader(members, numbers)) {
    await sleep(Math.max(0, healthyAt - performance.now()));
    return cluster;
  }
  // It took more than one election: another one may not.
  await stopCluster(cluster);
  return startCluster(kind, flags);
}

export async function stopCluster({ members }: Cluster3): Promise<void> {
  await Promise.all(members.map((member) => member.kill()));
}

/**
 * Makes the first member of a new cluster its leader when all are there, always by two transfers,
 * so that terms are equal. False: the term is another than it should be.
 */
export async function settleLeader(
  members: readonly { readonly endpoint: string }[],
  ids: readonly bigint[],
): Promise<boolean> {
  const clients = members.map(({ endpoint }) => new Client(endpoint));
  try {
    await untilAllTold(clients[0]!);
    const { raftTerm, leader } = await status(clients[0]!);
    if (raftTerm !== TERM_FIRST) return false;
    const at = ids.indexOf(leader);
    const by = at === 1 ? 2 : 1;
    const moves = [
      [at, by],
      [by, 0],
    ] as const;
    for (const [from, to] of moves) {
      const targetID = ids[to]!;
      await clients[from]!.call(Maintenance.method.moveLeader, { targetID });
      for (const client of clients)
        while ((await status(client)).leader !== targetID) await sleep(10);
    }
    return (await status(clients[0]!)).raftTerm === TERM_FIRST + BigInt(moves.length);
  } finally {
    for (const client of clients) client.close();
  }
}

const status = (client: Client): Promise<StatusResponse> =>
  client.call(Maintenance.method.status, {});

/** Waits for what a new cluster does by itself: names, addresses, versions. */
async function untilAllTold(client: Client): Promise<void> {
  const deadline = performance.now() + FORM_MS;
  for (;;) {
    const { members } = await client.call(Cluster.method.memberList, {});
    const { storageVersion } = await status(client);
    if (members.every(({ name }) => name !== "") && storageVersion === "3.7.0") return;
    if (performance.now() > deadline) throw new Error("the cluster does not form");
    await sleep(50);
  }
}

/** Brings two logs to the same length, by requests that leave no trace but an entry. */
export async function evenOut(clusters: readonly Cluster3[]): Promise<void> {
  const clients = clusters.map(({ members }) => new Client(members[0]!.endpoint));
  const lengths = await Promise.all(
    clients.map(async (client) => (await status(client)).raftIndex),
  );
  const longest = lengths.reduce((a, b) => (a > b ? a : b));
  for (const [i, client] of clients.entries()) {
    for (let n = lengths[i]!; n < longest; n++) await client.call(Auth.method.authStatus, {});
    client.close();
  }
}
