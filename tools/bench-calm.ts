/**
 * Measures how calm quord stays, beside real etcd in the same run: with a million keys of 256
 * bytes, and with ten thousand watchers.
 *
 *   npm run bench:calm -- [--keys 1000000] [--rounds 3] [--part store|watch] [--quick]
 *
 * A complete run takes about half an hour and writes docs/benchmarks-calm.md.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Kind, needPeer, ROOT } from "../test/lib/binaries.ts";
import { dropDir, freshDir, startMember } from "../test/lib/processes.ts";
import { calm, type CalmSample, say, type Sizes } from "./bench-calm-load.ts";
import { writeCalmReport } from "./bench-calm-report.ts";
import {
  manyWatchers,
  stalledReaders,
  type StalledSample,
  type WatchSample,
} from "./bench-calm-watch.ts";

const KINDS: readonly Kind[] = ["etcd", "quord"];

async function store(sizes: Sizes): Promise<Map<Kind, CalmSample>> {
  const samples = new Map<Kind, CalmSample>();
  for (const kind of KINDS) {
    const parent = freshDir();
    samples.set(kind, await calm(kind, join(parent, "data"), sizes));
    dropDir(parent);
  }
  return samples;
}

interface Watching {
  readonly samples: ReadonlyMap<Kind, WatchSample>;
  readonly stalled: StalledSample;
}

async function watching(): Promise<Watching> {
  const samples = new Map<Kind, WatchSample>();
  let stalled: StalledSample | undefined;
  for (const kind of KINDS) {
    const member = await startMember(kind);
    const sample = await manyWatchers(member);
    samples.set(kind, sample);
    say(kind, sample);
    if (kind === "quord") stalled = await stalledReaders(member);
    await member.stop();
  }
  say("quord", stalled);
  return { samples, stalled: stalled! };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: "string" },
      rounds: { type: "string" },
      part: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  needPeer("etcd");
  const keys = Number(values.keys ?? (values.quick ? 100_000 : 1_000_000));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const settleMs = values.quick ? 5_000 : 60_000;
  const sizes = { keys, writes: Math.floor(keys / 10), settleMs, rounds };
  const stored = values.part === "watch" ? undefined : await store(sizes);
  const watched = values.part === "store" ? undefined : await watching();
  const report = writeCalmReport({ sizes, stored, watched });
  console.log(report);
  const isComplete = stored !== undefined && watched !== undefined && !values.quick;
  if (isComplete) writeFileSync(join(ROOT, "docs", "benchmarks-calm.md"), report);
}

await main();
