/**
 * A store of 1 GB reaches an empty member as a snapshot, while clients go on writing: how long it
 * takes, what the leader's event loop was held for, and what the writers noticed.
 *
 *   npm run bench:snapshot -- [--mb 1000] [--value 16384] [--kinds quord,etcd]
 *
 * The full size, with both kinds, writes its section of docs/benchmarks.md.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KV } from "../test/lib/api.ts";
import type { Kind } from "../test/lib/binaries.ts";
import { cpuSeconds } from "../test/lib/cpu.ts";
import { quantile } from "../test/lib/figures.ts";
import { memoryMib } from "../test/lib/memory.ts";
import { Cluster } from "../test/cluster/cluster.ts";
import { metric, metrics } from "../test/cluster/metrics.ts";
import type { Seat } from "../test/cluster/seat.ts";
import { equalHashes } from "../test/cluster/verdict.ts";
import { table } from "./bench-report.ts";
import { writeSection } from "./bench-sections.ts";

const FLAGS = ["--snapshot-count", "500", "--snapshot-catchup-entries", "100"];
const WRITERS = 16;
const PUTS_PER_SECOND = 100;
const ARRIVE_MS_MAX = 300_000;
const TURNS = "quord_loop_turn_cpu_seconds";
const TURN_BOUNDS = ["0.005", "0.01", "0.02", "0.05"];

const { values } = parseArgs({
  options: {
    mb: { type: "string", default: "1000" },
    value: { type: "string", default: "16384" },
    kinds: { type: "string", default: "quord,etcd" },
  },
});

interface Result {
  readonly seconds: number;
  readonly dbMb: number;
  readonly cpuSeconds: number;
  readonly peakMib: number;
  readonly putP99Ms: number;
  readonly putMaxMs: number;
  /** Turns longer than each of the bounds; not of etcd. */
  readonly turns: readonly number[] | undefined;
}

async function fill(seat: Seat): Promise<void> {
  const valueBytes = Number(values.value);
  const count = Math.ceil((Number(values.mb) * 1e6) / valueBytes);
  let next = 0;
  const writer = async () => {
    const value = Buffer.alloc(valueBytes);
    while (next < count) {
      const number = next++;
      for (let at = 0; at + 4 <= valueBytes; at += 4)
        value.writeUInt32LE((number * 2654435761 + at * 40503) >>> 0, at);
      await seat.client.call(KV.method.put, { key: Buffer.from(`fill/${number}`), value });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

/** Small puts at an even pace; gives their latencies when stopped. */
function writeOn(seat: Seat): () => Promise<number[]> {
  const latencies: number[] = [];
  const open = new Set<Promise<void>>();
  let count = 0;
  const timer = setInterval(() => {
    const at = performance.now();
    const request = { key: Buffer.from(`on/${count++ % 100}`), value: Buffer.from("value") };
    const put = seat.client.call(KV.method.put, request).then(() => {
      latencies.push(performance.now() - at);
      open.delete(put);
    });
    open.add(put);
  }, 1_000 / PUTS_PER_SECOND);
  return async () => {
    clearInterval(timer);
    await Promise.all(open);
    return latencies;
  };
}

async function arrived(seat: Seat, revision: bigint): Promise<void> {
  const until = performance.now() + ARRIVE_MS_MAX;
  while (((await seat.status())?.header?.revision ?? 0n) < revision) {
    if (performance.now() > until) throw new Error("the snapshot does not arrive");
    await sleep(20);
  }
}

async function turnsOver(leader: Seat): Promise<number[]> {
  const all = await metrics(leader.endpoint);
  const total = all.get(`${TURNS}_count`) ?? 0;
  return TURN_BOUNDS.map((le) => total - (all.get(`${TURNS}_bucket{le="${le}"}`) ?? 0));
}

async function measure(kind: Kind): Promise<Result> {
  const cluster = await Cluster.start({ programs: [kind], flags: FLAGS });
  const leader = cluster.seats[0]!;
  await fill(leader);
  await sleep(2_000);
  const status = (await leader.status(5_000))!;
  console.log(`${kind}: filled, ${(Number(status.dbSize) / 1e6).toFixed(0)} MB`);
  const stop = writeOn(leader);
  await sleep(1_000);
  const [cpuBefore, turnsBefore] = [cpuSeconds(leader.pid), await turnsOver(leader)];
  const startedAt = performance.now();
  const learner = await cluster.add(kind, { name: "learner", isLearner: true });
  await arrived(learner, status.header!.revision);
  const seconds = (performance.now() - startedAt) / 1_000;
  const turnsAfter = await turnsOver(leader);
  const cpu = cpuSeconds(leader.pid) - cpuBefore;
  const latencies = await stop();
  const sent = await metric(leader.endpoint, "etcd_network_snapshot_send_success");
  if (sent === 0) throw new Error("it did not go as a snapshot");
  const peakMib = memoryMib(leader.pid).peak;
  // A learner tells nobody its hash.
  await cluster.promote(learner);
  await equalHashes(cluster);
  await cluster.stop();
  return {
    seconds,
    dbMb: Number(status.dbSize) / 1e6,
    cpuSeconds: cpu,
    peakMib,
    putP99Ms: quantile(latencies, 0.99),
    putMaxMs: quantile(latencies, 1),
    turns: kind === "quord" ? turnsAfter.map((count, i) => count - turnsBefore[i]!) : undefined,
  };
}

function report(results: ReadonlyMap<Kind, Result>): string {
  const rows = [...results].map(([kind, result]) => [
    kind,
    result.dbMb.toFixed(0),
    result.seconds.toFixed(1),
    result.cpuSeconds.toFixed(1),
    result.peakMib.toFixed(0),
    `${result.putP99Ms.toFixed(1)} / ${result.putMaxMs.toFixed(0)}`,
    result.turns?.join(" / ") ?? "-",
  ]);
  const head = ["leader", "file MB", "seconds", "leader's CPU s", "leader's peak MiB"];
  return table([...head, "puts p99 / longest ms", "turns over 5 / 10 / 20 / 50 ms CPU"], rows);
}

const results = new Map<Kind, Result>();
for (const kind of values.kinds.split(",") as Kind[]) results.set(kind, await measure(kind));
const text = report(results);
console.log(text);
if (results.size === 2 && Number(values.mb) >= 1_000) {
  writeSection(
    "A snapshot to an empty member",
    `Written by \`npm run bench:snapshot\`: an empty learner joins a leader with values of
${values.value} bytes, while ${PUTS_PER_SECOND} small puts a second go on. Seconds run from the
start of adding it until it has everything. Both share the cores with the writers.

${text}`,
  );
}
const long = results.get("quord")?.turns?.[2] ?? 0;
console.log(`bench-snapshot: ${long} turns of the leader over 20 ms of CPU`);
process.exit(long === 0 ? 0 : 1);
