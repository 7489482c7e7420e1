/** One directory, servers of both kinds in turn, writes all the time. */
import { join } from "node:path";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../src/base/index.ts";
import { History } from "../crash/history.ts";
import { Load, type Write } from "../crash/load.ts";
import { KV, Lease, Maintenance } from "../lib/api.ts";
import { needPeer, type Kind } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { freePort, run, startMember } from "../lib/processes.ts";

const TURNS: readonly Kind[] = ["etcd", "quord", "etcd", "quord", "quord", "etcd", "quord", "etcd"];
const LOAD_MS = 1_200;
/** Low, so that each turn cuts segments and makes snapshots for the next to read. */
const FLAGS = ["--snapshot-count", "1000"];

/** What a server says it stores, so that the next one can be asked the same. */
async function stateOf(client: Client): Promise<unknown> {
  const { hash, hashRevision } = await client.call(Maintenance.method.hashKV, {});
  const { leases } = await client.call(Lease.method.leaseLeases, {});
  return { hash, hashRevision, leases: leases.map(({ ID }) => ID).toSorted() };
}

export async function handedBackAndForth(parent: string): Promise<void> {
  const dir = join(parent, "data");
  const ports = { client: await freePort(), peer: await freePort() };
  const history = new History();
  let writes: Write[] = [];
  let before: unknown;
  for (const [turn, kind] of TURNS.entries()) {
    const member = await startMember(kind, { dir, ports, flags: FLAGS });
    const client = new Client(member.endpoint);
    await history.check(client, writes);
    const state = await stateOf(client);
    if (before !== undefined) assert.deepEqual(state, before, `turn ${turn + 1}, ${kind}`);
    writes = [];
    const load = new Load({ client, prng: new Prng(turn), writes, round: turn });
    const running = load.run();
    await client.call(Lease.method.leaseGrant, { ID: BigInt(turn + 1), TTL: 10_000n });
    await sleep(LOAD_MS);
    // One turn in two ends with a kill in the middle of the load, the other in peace.
    if (turn % 2 === 1) await member.kill();
    load.stop();
    await running;
    before = turn % 2 === 1 ? undefined : await endInPeace(client, history);
    client.close();
    await member.stop();
    await checkPages(dir);
  }
}

async function endInPeace(client: Client, history: History): Promise<unknown> {
  const revision = Math.max(history.compacted + 1, history.revision - 50);
  await client.call(KV.method.compact, { revision: BigInt(revision), physical: true });
  history.compacted = revision;
  return stateOf(client);
}

async function checkPages(dir: string): Promise<void> {
  const { code, stdout, stderr } = await run(needPeer("bbolt"), [
    "check",
    join(dir, "member", "snap", "db"),
  ]);
  assert.equal(code, 0, `bbolt check: ${stdout}${stderr}`);
}
