/**
 * The leader of three is taken away under load, again and again, in three ways: kill -9, SIGSTOP
 * for five seconds, and a clean stop. How long does no write get acknowledged? Compared with real
 * etcd in the same run; and nothing may be lost.
 *
 *   npm run failover -- [--quick] [--kills 50] [--pauses 50] [--stops 50] [--rate 400]
 *                       [--only etcd|quord]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../lib/figures.ts";
import { Cluster } from "./cluster.ts";
import { blame, readArguments, runCommand, say } from "./command.ts";
import { Load } from "./load.ts";
import type { Program, Seat } from "./seat.ts";
import { equalHashes, judge } from "./verdict.ts";

/** The default of both; goals are told in it. */
const ELECTION_MS = 1_000;
const PAUSE_MS = 5_000;
/** Kept calm before, and looked at after, a leader goes. */
const CALM_MS = 700;
const LOOK_MS = 4_000;
/** How many in a row before the other program has its turn. */
const BLOCK = 10;

type Fault = "kill" | "pause" | "stop";

const FAULTS: Readonly<Record<Fault, string>> = {
  kill: "kill -9 of the leader",
  pause: "SIGSTOP of the leader for 5 s",
  stop: "clean stop of the leader",
};

const args = readArguments(["kills", "pauses", "stops", "rate", "only"]);
const perSecond = args.number("rate", { full: 400, quick: 300 });
const counts: Readonly<Record<Fault, number>> = {
  kill: args.number("kills", { full: 50, quick: 2 }),
  pause: args.number("pauses", { full: 50, quick: 1 }),
  stop: args.number("stops", { full: 50, quick: 1 }),
};

/** One fault, and what it takes to be whole again. Returns the longest gap in milliseconds. */
async function strike(cluster: Cluster, load: Load, fault: Fault): Promise<number> {
  const leader = await cluster.leader();
  const from = performance.now();
  const recovered = await take(leader, fault);
  await sleep(Math.max(0, LOOK_MS - (performance.now() - from)));
  const until = performance.now();
  if (!leader.isRunning) leader.start(leader.program);
  await recovered;
  await cluster.serving();
  await cluster.leader();
  return longestGap(load.acknowledgedAt, from, until);
}

/** Takes the leader away, and says when it may be brought back. */
async function take(leader: Seat, fault: Fault): Promise<void> {
  if (fault === "kill") return leader.kill();
  if (fault === "stop") return leader.stop();
  leader.pause();
  await sleep(PAUSE_MS);
  leader.resume();
}

/** The longest time between two acknowledgements that ended between two moments. */
function longestGap(acknowledgedAt: readonly number[], from: number, until: number): number {
  let longest = 0;
  let before = from;
  for (let i = acknowledgedAt.length - 1; i >= 0; i--) {
    if (acknowledgedAt[i]! <= from) {
      before = acknowledgedAt[i]!;
      break;
    }
  }
  for (const at of acknowledgedAt) {
    if (at <= before) continue;
    longest = Math.max(longest, Math.min(at, until) - before);
    before = at;
    if (at > until) return longest;
  }
  return Math.max(longest, until - before);
}

/** A cluster meets a number of faults. */
async function block(program: Program, fault: Fault, count: number, gaps: number[]) {
  const cluster = await Cluster.start({ programs: [program, program, program] });
  const load = new Load({
    seats: () => cluster.running(),
    seed: args.seed + gaps.length,
    perSecond,
  });
  load.start();
  for (let number = 0; number < count; number++) {
    await sleep(CALM_MS);
    gaps.push(await strike(cluster, load, fault));
  }
  await equalHashes(cluster);
  const problems = await judge(cluster, load);
  await cluster.stop();
  return blame(
    [program],
    problems.map((problem) => `${program}, ${FAULTS[fault]}: ${problem}`),
  );
}

/** Both programs in turn. */
async function series(fault: Fault, programs: readonly Program[]): Promise<string[]> {
  const problems: string[] = [];
  const gaps = new Map<Program, number[]>(programs.map((program) => [program, []]));
  for (let done = 0; done < counts[fault]; done += BLOCK) {
    const count = Math.min(BLOCK, counts[fault] - done);
    for (const program of done % (2 * BLOCK) === 0 ? programs : programs.toReversed()) {
      problems.push(...(await block(program, fault, count, gaps.get(program)!)));
    }
  }
  for (const program of programs) {
    say(`${FAULTS[fault]}: ${program}: ${describe(gaps.get(program)!)}`);
  }
  const ours = gaps.get("quord");
  return ours === undefined ? problems : [...problems, ...goals(fault, ours, gaps.get("etcd"))];
}

function describe(gaps: readonly number[]): string {
  const at = (part: number) => quantile(gaps, part).toFixed(0);
  const inTime = gaps.filter((gap) => gap <= 2.5 * ELECTION_MS).length;
  return (
    `${gaps.length} gaps, median ${at(0.5)}, 90 % ${at(0.9)}, ` +
    `longest ${at(1)} ms; ${inTime} within 2.5 election timeouts`
  );
}

function goals(fault: Fault, ours: readonly number[], etcds: readonly number[] = []): string[] {
  const problems: string[] = [];
  const enough = counts[fault] >= 20;
  const late = ours.filter((gap) => gap > 2.5 * ELECTION_MS).length;
  // 48 of 50.
  if (late > Math.max(1, ours.length * 0.04))
    problems.push(`${late} gaps of ${FAULTS[fault]} too long`);
  const mine = quantile(ours, 0.5);
  const theirs = etcds.length > 0 ? quantile(etcds, 0.5) : Infinity;
  // Few gaps say nothing about which median is the lower.
  if (enough && mine > theirs)
    problems.push(`${FAULTS[fault]}: median ${mine} above etcd's ${theirs}`);
  if (fault === "stop" && Math.max(...ours) > (enough ? 500 : ELECTION_MS)) {
    problems.push(`a gap of ${Math.max(...ours).toFixed(0)} ms at a clean stop`);
  }
  return problems;
}

async function main(): Promise<string[]> {
  say(`seed ${args.seed}`);
  const only = args.text("only") as Program | undefined;
  const programs: readonly Program[] = only === undefined ? ["etcd", "quord"] : [only];
  const problems: string[] = [];
  for (const fault of ["kill", "pause", "stop"] as const) {
    if (counts[fault] > 0) problems.push(...(await series(fault, programs)));
  }
  return problems;
}

await runCommand("failover", main);
