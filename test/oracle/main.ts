/**
 * The proof of compatibility: the same random requests to quord and to a real etcd, every answer
 * and every stream compared field by field, and the stored state by its hash. Then the scenes:
 * comparisons that need servers with flags of their own.
 *
 *   npm run oracle -- [--seed N] [--requests 100000] [--skip GROUP,GROUP] [--only GROUP,GROUP]
 *                     [--scenes quota,periodic,access,coordination,revision|all|none]
 *                     [--peer etcd|quord] [--self] [--members 3]
 *
 * A difference prints the seed, the number of the request, the request and both answers. With
 * `--peer quord` quord is compared with itself, which needs no etcd and proves that it is
 * deterministic; with `--self` etcd is compared with itself, which proves that the comparison is.
 * With `--members 3` each side is a cluster, and one that does not lead is asked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { METHODS } from "../../src/rpc/index.ts";
import type { Kind } from "../lib/binaries.ts";
import { adminStep, statusStep } from "./admin.ts";
import { alarmStep } from "./alarms.ts";
import { badStep } from "./bad.ts";
import * as corners from "./corners.ts";
import { gatewayStep, pageStep, socketStep } from "./gateway.ts";
import * as kv from "./kv.ts";
import { leaseStep, runOut } from "./leases.ts";
import { SCENES } from "./scenes.ts";
import { type Maker, single, trios } from "./server.ts";
import { Session, type Step } from "./session.ts";
import { Side } from "./side.ts";
import { Difference, World } from "./world.ts";

/** What may come next, how often, and what it is called for --skip and --only. */
const GROUPS: readonly (readonly [number, string, Step])[] = [
  [300, "put", ({ world, draw }) => kv.put(world, draw)],
  [90, "delete", ({ world, draw }) => kv.deleteRange(world, draw)],
  [160, "txn", ({ world, draw }) => kv.txn(world, draw)],
  [80, "range", ({ world, draw }) => kv.ranges(world, draw)],
  [25, "range-stream", ({ world, draw }) => kv.rangeStream(world, draw)],
  [3, "compact", ({ world, draw, settle }) => settle().then(() => kv.compact(world, draw))],
  [12, "hash", ({ world, draw }) => kv.hashKv(world, draw)],
  [60, "lease", ({ world, draw }) => leaseStep(world, draw)],
  [12, "keep-alive", ({ draw, keepAlives }) => keepAlives.step(draw)],
  [16, "watch", ({ draw, watches }) => watches.step(draw)],
  [40, "bad", ({ world, draw }) => badStep(world, draw)],
  [40, "encoding", ({ world, draw }) => kv.oddEncoding(world, draw)],
  [16, "status", ({ world, draw }) => statusStep(world, draw)],
  [10, "admin", ({ world, draw }) => adminStep(world, draw)],
  [2, "alarm", ({ world, draw, settle }) => alarmStep(world, draw, settle)],
  [90, "kube", ({ draw, kube, settle }) => kube.step(draw, settle)],
  [30, "gateway", ({ world, draw }) => gatewayStep(world, draw)],
  [10, "page", ({ world, draw }) => pageStep(world, draw)],
  [4, "web-socket", ({ world, draw }) => socketStep(world, draw)],
  [40, "patroni", ({ draw, patroni }) => patroni.step(draw)],
];

interface Options {
  readonly seed: number;
  readonly requests: number;
  readonly kinds: readonly [Kind, Kind];
  readonly make: Maker;
  readonly isChosen: (group: string) => boolean;
}

/** What happens once, before chance has its way: while the store is empty, and after. */
async function overture({ world }: Session, isChosen: Options["isChosen"]): Promise<void> {
  if (!isChosen("corners")) return;
  await corners.emptyStore(world);
  await corners.oddMessages(world);
  await corners.oddLeases(world);
  await corners.ownWrites(world);
  await corners.oddAdmin(world);
}

async function mainScene(session: Session, { requests, isChosen }: Options): Promise<void> {
  await overture(session, isChosen);
  const groups = GROUPS.filter(([, name]) => isChosen(name));
  const steps = groups.map(([weight, , step]) => [weight, step] as const);
  await session.run(steps, requests);
  if (isChosen("lease")) await runOut(session.world);
  await session.thorough();
}

/** Runs one scene on fresh servers. Returns whether all was equal. */
async function play(
  name: string,
  options: Options,
  flags: readonly string[],
  run: (session: Session) => Promise<void>,
): Promise<boolean> {
  const start = (kind: Kind) => Side.start(kind, options.make, flags);
  const sides = await Promise.all([start(options.kinds[0]), start(options.kinds[1])]);
  const serves = (path: string) =>
    !options.kinds.includes("quord") || METHODS.get(path)?.kind !== "later";
  const world = new World(options.seed, sides, serves);
  const session = new Session(world);
  const startedAt = performance.now();
  let isEqual = true;
  try {
    await run(session);
  } catch (error) {
    isEqual = false;
    console.log(error instanceof Difference ? error.message : error);
    await sleep(500);
    for (const side of sides) if (!side.alive()) console.log(`${side.kind} ended:\n${side.log()}`);
  }
  const rate = (world.requests / (performance.now() - startedAt)) * 1_000;
  session.close();
  await Promise.all(sides.map((side) => side.stop()));
  const differences = isEqual ? "0 differences" : "stopped at the first difference";
  const about = `seed ${options.seed}, revision ${world.model.revision}, ${rate.toFixed(0)}/s`;
  console.log(`oracle: ${name}: ${world.requests} requests, ${differences} (${about})`);
  return isEqual;
}

function chosenScenes(text: string, members: string): string[] {
  const names = Object.keys(SCENES).filter((name) => members === "1" || !SCENES[name]!.isForOne);
  if (text === "all") return names;
  if (text === "none") return [];
  return text === "" ? names.filter((name) => !SCENES[name]!.isLong) : text.split(",");
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      requests: { type: "string", default: "100000" },
      skip: { type: "string", default: "" },
      only: { type: "string", default: "" },
      scenes: { type: "string", default: "" },
      peer: { type: "string", default: "etcd" },
      self: { type: "boolean", default: false },
      members: { type: "string", default: "1" },
    },
  });
  const [only, skip] = [values.only, values.skip].map((list) => list.split(",").filter(Boolean));
  const options: Options = {
    seed: Number(values.seed),
    requests: Number(values.requests),
    make: values.members === "3" ? trios() : single,
    kinds: values.self ? ["etcd", "etcd"] : ["quord", values.peer as Kind],
    isChosen: (name) => (only!.length === 0 || only!.includes(name)) && !skip!.includes(name),
  };
  let isEqual = true;
  if (options.requests > 0) {
    isEqual = await play("random", options, [], (session) => mainScene(session, options));
  }
  for (const name of isEqual ? chosenScenes(values.scenes, values.members) : []) {
    const { flags, run } = SCENES[name]!;
    isEqual = (await play(name, options, flags, run)) && isEqual;
  }
  return isEqual ? 0 : 1;
}

process.exit(await main());
