/**
 * A member whose page file was changed behind its back is found out: at its start, by the leader
 * that looks every so often, and by the hashes of compactions. And nobody is accused wrongly.
 *
 *   npm run corruption [-- --programs quord,etcd]    the leader's program, then the others'
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KV, Maintenance } from "../lib/api.ts";
import { Cluster } from "./cluster.ts";
import { blame, readArguments, runCommand, say } from "./command.ts";
import { Load } from "./load.ts";
import type { Program, Seat } from "./seat.ts";
import { judge } from "./verdict.ts";

const VALUE = "the value as it was written";
const FOUND_MS_MAX = 20_000;
/** Seconds of load, with a compaction after each. */
const CALM_ROUNDS = 12;

const args = readArguments(["programs"]);

/** Another byte in a value: no checksum of the file covers it. */
function change(seat: Seat): void {
  const path = join(seat.dir, "member", "snap", "db");
  const bytes = readFileSync(path);
  const fd = openSync(path, "r+");
  let count = 0;
  for (let at = bytes.indexOf(VALUE); at >= 0; at = bytes.indexOf(VALUE, at + 1), count++) {
    writeSync(fd, Buffer.from("T"), 0, 1, at);
  }
  closeSync(fd);
  if (count === 0) throw new Error(`the value is not in ${path}`);
}

async function write(seat: Seat): Promise<bigint> {
  const value = Buffer.from(VALUE);
  for (let i = 0; i < 20; i++) {
    await seat.client.call(KV.method.put, { key: Buffer.from(`key/${i}`), value });
  }
  const last = await seat.client.call(KV.method.put, { key: Buffer.from("key/0"), value });
  // Everything is in the page files.
  await sleep(500);
  return last.header!.revision;
}

/** Members with a CORRUPT alarm, when there are any; rejects when none comes. */
async function alarmed(seat: Seat): Promise<bigint[]> {
  const until = performance.now() + FOUND_MS_MAX;
  for (;;) {
    // With its defaults the request asks for all alarms.
    const { alarms } = await seat.client.call(Maintenance.method.alarm, {});
    if (alarms.length > 0) return alarms.map(({ memberID }) => memberID);
    if (performance.now() > until) throw new Error("there is no alarm");
    await sleep(200);
  }
}

async function idOf(seat: Seat): Promise<bigint> {
  return (await seat.status(5_000))!.header!.memberId;
}

type Way = "at the start" | "every so often" | "by compactions";

const FLAGS: Readonly<Record<Way, readonly string[]>> = {
  "at the start": ["--feature-gates", "InitialCorruptCheck=true"],
  "every so often": ["--corrupt-check-time", "1s"],
  "by compactions": ["--feature-gates", "CompactHashCheck=true", "--compact-hash-check-time", "1s"],
};

async function findOut(way: Way, programs: readonly Program[]): Promise<string[]> {
  const cluster = await Cluster.start({ programs, flags: FLAGS[way] });
  const [leader, , damaged] = cluster.seats as [Seat, Seat, Seat];
  try {
    await cluster.lead(leader);
    const id = await idOf(damaged);
    const revision = await write(leader);
    await damaged.stop();
    change(damaged);
    damaged.start(damaged.program);
    if (way === "at the start") return await refuses(damaged);
    await damaged.serving();
    await cluster.lead(leader);
    if (way === "by compactions") await leader.client.call(KV.method.compact, { revision });
    const found = await alarmed(leader);
    if (found.length === 1 && found[0] === id) return [];
    return [`${way}: the alarm is for ${found.join(", ")}, not ${id}`];
  } catch (error) {
    return [`${way}: ${(error as Error).message}\n${cluster.logs()}`];
  } finally {
    await cluster.stop();
  }
}

/** While much is written and compacted, nobody is accused. */
async function accuseNobody(programs: readonly Program[]): Promise<string[]> {
  const flags = ["--feature-gates", "CompactHashCheck=true", "--compact-hash-check-time", "1s"];
  const cluster = await Cluster.start({
    programs,
    flags: [...flags, "--corrupt-check-time", "1s"],
  });
  const [leader] = cluster.seats as [Seat];
  try {
    await cluster.lead(leader);
    const load = new Load({ seats: () => cluster.running(), seed: 1, perSecond: 400 });
    load.start();
    for (let left = CALM_ROUNDS; left > 0; left--) {
      await sleep(1_000);
      const revision = BigInt(Math.max(1, load.revision - 50));
      await leader.client.call(KV.method.compact, { revision }).catch(() => {});
    }
    const { alarms } = await leader.client.call(Maintenance.method.alarm, {});
    return [...(await judge(cluster, load)), ...alarms.map(({ memberID }) => `alarm ${memberID}`)];
  } catch (error) {
    return [`${(error as Error).message}\n${cluster.logs()}`];
  } finally {
    await cluster.stop();
  }
}

async function refuses(seat: Seat): Promise<string[]> {
  const until = performance.now() + FOUND_MS_MAX;
  while (seat.isRunning && performance.now() < until) await sleep(50);
  if (seat.isRunning) return ["at the start: it serves"];
  const wanted = ["found different hash values from remote peer", "found data inconsistency"];
  return wanted
    .filter((text) => !seat.log.includes(text))
    .map((text) => `it does not say: ${text}`);
}

async function main(): Promise<string[]> {
  const chosen = args.text("programs")?.split(",") as Program[] | undefined;
  const pairs = chosen
    ? [chosen]
    : [
        ["quord", "quord"],
        ["quord", "etcd"],
        ["etcd", "quord"],
      ];
  const problems: string[] = [];
  for (const [leader, other] of pairs as [Program, Program][]) {
    const found = await accuseNobody([leader, leader, other]);
    say(`nobody damaged, ${leader} leads and ${other} follows: ${found.length} problems`);
    problems.push(...blame([leader, other], found));
  }
  for (const [leader, other] of pairs as [Program, Program][]) {
    for (const way of Object.keys(FLAGS) as Way[]) {
      const found = await findOut(way, [leader, leader, other]);
      say(`${other} damaged, found out ${way} by ${leader}: ${found.length === 0 ? "yes" : "no"}`);
      problems.push(...blame([leader, other], found));
    }
  }
  return problems;
}

await runCommand("corruption", main);
