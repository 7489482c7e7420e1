/**
 * Measures quord beside real etcd with etcd's own load generator, in turn, on the same cores and
 * file system.
 *
 *   npm run bench -- [--rounds 5] [--seconds 5] [--only REGEXP] [--quick]
 *
 * The full run writes docs/benchmarks.md; --quick is one short round for a look, and writes
 * nothing.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { needPeer, ROOT, type Kind } from "../test/lib/binaries.ts";
import { childrenCpuSeconds, cpuSeconds, peakMemoryMib } from "../test/lib/cpu.ts";
import { dropDir, freshDir, run, startMember, type Member } from "../test/lib/processes.ts";
import {
  generatorArgs,
  LOADS,
  READ_KEY,
  type Contender,
  type Load,
  type Round,
  type Sample,
  type Start,
} from "./bench-loads.ts";
import { writeReport } from "./bench-report.ts";

/** Starts on an empty directory in one round. */
const STARTS = 5;

async function generate(member: Member, load: Load, total: number): Promise<Sample> {
  const serverBefore = cpuSeconds(member.pid);
  const childrenBefore = childrenCpuSeconds();
  const startedAt = performance.now();
  const args = [`--endpoints=${member.endpoint}`, ...generatorArgs(load, total)];
  const ran = await run(needPeer("benchmark"), args, { timeoutMs: 300_000 });
  const wall = (performance.now() - startedAt) / 1_000;
  const serverCpu = cpuSeconds(member.pid) - serverBefore;
  const generatorCpu = childrenCpuSeconds() - childrenBefore;
  const figure = (pattern: RegExp) => Number(pattern.exec(ran.stdout)?.[1] ?? Number.NaN);
  const perSecond = figure(/Requests\/sec:\s+(\S+)/);
  if (ran.code !== 0 || ran.stdout.includes("Error distribution") || !(perSecond > 0)) {
    throw new Error(`${load.name} failed\n${ran.stdout}\n${ran.stderr.slice(-2_000)}`);
  }
  return {
    perSecond,
    p50Ms: figure(/ 50% in (\S+)/) * 1_000,
    p99Ms: figure(/ 99% in (\S+)/) * 1_000,
    cpuMicros: (serverCpu / total) * 1e6,
    busy: (serverCpu + generatorCpu) / wall / availableParallelism(),
  };
}

/** The first run warms the server up and tells how many requests fill the time. */
async function measure(member: Member, load: Load, seconds: number): Promise<Sample> {
  const warm = await generate(member, load, load.warmup);
  return generate(member, load, Math.max(load.clients, Math.round(warm.perSecond * seconds)));
}

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
    const sample = await measure(member, load, seconds);
    samples.set(load.name, sample);
    console.log(line(who, load.name, sample));
  }
  const peakMib = peakMemoryMib(member.pid);
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

function line(who: Contender, load: string, sample: Sample): string {
  return [
    who.padEnd(10),
    load.padEnd(30),
    `${sample.perSecond.toFixed(0).padStart(7)}/s`,
    `p50 ${sample.p50Ms.toFixed(2).padStart(6)} ms`,
    `p99 ${sample.p99Ms.toFixed(2).padStart(7)} ms`,
    `cpu ${sample.cpuMicros.toFixed(0).padStart(5)} us`,
    `busy ${(sample.busy * 100).toFixed(0).padStart(3)} %`,
  ].join("  ");
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
    },
  });
  const rounds = values.quick ? 1 : Number(values.rounds);
  const seconds = Number(values.seconds ?? (values.quick ? 2 : 5));
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
  if (complete) writeFileSync(join(ROOT, "docs", "benchmarks.md"), report.page);
  console.log(`bench: ${loads.length} loads, ${rounds} rounds; ${report.summary}`);
}

await main();
