/** Runs etcd's load generator against servers, and reads what it and the kernel say. */
import { availableParallelism } from "node:os";
import { needPeer } from "../test/lib/binaries.ts";
import { childrenCpuSeconds, cpuSeconds } from "../test/lib/cpu.ts";
import { run } from "../test/lib/processes.ts";
import { generatorArgs, type Load, type Sample } from "./bench-loads.ts";

/** All members of one cluster. */
export interface Target {
  readonly endpoints: readonly string[];
  readonly pids: readonly number[];
}

export async function generate(target: Target, load: Load, total: number): Promise<Sample> {
  const cpuOf = () => target.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const serverBefore = cpuOf();
  const childrenBefore = childrenCpuSeconds();
  const startedAt = performance.now();
  const args = [`--endpoints=${target.endpoints.join(",")}`, ...generatorArgs(load, total)];
  const ran = await run(needPeer("benchmark"), args, { timeoutMs: 300_000 });
  const wall = (performance.now() - startedAt) / 1_000;
  const serverCpu = cpuOf() - serverBefore;
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

/** The first run warms the servers up and tells how many requests fill the time. */
export async function measure(target: Target, load: Load, seconds: number): Promise<Sample> {
  const warm = await generate(target, load, load.warmup);
  return generate(target, load, Math.max(load.clients, Math.round(warm.perSecond * seconds)));
}

/** What is said of one load while a benchmark runs. */
export function progressLine(who: string, load: string, sample: Sample): string {
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
