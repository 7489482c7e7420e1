/** Turns the samples of tools/bench-calm.ts into the page docs/benchmarks-calm.md. */
import { availableParallelism } from "node:os";
import type { Kind } from "../test/lib/binaries.ts";
import { median } from "../test/lib/figures.ts";
import { type CalmSample, type Puts, type Sizes, type Work, WORKS } from "./bench-calm-load.ts";
import type { StalledSample, WatchSample } from "./bench-calm-watch.ts";
import { CONNECTIONS, EVENTS, WATCHERS_PER_CONNECTION } from "./bench-calm-watch.ts";
import { table } from "./bench-report.ts";

export interface CalmResults {
  readonly sizes: Sizes;
  readonly stored: ReadonlyMap<Kind, CalmSample> | undefined;
  readonly watched:
    | { readonly samples: ReadonlyMap<Kind, WatchSample>; readonly stalled: StalledSample }
    | undefined;
}

export function writeCalmReport({ sizes, stored, watched }: CalmResults): string {
  const parts = [head(sizes)];
  if (stored !== undefined) {
    const [quord, etcd] = [stored.get("quord")!, stored.get("etcd")!];
    parts.push(storeSection(sizes, quord, etcd), worksSection(quord, etcd));
  }
  if (watched !== undefined) {
    const { samples, stalled } = watched;
    parts.push(watchSection(samples.get("quord")!, samples.get("etcd")!, stalled));
  }
  return `${parts.join("\n\n")}\n`;
}

function head({ keys }: Sizes): string {
  const cores = availableParallelism();
  const { node } = process.versions;
  return `# Calm

Written by \`npm run bench:calm\`. quord and etcd 3.7.3 one after the other on the same
${cores} cores that the client uses, Node ${node}, default flags but for the quota.
The store holds ${whole(keys)} keys of 24 bytes with values of 256 bytes, put in no order.`;
}

const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/** A row of a figure, both values and their ratio, against the most that it should be. */
function compared(name: string, quord: number, etcd: number, goal: string): string[] {
  const digits = quord < 10 ? 2 : 0;
  return [name, quord.toFixed(digits), etcd.toFixed(digits), ratio(quord / etcd), goal];
}

function ratio(value: number): string {
  return value > 0 && value < 0.1 ? `1/${(1 / value).toFixed(0)}` : `x${value.toFixed(2)}`;
}

function storeSection(sizes: Sizes, quord: CalmSample, etcd: CalmSample): string {
  const row = (name: string, read: (sample: CalmSample) => number, goal: string) =>
    compared(name, read(quord), read(etcd), goal);
  const old = `with ${whole(sizes.writes)} writes since`;
  const rows = [
    row("count of all keys, CPU ms", ({ costs }) => costs.count, "1/50"),
    row("page of 1,000, CPU ms", ({ costs }) => costs.page, "1/50"),
    row(`count at a revision ${old}, CPU ms`, ({ costs }) => costs.oldCount, "1/20"),
    row(`page at a revision ${old}, CPU ms`, ({ costs }) => costs.oldPage, "1/20"),
    row("full range, ms", ({ listMs }) => median(listMs), "x1"),
    row("full RangeStream, ms", ({ streamMs }) => median(streamMs), "x1"),
    row("restart, ms", ({ restartMs }) => median(restartMs), "x0.5"),
    row(`VmRSS ${sizes.settleMs / 1000} s after load, MiB`, ({ loaded }) => loaded.rss, "x0.7"),
    row("highest VmRSS during ten full ranges, MiB", (sample) => sample.listsPeakMib, "x0.7"),
    row("RssAnon after load, MiB", ({ loaded }) => loaded.anonymous, "-"),
    row("VmRSS of the empty store, MiB", ({ empty }) => empty.rss, "-"),
  ];
  return `## A million keys

${table(["", "quord", "etcd", "ratio", "goal"], rows)}

CPU is user and system time of the server process, from the kernel's account. Times are those of
the client, from the request to the end of the reply; medians.`;
}

function worksSection(quord: CalmSample, etcd: CalmSample): string {
  const rows = WORKS.flatMap((work) => workRows(work, quord, etcd));
  const columns = ["meanwhile", "quord p99.9 ms", "etcd p99.9 ms", "quord slowest ms"];
  return `## While an operator works

200 puts a second; three rounds.

${table([...columns, "etcd slowest ms", "slowest, ratio"], [idleRow(quord, etcd), ...rows])}

Goals: p99.9 at most five times that of the idle server or 25 ms; the slowest at most 1/5 of etcd's.

${loopText(quord)}`;
}

/** From the first figure to the last. The histograms on `/metrics` know bounds only. */
function loopText({ turns, pauses }: CalmSample): string {
  if (turns === undefined || pauses === undefined) return "";
  return [
    `From the start of quord to here: ${whole(turns.count)} turns of the event loop,`,
    `of them ${whole(turns.above20Ms)} with more than 20 ms of CPU, the longest within`,
    `${turns.worstMs} ms; ${whole(pauses.count)} pauses for the collection of garbage,`,
    `99 % of them within ${pauses.p99Ms} ms, the longest within ${pauses.worstMs} ms.`,
  ].join("\n");
}

function idleRow(quord: CalmSample, etcd: CalmSample): string[] {
  return putsRow("nothing else", quord.idle, etcd.idle);
}

function workRows(work: Work, quord: CalmSample, etcd: CalmSample): string[][] {
  const [ours, theirs] = [quord.works.get(work)!, etcd.works.get(work)!];
  return ours.map((puts, round) => putsRow(work, puts, theirs[round]!));
}

function putsRow(name: string, quord: Puts, etcd: Puts): string[] {
  return [
    name,
    quord.p999Ms.toFixed(1),
    etcd.p999Ms.toFixed(1),
    quord.slowestMs.toFixed(1),
    etcd.slowestMs.toFixed(1),
    ratio(quord.slowestMs / etcd.slowestMs),
  ];
}

function watchSection(quord: WatchSample, etcd: WatchSample, stalled: StalledSample): string {
  const row = (name: string, read: (sample: WatchSample) => number, goal: string) =>
    compared(name, read(quord), read(etcd), goal);
  const rows = [
    row("until all have all events, ms", ({ totalMs }) => totalMs, "x1"),
    row("p50 of a put meanwhile, ms", ({ putP50Ms }) => putP50Ms, "-"),
    row("p99 of a put meanwhile, ms", ({ putP99Ms }) => putP99Ms, "x1"),
    row("growth of resident memory, MiB", ({ growthMib }) => growthMib, "300 MiB"),
    row("messages sent", ({ responses }) => responses, "-"),
  ];
  const watchers = whole(CONNECTIONS * WATCHERS_PER_CONNECTION);
  return `## Many watchers

${watchers} watchers of one range on ${CONNECTIONS} connections; ${whole(EVENTS)} puts, one
after the other. The client checks that every watcher gets every event once and in order.

${table(["", "quord", "etcd", "ratio", "goal"], rows)}

${stalledText(stalled)}`;
}

function stalledText({ totalMs, putP99Ms, growthMib, complete, compacted }: StalledSample): string {
  return [
    `The same beside ${CONNECTIONS} more connections whose clients stop reading:`,
    `${whole(totalMs)} ms, p99 of a put ${putP99Ms.toFixed(1)} ms, growth ${growthMib.toFixed(0)} MiB. Half of those clients`,
    "then read again and get all events; then the history is compacted, and each watcher of the",
    `other half gets all events or is told so: ${whole(complete)} got all,`,
    `${whole(compacted)} were told.`,
  ].join("\n");
}
