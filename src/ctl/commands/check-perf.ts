import { EXIT, Exit, Progress, stringFlag } from "../../cli/index.ts";
import type { Client } from "../../client/index.ts";
import type { Ctl } from "../ctl.ts";
import { defineSub } from "../define.ts";
import { interrupts } from "../interrupts.ts";
import { argBytes } from "../raw-args.ts";
import type { LoadReport } from "./check-load.ts";
import { type Afterwards, afterwards, loadFlag, type Size, sizeOf } from "./check-flags.ts";

const LOADS: Readonly<Record<Size, { readonly perSecond: number; readonly clients: number }>> = {
  s: { perSecond: 150, clients: 50 },
  m: { perSecond: 1_000, clients: 200 },
  l: { perSecond: 8_000, clients: 500 },
  xl: { perSecond: 15_000, clients: 1_000 },
};
const DURATION_MS = 60_000;
const CLEANUP_MS = 30_000;
const KEY_BYTES = 256;
const VALUE_BYTES = 1024;
/** What is still good: the share of the writes asked for, and times in seconds. */
const SHARE_MIN = 0.9;
const SLOWEST_MAX = 0.5;
const DEVIATION_MAX = 0.1;

export const perf = defineSub({
  use: "perf [options]",
  short: "Check the performance of the etcd cluster",
  flags: {
    load: loadFlag(
      "The performance check's workload model. Accepted workloads: s(small), m(medium), " +
        "l(large), xl(xLarge). Different workload models use different configurations in terms " +
        "of number of clients and expected throughput.",
    ),
    prefix: stringFlag(
      "The prefix for writing the performance check's keys.",
      "/etcdctl-check-perf/",
    ),
    ...afterwards,
  },
  run: async ({ context: ctl }, flags) => {
    const load = LOADS[sizeOf(flags.load)];
    const { checkUnused, connectAll } = await import("./check-steps.ts");
    const { Deadline } = await import("../../client/index.ts");
    const clients = await connectAll(ctl, load.clients);
    const prefix = argBytes(flags.prefix);
    const deadline = Deadline.in(DURATION_MS);
    await checkUnused(clients[0]!, prefix, { deadline, quote: "'" });
    const report = await measure(ctl, clients, prefix, load.perSecond);
    await cleanUp(ctl, clients[0]!, prefix, flags);
    const { lines, isGood } = verdict(report, load.perSecond);
    ctl.out(`${lines.join("\n")}\n`);
    if (!isGood) throw new Exit(EXIT.error);
  },
});

/** An interrupt ends it early, and what was measured until then counts. */
async function measure(
  ctl: Ctl,
  clients: readonly Client[],
  prefix: Uint8Array,
  perSecond: number,
): Promise<LoadReport> {
  const { Pace, write } = await import("./check-load.ts");
  const progress = new Progress(ctl.io.stderr, "writing", DURATION_MS, inSeconds);
  const pace = new Pace(perSecond, DURATION_MS, interrupts());
  const next = () => {
    progress.update(pace.elapsedMs);
    return pace.turn();
  };
  const sizes = { keyBytes: KEY_BYTES, valueBytes: VALUE_BYTES };
  const report = await write({ clients, prefix, ...sizes, next });
  progress.clear();
  return report;
}

const inSeconds = (ms: number) => `${Math.round(ms / 1000)} s`;

async function cleanUp(
  ctl: Ctl,
  client: Client,
  prefix: Uint8Array,
  flags: Afterwards,
): Promise<void> {
  const { compact, defragment, removeKeys } = await import("./check-steps.ts");
  const { Deadline, describeError } = await import("../../client/index.ts");
  const deadline = Deadline.in(CLEANUP_MS);
  try {
    const revision = await removeKeys(client, prefix, deadline);
    if (flags["auto-compact"]) await compact(ctl, client, revision);
  } catch (error) {
    if (error instanceof Exit) throw error;
    const reason = describeError(error, deadline);
    ctl.out(`FAIL: Cleanup failed during key deletion: ERROR(${reason})\n`);
  }
  if (flags["auto-defrag"]) await defragment(ctl);
}

/** What was measured; times are in seconds. */
type Figures = Pick<LoadReport, "perSecond" | "slowest" | "deviation" | "errorLines">;

/** How each measure came out, a line each, and whether all of them are good. */
export function verdict(
  figures: Figures,
  perSecond: number,
): { readonly lines: readonly string[]; readonly isGood: boolean } {
  const { perSecond: reached, slowest, deviation } = figures;
  const isFast = reached / perSecond > SHARE_MIN;
  const isPrompt = !(slowest > SLOWEST_MAX);
  const isEven = !(deviation > DEVIATION_MAX);
  const errors = figures.errorLines();
  const isGood = errors.length === 0 && isFast && isPrompt && isEven;
  const lines = [
    ...errors,
    (isFast ? "PASS: Throughput is " : "FAIL: Throughput too low: ") +
      `${Math.floor(reached) + 1} writes/s`,
    (isPrompt ? "PASS: Slowest request took " : "Slowest request took too long: ") +
      `${slowest.toFixed(6)}s`,
    (isEven ? "PASS: Stddev is " : "Stddev too high: ") + `${deviation.toFixed(6)}s`,
    isGood ? "PASS" : "FAIL",
  ];
  return { lines, isGood };
}
