/** What must hold when a run is over. */
import { setTimeout as sleep } from "node:timers/promises";
import { Maintenance } from "../lib/api.ts";
import { checkHistory } from "../lib/history/index.ts";
import type { Cluster } from "./cluster.ts";
import type { Load } from "./load.ts";
import type { Seat } from "./seat.ts";

const EQUAL_MS_MAX = 30_000;

/** Compares HashKV of all members at one revision. Rejects when they differ or do not answer. */
export async function equalHashes(cluster: Cluster): Promise<string> {
  const until = performance.now() + EQUAL_MS_MAX;
  for (;;) {
    const status = await (await cluster.leader()).status();
    const revision = status?.header?.revision;
    const seats = cluster.running();
    const hashes =
      revision === undefined
        ? []
        : await Promise.all(seats.map((seat) => hashAt(seat, revision).catch(() => undefined)));
    const isComplete = hashes.length > 0 && hashes.every((hash) => hash !== undefined);
    if (isComplete && new Set(hashes).size === 1) return hashes[0]!;
    if (performance.now() > until) {
      const list = seats.map(({ name, program }, i) => `${name} (${program}) ${hashes[i]}`);
      throw new Error(`hashes differ at ${revision}: ${list.join(", ")}\n${cluster.logs()}`);
    }
    await sleep(200);
  }
}

/** Members are compacted at different moments: that is part of what is compared. */
async function hashAt(seat: Seat, revision: bigint): Promise<string> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const status = await seat.status();
    if (status === undefined) throw new Error("no answer");
    if (status.header!.revision >= revision) break;
    if (Date.now() > deadline) throw new Error("too far behind");
    await sleep(20);
  }
  const answer = await seat.client.call(Maintenance.method.hashKV, { revision }, { deadline });
  return `${answer.hash}@${answer.hashRevision}/${answer.compactRevision}`;
}

/** Ends a load and says everything that is wrong. */
export async function judge(cluster: Cluster, load: Load): Promise<string[]> {
  await load.stop();
  const violations = checkHistory({ operations: load.operations, watches: load.watches });
  violations.push(...load.late);
  await equalHashes(cluster).catch((error: Error) => violations.push(error.message));
  return violations;
}
