/**
 * Kills the server in the middle of writing, again and again on one directory, and checks that
 * nothing it had acknowledged is gone and nothing is there twice. Every few rounds real etcd opens
 * a copy of what the kill left behind, and must come to the same store.
 *
 *   npm run crash -- [--rounds 200] [--seed N] [--etcd-every 10]
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Prng } from "../../src/base/index.ts";
import { KV, Maintenance } from "../lib/api.ts";
import { peer } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { dropDir, freePort, freshDir, run, spawnMember, startMember } from "../lib/processes.ts";
import type { MemberOptions } from "../lib/processes.ts";
import { Broken, History } from "./history.ts";
import { Load, type Write } from "./load.ts";

const KILL_AFTER_MS_MAX = 400;
/** Every so many rounds the history is compacted, so that reading it back stays short. */
const COMPACT_EVERY = 8;
/** Every so many rounds the kill comes while the server starts. */
const KILL_AT_START_EVERY = 9;
/** Every so many rounds the values are large: the log moves on to new segments. */
const LARGE_EVERY = 3;
const LARGE_BYTES = 24_000;
/** Often enough that segments are cut and snapshots made in the middle of it all. */
const FLAGS = ["--snapshot-count", "2000"];

interface Totals {
  acknowledged: number;
  unknown: number;
  comparedWithEtcd: number;
}

/** Writes until the kill. Returns what was sent. */
async function writeAndKill(options: MemberOptions, prng: Prng, round: number): Promise<Write[]> {
  const member = await startMember("quord", options);
  const client = new Client(member.endpoint);
  const writes: Write[] = [];
  const paddingBytes = round % LARGE_EVERY === 0 ? LARGE_BYTES : 0;
  const load = new Load({ client, prng, writes, round, paddingBytes });
  const running = load.run();
  await sleep(1 + prng.below(KILL_AFTER_MS_MAX));
  await member.kill();
  load.stop();
  client.close();
  await running;
  return writes;
}

/** Starts again on what is there, checks it, and ends it with a kill or in peace. */
async function restartAndCheck(
  options: MemberOptions,
  history: History,
  writes: readonly Write[],
  compact: boolean,
): Promise<{ hash: number; revision: bigint }> {
  const member = await startMember("quord", options);
  const client = new Client(member.endpoint);
  await history.check(client, writes);
  const { hash, header } = await client.call(Maintenance.method.hashKV, {});
  if (compact && history.revision - 20 > history.compacted) {
    const revision = history.revision - 20;
    await client.call(KV.method.compact, { revision: BigInt(revision), physical: true });
    history.compacted = revision;
  }
  client.close();
  await member.kill();
  return { hash, revision: header!.revision };
}

/** What real etcd makes of a copy of the directory as the kill left it. */
async function openWithEtcd(copy: string): Promise<{ hash: number; revision: bigint }> {
  const bbolt = peer("bbolt");
  if (bbolt !== undefined) {
    const check = await run(bbolt, ["check", join(copy, "member", "snap", "db")]);
    if (check.code !== 0) throw new Broken(`bbolt check: ${check.stdout}${check.stderr}`);
  }
  const member = await startMember("etcd", { dir: copy });
  const client = new Client(member.endpoint);
  const { hash, header } = await client.call(Maintenance.method.hashKV, {});
  client.close();
  await member.stop();
  return { hash, revision: header!.revision };
}

async function round(
  number: number,
  options: MemberOptions & { dir: string },
  state: { prng: Prng; history: History; totals: Totals; etcdEvery: number },
): Promise<void> {
  const { prng, history, totals } = state;
  if (number % KILL_AT_START_EVERY === 0) {
    const member = await spawnMember("quord", options);
    await sleep(1 + prng.below(KILL_AFTER_MS_MAX));
    await member.kill();
  }
  const writes = await writeAndKill(options, prng, number);
  const withEtcd = number % state.etcdEvery === 0 && peer("etcd") !== undefined;
  const parent = withEtcd ? freshDir() : "";
  const copy = join(parent, "data");
  if (withEtcd) cpSync(options.dir, copy, { recursive: true });
  const ours = await restartAndCheck(options, history, writes, number % COMPACT_EVERY === 0);
  if (withEtcd) {
    const theirs = await openWithEtcd(copy);
    if (theirs.hash !== ours.hash || theirs.revision !== ours.revision) {
      throw new Broken(
        `etcd reads hash ${theirs.hash} at ${theirs.revision}, ` +
          `quord ${ours.hash} at ${ours.revision}`,
      );
    }
    dropDir(parent);
    totals.comparedWithEtcd++;
  }
  for (const write of writes) {
    if (write.revision === undefined) totals.unknown++;
    else totals.acknowledged++;
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "200" },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      "etcd-every": { type: "string", default: "10" },
    },
  });
  const dir = join(freshDir(), "data");
  const ports = { client: await freePort(), peer: await freePort() };
  const options = { dir, ports, flags: FLAGS };
  const totals: Totals = { acknowledged: 0, unknown: 0, comparedWithEtcd: 0 };
  const state = {
    prng: new Prng(Number(values.seed)),
    history: new History(),
    totals,
    etcdEvery: Number(values["etcd-every"]),
  };
  const rounds = Number(values.rounds);
  for (let number = 1; number <= rounds; number++) {
    try {
      await round(number, options, state);
    } catch (error) {
      console.log(error instanceof Broken ? error.message : error);
      console.log(`crash: broken in round ${number} of ${rounds} (seed ${values.seed})`);
      return 1;
    }
  }
  const etcd =
    peer("etcd") === undefined
      ? "comparison with etcd skipped: real etcd not found; run ../shared/interop/build.sh"
      : `${totals.comparedWithEtcd} times equal to etcd`;
  console.log(
    `crash: ${rounds} kills, ${totals.acknowledged} acknowledged writes all there, ` +
      `${totals.unknown} unknown at most once, ${etcd} (seed ${values.seed})`,
  );
  return 0;
}

process.exit(await main());
