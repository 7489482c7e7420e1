/**
 * Three members of etcd become three of quord under load, one after the other, and go back; three
 * ways to do it. Then snapshots travel in both directions, and a member visits a 3.6 cluster.
 *
 *   npm run mixed -- [--quick] [--seed N] [--walks 3] [--rate 250] [--to quord|etcd]
 *                    [--controls 1]
 *
 * The same walks are made with etcd in quord's place, so many times: no client may meet a failure
 * that it does not meet there, or that the record of such walks (known-failures.ts) does not name.
 * `--to etcd` makes only those, which tries the command itself.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "./cluster.ts";
import { blame, readArguments, runCommand, say } from "./command.ts";
import { KNOWN_FAILURES, WALKS } from "./known-failures.ts";
import { Load } from "./load.ts";
import { emptyLearners } from "./mixed-snapshots.ts";
import { olderCluster, olderDirectory } from "./mixed-older.ts";
import type { Program, Seat } from "./seat.ts";
import { equalHashes, judge } from "./verdict.ts";

/** Members that join must now and then need a snapshot. */
const FLAGS = ["--snapshot-count", "1000", "--snapshot-catchup-entries", "200"];

/** How a member gives way to the next. */
const MANNERS = ["on the same directory", "removed and added", "through a learner"] as const;
type Manner = (typeof MANNERS)[number];

const args = readArguments(["walks", "rate", "to", "dwell", "controls"]);
const perSecond = args.number("rate", { full: 250, quick: 250 });
const walks = args.number("walks", { full: 3, quick: 1 });
const controls = args.number("controls", { full: 1, quick: 1 });
const dwellMs = args.number("dwell", { full: 2_000, quick: 300 });

let replaced = 0;

async function replace(cluster: Cluster, seat: Seat, program: Program, manner: Manner) {
  if (manner === "on the same directory") {
    await seat.stop();
    seat.start(program);
    await seat.serving();
    return;
  }
  const name = `r${++replaced}`;
  if (manner === "removed and added") {
    await cluster.remove(seat);
    await cluster.add(program, { name });
    return;
  }
  const learner = await cluster.add(program, { name, isLearner: true });
  await cluster.promote(learner);
  await cluster.remove(seat);
}

interface Walked {
  readonly failures: ReadonlyMap<string, number>;
  /** Whom clients had asked that failed. */
  readonly failedAt: ReadonlyMap<string, ReadonlySet<string>>;
  readonly problems: readonly string[];
}

/** All members to a program and back, as often as asked for. */
async function walk(to: Program): Promise<Walked> {
  const cluster = await Cluster.start({ programs: ["etcd", "etcd", "etcd"], flags: FLAGS });
  const load = new Load({ seats: () => cluster.running(), seed: args.seed, perSecond });
  load.start();
  for (let number = 0; number < walks; number++) {
    // A short run goes one way only, each member in another manner.
    const programs: readonly Program[] = args.isQuick ? [to] : [to, "etcd"];
    for (const program of programs) {
      for (const [at, seat] of cluster.seats.slice().entries()) {
        const manner = MANNERS[(args.isQuick ? at : number) % MANNERS.length]!;
        await replace(cluster, seat, program, manner);
        await sleep(dwellMs);
        await equalHashes(cluster);
        say(`walk ${number + 1}: ${seat.name} is ${program}, ${manner}; hashes equal`);
      }
    }
  }
  const rate = load.perSecond;
  const problems = await judge(cluster, load);
  await cluster.stop();
  if (rate < 200) problems.push(`only ${rate.toFixed(0)} requests/s`);
  say(`${to}: ${load.count} requests at ${rate.toFixed(0)}/s, ${problems.length} problems`);
  for (const [kind, count] of load.failures) say(`  ${to}: ${count} x ${kind}`);
  return { failures: load.failures, failedAt: load.failedAt, problems: blame([to], problems) };
}

/** Failures that clients met in our walk only; says where the others have been seen. */
function unusual(ours: Walked, usual: readonly Walked[]): string[] {
  const problems: string[] = [];
  for (const [kind, count] of ours.failures) {
    const seen = usual.filter(({ failures }) => failures.has(kind)).length;
    const known = KNOWN_FAILURES.get(kind);
    if (seen > 0) say(`in ${seen} of ${usual.length} walks of etcd in this run, too: ${kind}`);
    else if (known === undefined) {
      const at = [...ours.failedAt.get(kind)!].join(" and ");
      problems.push(`${count} x a failure that etcd has not: ${kind} (at ${at})`);
    } else say(`not in this run's walk of etcd, but in ${known} of ${WALKS} before: ${kind}`);
  }
  return problems;
}

async function main(): Promise<string[]> {
  say(`seed ${args.seed}`);
  const to = (args.text("to") ?? "quord") as Program;
  const usual: Walked[] = [];
  for (let done = 0; done < controls; done++) usual.push(await walk("etcd"));
  const problems = usual.flatMap((one) => one.problems);
  if (to !== "etcd") {
    const ours = await walk(to);
    problems.push(...ours.problems, ...unusual(ours, usual));
  }
  problems.push(...(await emptyLearners(to)));
  if (!args.isQuick) {
    problems.push(...(await olderCluster(to)), ...(await olderDirectory(to)));
  }
  return problems;
}

await runCommand("mixed", main);
