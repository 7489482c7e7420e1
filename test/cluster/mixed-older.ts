/** etcd 3.6: a member of ours joins and leaves its cluster, and opens its directory. */
import { Client } from "../lib/grpc.ts";
import { Maintenance } from "../lib/api.ts";
import { Cluster } from "./cluster.ts";
import { say } from "./command.ts";
import { Load } from "./load.ts";
import { pathOf, type Program, type Seat } from "./seat.ts";
import { equalHashes, judge } from "./verdict.ts";

const OLDER: Program = "etcd-3.6";

function isMissing(what: string): boolean {
  if (pathOf(OLDER) !== undefined) return false;
  say(`skipped: ${what}: etcd 3.6 was not built; run npm run interop`);
  return true;
}

/** Joins under load, leads, leaves; then the same with etcd 3.7, and what they said is compared. */
export async function olderCluster(to: Program): Promise<string[]> {
  if (isMissing("a 3.6 cluster")) return [];
  const problems: string[] = [];
  const stories = new Map<Program, string>();
  for (const program of new Set<Program>(["etcd", to])) {
    const cluster = await Cluster.start({ programs: [OLDER, OLDER, OLDER] });
    const load = new Load({ seats: () => cluster.running(), seed: 2, perSecond: 250 });
    load.start();
    const story: string[] = [];
    const seat = await cluster.add(program, { name: "visitor", isLearner: true });
    story.push(await versions(seat));
    await cluster.promote(seat);
    await cluster.lead(seat);
    await equalHashes(cluster);
    story.push(await versions(seat), await versions(cluster.seats[0]!));
    await cluster.remove(seat);
    await equalHashes(cluster);
    story.push(await versions(cluster.seats[0]!));
    problems.push(...(await judge(cluster, load)));
    await cluster.stop();
    stories.set(program, story.join("; "));
    say(`${program} joined a 3.6 cluster, led it and left: ${stories.get(program)}`);
  }
  const [usual, ours] = [stories.get("etcd"), stories.get(to)];
  if (usual !== ours) problems.push(`in a 3.6 cluster: etcd ${usual}, ${to} ${ours}`);
  return problems;
}

/** What a member says about versions. */
async function versions(seat: Seat): Promise<string> {
  const status = await seat.status(5_000);
  const page = await fetch(`http://${seat.endpoint}/version`);
  const { etcdcluster } = (await page.json()) as { etcdcluster: string };
  return `storage ${status?.storageVersion}, cluster ${etcdcluster}`;
}

/** A directory that 3.6 has written, opened by 3.7 and by ours. */
export async function olderDirectory(to: Program): Promise<string[]> {
  if (isMissing("a 3.6 directory")) return [];
  const stories = new Map<Program, string>();
  const problems: string[] = [];
  for (const program of new Set<Program>(["etcd", to])) {
    const cluster = await Cluster.start({ programs: [OLDER] });
    const seats = () => cluster.running();
    const load = new Load({ seats, seed: 3, perSecond: 500, observers: 2 });
    load.start();
    await new Promise((go) => setTimeout(go, 2_000));
    const seat = cluster.seats[0]!;
    await seat.stop();
    seat.start(program);
    await seat.serving();
    problems.push(...(await judge(cluster, load)));
    stories.set(program, `${await settled(seat)}`);
    await cluster.stop();
    say(`${program} opened a 3.6 directory: ${stories.get(program)}`);
  }
  const [usual, ours] = [stories.get("etcd"), stories.get(to)];
  if (usual !== ours) problems.push(`a 3.6 directory: etcd ${usual}, ${to} ${ours}`);
  return problems;
}

/** The versions, once the member has had its say about the cluster's. */
async function settled(seat: Seat): Promise<string> {
  const client = new Client(seat.endpoint);
  const until = performance.now() + 10_000;
  for (;;) {
    const status = await client.call(Maintenance.method.status, {});
    if (status.storageVersion === "3.7.0" || performance.now() > until) break;
    await new Promise((go) => setTimeout(go, 100));
  }
  client.close();
  return versions(seat);
}
