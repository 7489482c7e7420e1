/**
 * The ways back of docs/recovery.md, walked with real processes: from one member that is left, and
 * from a snapshot. Nothing that was acknowledged, or that the snapshot holds, may be missing.
 *
 *   npm run recovery [-- --programs quord,quord,quord]    who sits where after the loss
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { KV } from "../lib/api.ts";
import { ctlProgram, type Kind, utlProgram } from "../lib/binaries.ts";
import { dropDir, freshDir } from "../lib/processes.ts";
import { Cluster } from "./cluster.ts";
import { readArguments, runCommand, say } from "./command.ts";
import type { Program, Seat } from "./seat.ts";
import { equalHashes } from "./verdict.ts";

const KEYS = 200;
const BUMP = 1_000_000;

const args = readArguments(["programs"]);

const nameOf = (i: number): string => `key/${String(i).padStart(4, "0")}`;

/** Answers the last revision. */
async function write(seat: Seat, mark: string): Promise<number> {
  let revision = 0n;
  for (let i = 0; i < KEYS; i++) {
    const request = { key: Buffer.from(nameOf(i)), value: Buffer.from(`${mark} ${i}`) };
    const { header } = await seat.client.call(KV.method.put, request);
    revision = header!.revision;
  }
  return Number(revision);
}

/** What of the keys a member does not have. */
async function missing(seat: Seat, mark: string): Promise<string[]> {
  const [key, rangeEnd] = [Buffer.from("key/"), Buffer.from("key0")];
  const { kvs } = await seat.client.call(KV.method.range, { key, rangeEnd });
  const found = new Map(kvs.map((pair) => [text(pair.key), text(pair.value)]));
  return Array.from({ length: KEYS }, (_, i) => i)
    .filter((i) => found.get(nameOf(i)) !== `${mark} ${i}`)
    .map((i) => `${seat.name} has lost ${nameOf(i)}`);
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Two of three members are gone for good: the third goes on alone, and gets new fellows. */
async function fromOneMember(programs: readonly Program[]): Promise<string[]> {
  const flags: string[] = [];
  const seat = (number: number) => (number === 0 ? { flags } : {});
  const cluster = await Cluster.start({ programs, seat });
  const [survivor, ...others] = cluster.seats as [Seat, Seat, Seat];
  await write(survivor, "one");
  for (const other of others) await other.kill();
  await survivor.kill();
  cluster.seats.splice(1);
  for (const other of others) other.close();

  flags.push("--force-new-cluster");
  survivor.start(programs[0]!);
  await survivor.serving();
  const problems = await missing(survivor, "one");
  const alone = await survivor.members();
  if (alone.length !== 1) problems.push(`${alone.length} members after --force-new-cluster`);
  await survivor.stop();
  flags.pop();
  survivor.start(programs[0]!);
  await survivor.serving();

  for (const [at, program] of programs.slice(1).entries()) {
    const added = await cluster.add(program, { name: `n${at + 1}`, isLearner: true });
    await cluster.promote(added);
  }
  await write(survivor, "two");
  for (const each of cluster.seats) problems.push(...(await missing(each, "two")));
  say(`from one member back to ${cluster.seats.length}, hash ${await equalHashes(cluster)}`);
  await cluster.stop();
  return problems;
}

/** All members are gone, and a snapshot is left: a new cluster begins with what it holds. */
async function fromSnapshot(programs: readonly Program[], tools: Kind): Promise<string[]> {
  const dir = freshDir();
  const snapshot = join(dir, "snapshot.db");
  const cluster = await Cluster.start({ programs: ["quord", "quord", "quord"] });
  const first = cluster.seats[0]!;
  const revision = await write(first, "kept");
  run(ctlProgram(tools), ["--endpoints", first.endpoint, "snapshot", "save", snapshot]);
  await write(first, "lost");
  for (const seat of cluster.seats) await seat.kill();
  for (const seat of cluster.seats) seat.forget();

  const initialCluster = cluster.seats.map((seat) => `${seat.name}=${seat.peerUrl}`).join(",");
  for (const seat of cluster.seats) {
    const target = ["--data-dir", seat.dir, "--name", seat.name];
    target.push("--initial-advertise-peer-urls", seat.peerUrl);
    target.push("--initial-cluster", initialCluster, "--initial-cluster-token", "test");
    const bump = ["--bump-revision", String(BUMP), "--mark-compacted"];
    run(utlProgram(tools), ["snapshot", "restore", snapshot, ...target, ...bump]);
  }
  for (const [at, seat] of cluster.seats.entries()) {
    seat.start(programs[at]!, { initialCluster, state: "new" });
  }
  await cluster.serving();
  const problems: string[] = [];
  for (const seat of cluster.seats) problems.push(...(await missing(seat, "kept")));
  const now = Number((await first.status(5_000))!.header!.revision);
  if (now < revision + BUMP) problems.push(`the revision is ${now}: it went back`);
  problems.push(...(await readAt(first, revision)));
  await write(first, "again");
  say(`from a snapshot (${tools}'s tools): hash ${await equalHashes(cluster)}`);
  await cluster.stop();
  dropDir(dir);
  return problems;
}

/** A client that read at a revision before must be told to read everything anew. */
async function readAt(seat: Seat, revision: number): Promise<string[]> {
  const request = { key: Buffer.from("k"), revision: BigInt(revision) };
  const refused = await seat.client.call(KV.method.range, request).then(
    () => "answered",
    (error: unknown) => String(error),
  );
  return refused.includes("has been compacted") ? [] : [`a read at ${revision}: ${refused}`];
}

function run(program: string, argv: readonly string[]): void {
  execFileSync(program, argv, { stdio: ["ignore", "ignore", "pipe"] });
}

await runCommand("recovery", async () => {
  const programs = (args.text("programs") ?? "quord,quord,quord").split(",") as Program[];
  const problems = await fromOneMember(programs);
  for (const tools of ["quord", "etcd"] as const) {
    problems.push(...(await fromSnapshot(programs, tools)));
  }
  return problems;
});
