/**
 * Measures quord beside real etcd with etcd's own load generator, in turn, on the same cores and
 * file system.
 *
 *   npm run bench -- [--members 1] [--rounds 5] [--seconds 5] [--only REGEXP] [--quick]
 *
 * The full run writes docs/benchmarks.md; --quick is one short round for a look, and writes
 * nothing. With `--members 3` it is clusters of three that are compared.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { needPeer, type Kind } from "../test/lib/binaries.ts";
import { cpuSeconds } from "../test/lib/cpu.ts";
import { memoryMib } from "../test/lib/memory.ts";
import { dropDir, freshDir, run, startMember, type Member } from "../test/lib/processes.ts";
import { measure, progressLine } from "./bench-generate.ts";
import {
  LOADS,
  READ_KEY,
  type Contender,
  type Load,
  type Round,
  type Sample,
  type Start,
} from "./bench-loads.ts";
import { runMembers } from "./bench-members.ts";
import { writeReport } from "./bench-report.ts";
import { PAGE, replaceIntroduction } from "./bench-sections.ts";

/** Starts on an empty directory in one round. */
const STARTS = 5;

async function timedStart(kind: Kind, dir: string): Promise<{ member: Member; start: Start }> {
  const member = await startMember(kind, { dir });
  const wallMs = performance.now() - member.startedAt;
  return { member, start: { wallMs, cpuMs: cpuSeconds(member.pid) * 1_000 } };
}

/** Starts on empty directories, one after the other. */
async function timedStarts(kind: Kind, count: number): Promise<Start[]> {
  const starts: Start[] = [];
  for (let i = 0; i < count; i++) {
    const parent = freshDir();
    const { member, start } = await timedStart(kind, join(parent, "data"));
    starts.push(start);
    await member.kill();
    dropDir(parent);
  }
  return starts;
}

async function putReadKey(member: Member): Promise<void> {
  const value = "v".repeat(256);
  await run(needPeer("etcdctl"), ["--endpoints", member.endpoint, "put", READ_KEY, value]);
}

async function round(who: Contender, loads: readonly Load[], seconds: number): Promise<Round> {
  const kind: Kind = who === "quord" ? "quord" : "etcd";
  const parent = freshDir();
  const dir = join(parent, "data");
  const firstStarts = await timedStarts(kind, STARTS);
  const { member } = await timedStart(kind, dir);
  await putReadKey(member);
  const samples = new Map<string, Sample>();
  for (const load of loads) {
    const target = { endpoints: [member.endpoint], pids: [member.pid] };
    const sample = await measure(target, load, seconds);
    samples.set(load.name, sample);
    console.log(progressLine(who, load.name, sample));
  }
  const peakMib = memoryMib(member.pid).peak;
  await member.stop();
  const again = await timedStart(kind, dir);
  await again.member.stop();
  dropDir(parent);
  console.log(
    `${who.padEnd(10)}  start ${firstStarts.map((start) => start.wallMs.toFixed(0)).join(", ")} ms, with data ` +
      `${again.start.wallMs.toFixed(0)} ms; peak memory ${peakMib.toFixed(0)} MiB`,
  );
  return { samples, firstStarts, restart: again.start, peakMib };
}

/** Everybody runs once a round, and nobody always runs first. */
function orderOf(roundNumber: number, contenders: readonly Contender[]): Contender[] {
  const shift = roundNumber % contenders.length;
  return [...contenders.slice(shift), ...contenders.slice(0, shift)];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string" },
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      members: { type: "string", default: "1" },
    },
  });
  const rounds = values.quick ? 1 : Number(values.rounds);
  const seconds = Number(values.seconds ?? (values.quick ? 2 : 5));
  if (values.members !== "1") {
    const { only, quick } = values;
    return runMembers({ members: Number(values.members), rounds, seconds, only, isQuick: quick });
  }
  const loads = LOADS.filter((load) => new RegExp(values.only).test(load.name));
  const contenders: Contender[] = values.quick
    ? ["quord", "etcd"]
    : ["quord", "etcd", "etcd again"];
  const results = new Map<Contender, Round[]>(contenders.map((who) => [who, []]));
  needPeer("benchmark");
  for (let number = 0; number < rounds; number++) {
    console.log(`round ${number + 1} of ${rounds}`);
    for (const who of orderOf(number, contenders)) {
      results.get(who)!.push(await round(who, loads, seconds));
    }
  }
  const report = writeReport({ loads, rounds, seconds, results });
  console.log(`\n${report.tables}`);
  const complete = !values.quick && values.only === "";
  if (complete) writeFileSync(PAGE, replaceIntroduction(readFileSync(PAGE, "utf8"), report.page));
  console.log(`bench: ${loads.length} loads, ${rounds} rounds; ${report.summary}`);
}

await main();
