/**
 * Half an hour of mixed load while a member is killed every 20 s: nothing lost, and no member's
 * memory grows.
 *
 *   npm run soak -- [--quick] [--minutes 30] [--every 20] [--rate 300] [--program quord|etcd]
 *                   [--plant rollback]
 *
 * `--plant rollback` takes all members back to what they were some kills before, in the middle of
 * the run: what was acknowledged since is lost, and the command must say so.
 * Memory is the resident size at the same age of a process: each kill makes a new one, so what is
 * compared are medians over minutes 5 to 10 and over the last ten.
 */
import { cpSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../src/base/index.ts";
import { quantile } from "../lib/figures.ts";
import { memoryMib } from "../lib/memory.ts";
import { Cluster } from "./cluster.ts";
import { readArguments, runCommand, say } from "./command.ts";
import { Load } from "./load.ts";
import type { Program, Seat } from "./seat.ts";
import { equalHashes, judge } from "./verdict.ts";

const args = readArguments(["minutes", "every", "rate", "program", "plant"]);
const minutes = args.number("minutes", { full: 30, quick: 0.6 });
const everyMs = args.number("every", { full: 20, quick: 6 }) * 1_000;
const perSecond = args.number("rate", { full: 300, quick: 300 });
const program = (args.text("program") ?? "quord") as Program;

/** A dead member is missed for so long. */
const DOWN_MS = 1_000;
const SAMPLE_MS = 2_000;
const GROWTH_MAX = 1.1;
const MINUTE = 60_000;

/** The resident size of a process in MiB; undefined when it is gone. */
function residentMib(pid: number): number | undefined {
  try {
    return memoryMib(pid).rss;
  } catch {
    return undefined;
  }
}

class Memory {
  readonly #samples = new Map<Seat, { readonly at: number; readonly mib: number }[]>();
  readonly #startedAt = performance.now();

  take(seats: readonly Seat[]): void {
    for (const seat of seats) {
      const mib = seat.isServing ? residentMib(seat.pid) : undefined;
      if (mib === undefined) continue;
      const samples = this.#samples.get(seat) ?? [];
      samples.push({ at: performance.now() - this.#startedAt, mib });
      this.#samples.set(seat, samples);
    }
  }

  median(seat: Seat, from: number, until: number): number {
    const samples = this.#samples.get(seat) ?? [];
    const mibs = samples.flatMap(({ at, mib }) => (at >= from && at < until ? [mib] : []));
    return quantile(mibs, 0.5);
  }

  /** The median of every minute, for each member. */
  lines(seats: readonly Seat[]): string[] {
    const count = Math.ceil((performance.now() - this.#startedAt) / MINUTE);
    return seats.map((seat) => {
      const each = Array.from({ length: count }, (_, i) =>
        this.median(seat, i * MINUTE, (i + 1) * MINUTE).toFixed(0),
      );
      return `${seat.name}, MiB by minute: ${each.join(" ")}`;
    });
  }

  problems(seats: readonly Seat[]): string[] {
    if (minutes < 20) return [];
    return seats.flatMap((seat) => {
      const early = this.median(seat, 5 * MINUTE, 10 * MINUTE);
      const late = this.median(seat, (minutes - 10) * MINUTE, minutes * MINUTE);
      say(
        `${seat.name}: ${early.toFixed(0)} MiB in minutes 5 to 10, ${late.toFixed(0)} in the last 10`,
      );
      return late <= early * GROWTH_MAX ? [] : [`${seat.name} grew from ${early} to ${late} MiB`];
    });
  }
}

/** Keeps a copy of every member as it is, stopped; and makes the members that again. */
class Rollback {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async keep(): Promise<void> {
    await this.#still((seat) => cpSync(seat.dir, `${seat.dir}.kept`, { recursive: true }));
  }

  async back(): Promise<void> {
    await this.#still((seat) => {
      rmSync(seat.dir, { recursive: true });
      cpSync(`${seat.dir}.kept`, seat.dir, { recursive: true });
    });
    say("planted: all members are what they were before");
  }

  async #still(run: (seat: Seat) => void): Promise<void> {
    const { seats } = this.#cluster;
    await Promise.all(seats.map((seat) => seat.kill()));
    seats.forEach(run);
    for (const seat of seats) seat.start(program);
    await this.#cluster.serving();
  }
}

async function main(): Promise<string[]> {
  say(`seed ${args.seed}`);
  const prng = new Prng(args.seed);
  const cluster = await Cluster.start({ programs: [program, program, program] });
  const load = new Load({ seats: () => cluster.running(), seed: args.seed, perSecond });
  load.start();
  const memory = new Memory();
  const sampler = setInterval(() => memory.take(cluster.seats), SAMPLE_MS);
  const until = performance.now() + minutes * MINUTE;
  let kills = 0;
  const rollback = args.text("plant") === "rollback" ? new Rollback(cluster) : undefined;
  while (performance.now() < until) {
    await sleep(everyMs - DOWN_MS);
    const seat = cluster.seats[prng.below(cluster.seats.length)]!;
    await seat.kill();
    await sleep(DOWN_MS);
    seat.start(program);
    await seat.serving();
    kills++;
    if (kills === 1) await rollback?.keep();
    if (kills === 3) await rollback?.back();
    if (kills % 9 === 0) say(`${kills} kills, ${load.count} requests, revision ${load.revision}`);
  }
  clearInterval(sampler);
  await equalHashes(cluster);
  for (const line of memory.lines(cluster.seats)) say(line);
  const problems = memory.problems(cluster.seats);
  const rate = load.perSecond.toFixed(0);
  problems.push(...(await judge(cluster, load)));
  say(`${program}: ${kills} kills, ${load.count} requests at ${rate}/s`);
  for (const [kind, count] of load.failures) say(`  ${count} x ${kind}`);
  await cluster.stop();
  return problems;
}

await runCommand("soak", main);
