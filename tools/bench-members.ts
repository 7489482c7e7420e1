/** `npm run bench -- --members 3`: clusters of quord and of etcd, in turn, on the same cores. */
import { availableParallelism } from "node:os";
import { needPeer, type Kind } from "../test/lib/binaries.ts";
import { median } from "../test/lib/figures.ts";
import { memoryMib } from "../test/lib/memory.ts";
import { run } from "../test/lib/processes.ts";
import { Cluster } from "../test/cluster/cluster.ts";
import { measure, progressLine } from "./bench-generate.ts";
import { type Load, LOADS, READ_KEY, type Sample } from "./bench-loads.ts";
import { table, times } from "./bench-report.ts";
import { writeSection } from "./bench-sections.ts";

interface Options {
  readonly members: number;
  readonly rounds: number;
  readonly seconds: number;
  /** A pattern for names of loads. */
  readonly only: string;
  readonly isQuick: boolean;
}

/** What three members are compared by; puts with 100 clients come first and warm everything up. */
const NAMES = new Set([
  "put, 100 clients",
  "put, 1000 clients",
  "put, 1 client",
  "linearizable get, 100 clients",
  "serializable get, 100 clients",
]);

/** A load, and to whom it goes: all members, or one. */
interface Seated extends Load {
  readonly seat: "all" | "leader" | "follower";
}

/** One connection goes to one member, and what that is to the others makes a difference. */
function bySeat(load: Load): Seated[] {
  if (load.conns > 1) return [{ ...load, seat: "all" }];
  return [
    { ...load, seat: "leader", name: `${load.name} of the leader` },
    { ...load, seat: "follower", name: `${load.name} of a follower` },
  ];
}

type Samples = ReadonlyMap<string, Sample>;

interface Round {
  readonly samples: Samples;
  readonly peakMib: number;
}

export async function runMembers(options: Options): Promise<void> {
  needPeer("benchmark");
  const pattern = new RegExp(options.only);
  const named = LOADS.filter(({ name }) => NAMES.has(name));
  const loads = named.flatMap(bySeat).filter(({ name }) => pattern.test(name));
  const results = new Map<Kind, Round[]>([
    ["quord", []],
    ["etcd", []],
  ]);
  for (let number = 0; number < options.rounds; number++) {
    console.log(`round ${number + 1} of ${options.rounds}`);
    const kinds = [...results.keys()];
    for (const kind of number % 2 === 0 ? kinds : kinds.toReversed()) {
      results.get(kind)!.push(await round(kind, loads, options));
    }
  }
  const tables = report(loads, results);
  console.log(`\n${tables}`);
  const isComplete = !options.isQuick && options.only === "" && options.members === 3;
  if (isComplete) writeSection("Three members", section(tables, options));
}

async function round(kind: Kind, loads: readonly Seated[], options: Options): Promise<Round> {
  const programs = Array.from({ length: options.members }, () => kind);
  const cluster = await Cluster.start({ programs });
  const endpoints = cluster.seats.map(({ endpoint }) => endpoint);
  const pids = cluster.seats.map(({ pid }) => pid);
  const value = "v".repeat(256);
  await run(needPeer("etcdctl"), ["--endpoints", endpoints.join(","), "put", READ_KEY, value]);
  const samples = new Map<string, Sample>();
  for (const load of loads) {
    const target = { endpoints: await endpointsOf(cluster, load.seat), pids };
    const sample = await measure(target, load, options.seconds);
    samples.set(load.name, sample);
    console.log(progressLine(kind, load.name, sample));
  }
  const peakMib = Math.max(...pids.map((pid) => memoryMib(pid).peak));
  await cluster.stop();
  return { samples, peakMib };
}

async function endpointsOf(cluster: Cluster, seat: Seated["seat"]): Promise<string[]> {
  if (seat === "all") return cluster.seats.map(({ endpoint }) => endpoint);
  const leader = await cluster.leader();
  const one = seat === "leader" ? leader : cluster.seats.find((other) => other !== leader)!;
  return [one.endpoint];
}

function report(loads: readonly Load[], results: ReadonlyMap<Kind, readonly Round[]>): string {
  const rows = loads.map(({ name }) => {
    const of = (kind: Kind, field: keyof Sample) =>
      median(results.get(kind)!.map(({ samples }) => samples.get(name)![field]));
    const both = (field: keyof Sample, digits: number) =>
      `${of("quord", field).toFixed(digits)} / ${of("etcd", field).toFixed(digits)}`;
    const ratio = (field: keyof Sample) => times(of("quord", field) / of("etcd", field));
    return [
      name,
      both("perSecond", 0),
      ratio("perSecond"),
      both("p50Ms", 2),
      ratio("p50Ms"),
      both("p99Ms", 1),
      both("cpuMicros", 0),
      ratio("cpuMicros"),
      `${(of("quord", "busy") * 100).toFixed(0)} / ${(of("etcd", "busy") * 100).toFixed(0)} %`,
    ];
  });
  const peak = (kind: Kind) => median(results.get(kind)!.map(({ peakMib }) => peakMib)).toFixed(0);
  const head = ["load, quord / etcd", "per second", "ratio", "p50 ms", "ratio", "p99 ms"];
  return (
    `${table([...head, "CPU us/request", "ratio", "cores busy"], rows)}\n\n` +
    `Peak memory of the largest member: ${peak("quord")} / ${peak("etcd")} MiB.`
  );
}

function section(tables: string, { rounds, seconds }: Options): string {
  const cores = availableParallelism();
  return `Written by \`npm run bench -- --members 3\`.

Three members of quord and three of etcd 3.7.3 in turn, all on the same ${cores} cores that the
generator uses, with default flags, fresh directories on one file system; many clients are
spread over all three. ${rounds} rounds, the order changes from round to round; medians over the
rounds; about ${seconds} s for each load. "CPU us/request" is summed over the three servers.

${tables}
`;
}
