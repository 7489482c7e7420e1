/** Snapshots between members: one that starts empty gets all from either kind of leader. */
import { Cluster } from "./cluster.ts";
import { say } from "./command.ts";
import { Load } from "./load.ts";
import { metric } from "./metrics.ts";
import type { Program } from "./seat.ts";
import { judge } from "./verdict.ts";

const FLAGS = ["--snapshot-count", "100", "--snapshot-catchup-entries", "10"];
const PUTS_MIN = 500;

/** A learner of each kind behind a leader of the other. */
export async function emptyLearners(other: Program): Promise<string[]> {
  const cluster = await Cluster.start({ programs: ["etcd", other, "etcd"], flags: FLAGS });
  const seats = () => cluster.running();
  const load = new Load({ seats, seed: 1, perSecond: 300 });
  load.start();
  while (load.acknowledgedAt.length < PUTS_MIN) await new Promise((go) => setTimeout(go, 20));
  const problems: string[] = [];
  for (const [leader, learner] of [
    [0, other],
    [1, "etcd"],
  ] as const) {
    const sender = cluster.seats[leader]!;
    await cluster.lead(sender);
    const before = await snapshotsSent(sender.endpoint);
    const seat = await cluster.add(learner, { name: `learner${leader}`, isLearner: true });
    await cluster.lead(sender);
    const sent = (await snapshotsSent(sender.endpoint)) - before;
    say(`a learner of ${learner} joined ${sender.program}'s cluster with ${sent} snapshots`);
    if (!(sent > 0)) problems.push(`${sender.program} sent no snapshot to ${learner}`);
    await cluster.promote(seat);
  }
  problems.push(...(await judge(cluster, load)));
  await cluster.stop();
  return problems;
}

function snapshotsSent(endpoint: string): Promise<number> {
  return metric(endpoint, "etcd_network_snapshot_send_success");
}
