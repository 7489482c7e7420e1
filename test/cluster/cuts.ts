/**
 * Three members whose network is cut and bent while clients work: real processes in network
 * namespaces for cuts, and behind a proxy for delay, loss and reordering. etcd, quord, and both
 * together go through the same; what a member says that is cut off is compared.
 *
 *   npm run cuts -- [--quick] [--seed N] [--programs etcd,quord,both] [--only REGEXP] [--rate 200]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../src/base/index.ts";
import { Lease } from "../lib/api.ts";
import { Cluster } from "./cluster.ts";
import { blame, readArguments, runCommand, say, skip } from "./command.ts";
import { CUTS, LINES, type Scene } from "./cuts-scenes.ts";
import { Load } from "./load.ts";
import { hasNamespaces, Network } from "./network.ts";
import { PROBE_LEASE } from "./probes.ts";
import { Proxy } from "./proxy.ts";
import type { Program } from "./seat.ts";
import { equalHashes, judge } from "./verdict.ts";

/** A member that was away for long must need a snapshot. */
const FLAGS = ["--snapshot-count", "500", "--snapshot-catchup-entries", "100"];

/** Of each member's log, when a scene went wrong; with ETCD_LOG_LEVEL=info elections are in it. */
const LOG_CHARS = 30_000;

const CONTENDERS: Readonly<Record<string, readonly Program[]>> = {
  etcd: ["etcd", "etcd", "etcd"],
  quord: ["quord", "quord", "quord"],
  both: ["quord", "etcd", "quord"],
};

const args = readArguments(["programs", "only", "rate"]);
const perSecond = args.number("rate", { full: 200, quick: 300 });
const only = new RegExp(args.text("only") ?? "");

/** Answers of cut-off members by scene and request, by contender. */
const answers = new Map<string, Map<string, string>>();

interface Setting {
  readonly cluster: Cluster;
  readonly network: Network | undefined;
  readonly proxies: readonly Proxy[];
  close(): void;
}

async function inNamespaces(programs: readonly Program[]): Promise<Setting> {
  const network = Network.make(programs.length);
  const seat = (number: number) => ({ place: network.places[number] });
  const cluster = await Cluster.start({ programs, flags: FLAGS, seat });
  return { cluster, network, proxies: [], close: () => network.close() };
}

async function behindProxies(programs: readonly Program[]): Promise<Setting> {
  const proxies = programs.map((_, i) => new Proxy(new Prng(args.seed + i)));
  const seat = (number: number) => ({
    advertisedPeerPort: (real: number) => proxies[number]!.before(real),
  });
  const cluster = await Cluster.start({ programs, flags: FLAGS, seat });
  return {
    cluster,
    network: undefined,
    proxies,
    close: () => {
      for (const proxy of proxies) proxy.close();
    },
  };
}

/** A cluster goes through its scenes, one after the other, under one load. */
async function play(name: string, setting: Setting, scenes: readonly Scene[]): Promise<string[]> {
  const { cluster } = setting;
  const problems: string[] = [];
  const load = new Load({ seats: () => cluster.running(), seed: args.seed, perSecond });
  await cluster.seats[0]!.client.call(Lease.method.leaseGrant, { ID: PROBE_LEASE, TTL: 3_600n });
  load.start();
  for (const scene of scenes) {
    const tell = (request: string, answer: string) => {
      const key = `${scene.name}: ${request}`;
      answers.set(key, (answers.get(key) ?? new Map<string, string>()).set(name, answer));
    };
    await sleep(500);
    const found = await scene
      .run({ ...setting, load, tell, isQuick: args.isQuick })
      .catch((error: Error) => [error.message]);
    setting.network?.healAll();
    for (const proxy of setting.proxies) proxy.set({});
    await cluster.serving();
    await equalHashes(cluster).catch((error: Error) => found.push(error.message));
    problems.push(...found.map((problem) => `${name}, ${scene.name}: ${problem}`));
    say(`${name}: ${scene.name}: ${found.length === 0 ? "well" : found[0]}`);
    if (found.length > 0) say(cluster.logs(LOG_CHARS));
  }
  problems.push(...(await judge(cluster, load)).map((problem) => `${name}: ${problem}`));
  say(`${name}: ${load.count} requests; ${problems.length} problems`);
  for (const [kind, count] of load.failures) say(`  ${name}: ${count} x ${kind}`);
  await cluster.stop();
  setting.close();
  return blame(CONTENDERS[name]!, problems);
}

/** What quord's members say that are cut off, etcd's must have said. */
function compareAnswers(): string[] {
  const problems: string[] = [];
  for (const [key, told] of answers) {
    const usual = told.get("etcd");
    for (const [name, answer] of told) {
      if (usual !== undefined && answer !== usual) {
        problems.push(`${key}: etcd says ${usual}, ${name} says ${answer}`);
      }
    }
  }
  say(`${answers.size} answers of members that were cut off, ${problems.length} differ`);
  return problems;
}

async function main(): Promise<string[]> {
  say(`seed ${args.seed}`);
  if (!hasNamespaces()) skip("this process may not make network namespaces");
  const chosen = (scenes: readonly Scene[]) =>
    scenes.filter(({ name, isLong }) => only.test(name) && !(args.isQuick && isLong));
  const names = (args.text("programs") ?? (args.isQuick ? "etcd,quord" : "etcd,quord,both")).split(
    ",",
  );
  const tour = async (name: string): Promise<string[]> => {
    const programs = CONTENDERS[name]!;
    const [cuts, lines] = [chosen(CUTS), chosen(LINES)];
    const problems: string[] = [];
    if (cuts.length > 0) problems.push(...(await play(name, await inNamespaces(programs), cuts)));
    if (lines.length > 0)
      problems.push(...(await play(name, await behindProxies(programs), lines)));
    return problems;
  };
  const problems: string[] = [];
  if (args.isQuick) problems.push(...(await Promise.all(names.map(tour))).flat());
  else for (const name of names) problems.push(...(await tour(name)));
  return [...problems, ...compareAnswers()];
}

await runCommand("cuts", main);
