/**
 * A cluster goes down to 3.6 and up again, member by member, as etcd's does: after the downgrade is
 * asked for, members of etcd 3.6 take the seats with the data that is there, and then ours again.
 *
 *   npm run downgrade [-- --programs quord,quord,etcd]    who sits where before and after
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DowngradeRequest_DowngradeAction, Maintenance } from "../lib/api.ts";
import { EXIT_SKIPPED } from "../lib/binaries.ts";
import { Cluster } from "./cluster.ts";
import { readArguments, runCommand, say } from "./command.ts";
import { Load } from "./load.ts";
import { pathOf, type Program, type Seat } from "./seat.ts";
import { equalHashes, judge } from "./verdict.ts";

const VERSION_MS_MAX = 30_000;

const args = readArguments(["programs"]);
if (pathOf("etcd-3.6") === undefined) {
  console.log("skipped: etcd 3.6 was not built; run npm run interop");
  process.exit(EXIT_SKIPPED);
}

/** Waits until all members have this version, of the cluster and of their storage. */
async function reach(seats: readonly Seat[], version: string): Promise<void> {
  const until = performance.now() + VERSION_MS_MAX;
  for (;;) {
    const seen = await Promise.all(seats.map(versions));
    if (seen.every((text) => text === `${version} ${version}`)) return;
    if (performance.now() > until) throw new Error(`versions are ${seen}, not ${version}`);
    await sleep(200);
  }
}

async function versions(seat: Seat): Promise<string> {
  const page = await fetch(`http://${seat.endpoint}/version`).then((reply) => reply.json());
  const { etcdcluster, storage } = page as { etcdcluster: string; storage: string };
  return `${etcdcluster} ${storage}`;
}

/** Whether a downgrade is under way, as each member has it. */
async function isDowngrading(seats: readonly Seat[]): Promise<boolean> {
  const statuses = await Promise.all(seats.map((seat) => seat.status(5_000)));
  return statuses.some((status) => status?.downgradeInfo?.enabled === true);
}

await runCommand("downgrade", async () => {
  const programs = (args.text("programs") ?? "quord,quord,quord").split(",") as Program[];
  const cluster = await Cluster.start({ programs });
  const { seats } = cluster;
  const load = new Load({ seats: () => cluster.running(), seed: args.seed, perSecond: 100 });
  load.start();
  await reach(seats, "3.7.0");
  const leader = await cluster.leader();
  const action = DowngradeRequest_DowngradeAction.ENABLE;
  await leader.client.call(Maintenance.method.downgrade, { action, version: "3.6" });
  await reach(seats, "3.6.0");
  say("asked to go down to 3.6: the cluster and its storage are there");
  for (const seat of seats) {
    await seat.stop();
    seat.start("etcd-3.6");
    await seat.serving();
    say(`etcd 3.6 has ${seat.name}, hash ${await equalHashes(cluster)}`);
  }
  while (await isDowngrading(seats)) await sleep(500);
  say("all are down, and the downgrade is over");
  for (const [at, seat] of seats.entries()) {
    await seat.stop();
    seat.start(programs[at]!);
    await seat.serving();
    say(`${programs[at]} has ${seat.name}, hash ${await equalHashes(cluster)}`);
  }
  await reach(seats, "3.7.0");
  say("all are up again, and so is the cluster's version");
  const problems = await judge(cluster, load);
  await cluster.stop();
  return problems;
});
