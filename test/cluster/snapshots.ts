/**
 * A member that was away for so long that it needs a snapshot is killed while it gets it, at any
 * moment, again and again, under load.
 *
 *   npm run snapshots [-- --quick] [--programs quord,etcd] [--rounds 20] [--seed 1]
 *
 * `--programs`: the two members that stay, and the one that is killed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../src/base/index.ts";
import type { Operation } from "../lib/history/index.ts";
import { perform } from "./calls.ts";
import { Cluster } from "./cluster.ts";
import { blame, readArguments, runCommand, say } from "./command.ts";
import { Load } from "./load.ts";
import { metric } from "./metrics.ts";
import type { Program, Seat } from "./seat.ts";
import { judge } from "./verdict.ts";

const FLAGS = ["--snapshot-count", "100", "--snapshot-catchup-entries", "10"];
const PER_SECOND = 300;
/** Entries that are missed while it is away: more than the others keep. */
const MISSED = 300;
/** So that a snapshot takes a while. */
const FILL_MB = 24;
const KILLS_MAX = 3;
const KILL_MS_MAX = 1_500;

const args = readArguments(["programs", "rounds"]);

/** A part of the history like all else. */
async function fill(seat: Seat, load: Load): Promise<void> {
  for (let i = 0; i < (FILL_MB * 1024) / 64; i++) {
    const request = {
      kind: "put",
      key: `fill/${i}`,
      value: `${i}`.padEnd(64 * 1024, "x"),
    } as const;
    const operation: Operation = { by: "fill", calledAt: performance.now(), request };
    const outcome = await perform(seat.client, request);
    operation.endedAt = performance.now();
    if ("answer" in outcome) operation.answer = outcome.answer;
    load.operations.push(operation);
  }
}

async function snapshotsSent(seats: readonly Seat[]): Promise<number> {
  const counts = seats.map((seat) => metric(seat.endpoint, "etcd_network_snapshot_send_success"));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function walk(programs: readonly Program[], rounds: number): Promise<string[]> {
  const random = new Prng(args.seed);
  const cluster = await Cluster.start({ programs, flags: FLAGS });
  const [first, second, killed] = cluster.seats as [Seat, Seat, Seat];
  const load = new Load({ seats: () => cluster.running(), seed: args.seed, perSecond: PER_SECOND });
  await fill(first, load);
  load.start();
  let kills = 0;
  for (let round = 0; round < rounds; round++) {
    await killed.kill();
    const enough = load.acknowledgedAt.length + MISSED;
    while (load.acknowledgedAt.length < enough) await sleep(20);
    for (let left = random.below(KILLS_MAX + 1); left > 0; left--) {
      killed.start(killed.program);
      await sleep(random.below(KILL_MS_MAX));
      await killed.kill();
      kills++;
    }
    killed.start(killed.program);
    await killed.serving();
  }
  const sent = await snapshotsSent([first, second]);
  const problems = await judge(cluster, load);
  // Entries are kept for one that got a snapshot: it may come back within 30 s without another.
  if (sent === 0) problems.push(`no snapshots were sent`);
  say(`${programs.join(", ")}: ${kills} kills, ${sent} snapshots, ${problems.length} problems`);
  await cluster.stop();
  return problems;
}

async function main(): Promise<string[]> {
  const rounds = args.number("rounds", { full: 20, quick: 5 });
  const chosen = args.text("programs")?.split(",") as Program[] | undefined;
  const pairs = chosen
    ? [chosen]
    : [
        ["quord", "quord"],
        ["etcd", "quord"],
        ["quord", "etcd"],
      ];
  const problems: string[] = [];
  say(`seed ${args.seed}`);
  for (const [staying, killed] of pairs as [Program, Program][]) {
    const found = await walk([staying, staying, killed], rounds);
    problems.push(...blame([staying, killed], found));
  }
  return problems;
}

await runCommand("snapshots", main);
