/**
 * The page file under measurement: how it shrinks by itself, how fast a member restarts on it, and
 * how much memory big values take. Each prints one line a step; the first writes its figures into
 * docs/benchmarks.md, unless it is told other sizes.
 *
 *   npm run bench:storage -- shrink  [--mb 1000] [--value 1024] [--kind quord]
 *   npm run bench:storage -- restart [--mb 256]  [--value 256]  [--kind quord]
 *   npm run bench:storage -- big     [--mb 4000] [--value 40960]
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { api, decodeMessage, encodeMessage } from "../src/proto/index.ts";
import type { Kind } from "../test/lib/binaries.ts";
import { cpuSeconds } from "../test/lib/cpu.ts";
import { quantile } from "../test/lib/figures.ts";
import { memoryMib } from "../test/lib/memory.ts";
import { freshDir, type Member, startMember } from "../test/lib/processes.ts";
import {
  ALL,
  COMPACT,
  keyOf,
  PUT,
  RANGE_STREAM,
  rangeRequest,
  SNAPSHOT,
  TXN,
} from "./bench-calm-data.ts";
import { Wire } from "./bench-calm-wire.ts";
import { table } from "./bench-report.ts";
import { writeSection } from "./bench-sections.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mb: { type: "string" },
    value: { type: "string" },
    kind: { type: "string", default: "quord" },
    dir: { type: "string" },
  },
});

const MIB = 1024 * 1024;
const PUTS_PER_SECOND = 500;
const TXN_BYTES_MAX = 512 * 1024;
const CLIENTS = 16;
const SHRINK = { mb: 1000, value: 1024 };
const FLAGS = ["--quota-backend-bytes", String(64 * 1024 * MIB), "--snapshot-count", "10000"];

interface Plan {
  readonly keys: number;
  readonly valueBytes: number;
  readonly kind: Kind;
}

function plan(defaults: { mb: number; value: number }): Plan {
  const valueBytes = Number(values.value ?? defaults.value);
  const keys = Math.floor((Number(values.mb ?? defaults.mb) * 1_000_000) / valueBytes);
  return { keys, valueBytes, kind: values.kind === "etcd" ? "etcd" : "quord" };
}

const started = performance.now();

function say(what: string, fields: Record<string, unknown> = {}): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  const text = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  console.log([seconds, what, ...text].join("  "));
}

const fileMib = (member: Member) =>
  Math.round(statSync(join(member.dir, "member", "snap", "db")).size / MIB);

/** Resident memory now, the part of it that no file stands behind, and the most so far, in MiB. */
function memory({ pid }: Member): Record<string, unknown> {
  const { rss, anonymous, peak } = memoryMib(pid);
  return { rss: Math.round(rss), anon: Math.round(anonymous), peak: Math.round(peak) };
}

/** Runs requests of many operations, some at a time. */
async function inTxns(wire: Wire, keys: Iterator<number>, perTxn: number, op: Op): Promise<void> {
  const work = async () => {
    for (;;) {
      const success = [];
      while (success.length < perTxn) {
        const next = keys.next();
        if (next.done === true) break;
        success.push(op(next.value));
      }
      if (success.length === 0) return;
      await wire.unary(TXN, encodeMessage(api.TxnRequest, { success }));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, work));
}

type Op = (index: number) => { requestPut?: object; requestDeleteRange?: object };

function* upTo(count: number, isWanted: (index: number) => boolean = () => true) {
  for (let index = 0; index < count; index++) if (isWanted(index)) yield index;
}

async function fill(wire: Wire, { keys, valueBytes }: Plan): Promise<void> {
  const perTxn = Math.max(1, Math.min(100, Math.floor(TXN_BYTES_MAX / valueBytes)));
  const value = new Uint8Array(valueBytes).fill(0x76);
  await inTxns(wire, upTo(keys), perTxn, (index) => ({ requestPut: { key: keyOf(index), value } }));
}

async function revisionOf(wire: Wire): Promise<number> {
  const request = encodeMessage(api.PutRequest, { key: keyOf(0), value: new Uint8Array(1) });
  return decodeMessage(api.PutResponse, await wire.unary(PUT, request)).header!.revision;
}

/** Puts at an even pace until stopped; knows how long each took. */
class Puts {
  readonly #wire: Wire;
  #times: number[] = [];
  #isStopped = false;
  readonly #running: Promise<void>;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const value = new Uint8Array(256).fill(0x70);
    const begun = performance.now();
    for (let sent = 0; !this.#isStopped; sent++) {
      const due = begun + (sent * 1000) / PUTS_PER_SECOND;
      const wait = due - performance.now();
      if (wait > 0) await sleep(wait);
      const key = new TextEncoder().encode(`/load/${sent % 1000}`);
      const at = performance.now();
      void this.#wire
        .unary(PUT, encodeMessage(api.PutRequest, { key, value }))
        .then(() => this.#times.push(performance.now() - at));
    }
  }

  /** How long each took that was answered since the last call, in milliseconds. */
  take(): readonly number[] {
    const times = this.#times;
    this.#times = [];
    return times;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

function summary(milliseconds: readonly number[]) {
  const at = (part: number) => quantile(milliseconds, part).toFixed(2);
  return {
    puts: milliseconds.length,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: quantile(milliseconds, 1).toFixed(1),
  };
}

async function start(kind: Kind, dir: string): Promise<{ member: Member; wire: Wire }> {
  const before = performance.now();
  const member = await startMember(kind, { dir, flags: FLAGS });
  const ms = Math.round(performance.now() - before);
  say(`${kind} serves`, { ms, cpu: cpuSeconds(member.pid), ...memory(member) });
  return { member, wire: await Wire.connect(member.endpoint) };
}

const dataDir = () => join(freshDir(values.dir), "data");

async function filled(what: Plan): Promise<{ member: Member; wire: Wire }> {
  const opened = await start(what.kind, dataDir());
  await fill(opened.wire, what);
  await sleep(2000);
  say("filled", { keys: what.keys, file: fileMib(opened.member), ...memory(opened.member) });
  return opened;
}

async function compact(wire: Wire): Promise<void> {
  const revision = await revisionOf(wire);
  await wire.unary(COMPACT, encodeMessage(api.CompactionRequest, { revision }));
}

/** Nine keys of ten are deleted; then nothing is asked. */
async function shrink(): Promise<void> {
  const what = plan(SHRINK);
  const { member, wire } = await filled(what);
  const puts = new Puts(await Wire.connect(member.endpoint));
  await sleep(2000);
  puts.take();
  await sleep(20_000);
  const idle = summary(puts.take());
  say("idle but for the puts", idle);
  await inTxns(
    wire,
    upTo(what.keys, (index) => index % 10 !== 0),
    100,
    (index) => ({
      requestDeleteRange: { key: keyOf(index) },
    }),
  );
  const before = fileMib(member);
  say("deleted", { file: before, ...summary(puts.take()) });
  await compact(wire);
  const compacted = performance.now();
  const meanwhile: number[] = [];
  for (let seconds = 0; seconds < 300; seconds += 5) {
    await sleep(5000);
    const times = puts.take();
    meanwhile.push(...times);
    say("shrinking", { file: fileMib(member), cpu: cpuSeconds(member.pid), ...summary(times) });
    if (fileMib(member) < 250) break;
  }
  const seconds = Math.round((performance.now() - compacted) / 1000);
  const after = fileMib(member);
  const busy = summary(meanwhile);
  say("small", { seconds, file: after, ...busy });
  for (let rounds = 0; rounds < 4; rounds++) {
    await sleep(10_000);
    const times = puts.take();
    say("after", { file: fileMib(member), cpu: cpuSeconds(member.pid), ...summary(times) });
  }
  await puts.stop();
  await member.stop();
  if (values.mb !== undefined || values.value !== undefined || what.kind !== "quord") return;
  writeSection(
    "A file that shrinks",
    `Written by \`npm run bench:storage shrink\`.

${what.keys.toLocaleString("en")} keys with values of ${what.valueBytes} bytes; nine of ten are
deleted, the history is compacted, and nothing else is asked. ${PUTS_PER_SECOND} puts a second go
on all the time. After ${seconds} s the file has ${after} instead of ${before} MiB.

${table(
  ["puts, ms", "p50", "p99", "p99.9", "slowest"],
  [
    ["before", idle.p50, idle.p99, idle.p999, idle.max],
    ["meanwhile", busy.p50, busy.p99, busy.p999, busy.max],
  ],
)}
`,
  );
}

async function restart(): Promise<void> {
  const what = plan({ mb: 256, value: 256 });
  const { member, wire } = await filled(what);
  wire.close();
  await member.stop();
  for (let round = 0; round < 3; round++) {
    const again = await start(what.kind, member.dir);
    again.wire.close();
    await again.member.stop();
  }
}

async function big(): Promise<void> {
  const what = plan({ mb: 4000, value: 40_960 });
  const { member, wire } = await filled(what);
  wire.close();
  await member.stop();
  const again = await start(what.kind, member.dir);
  await drain(again.wire, RANGE_STREAM, rangeRequest(ALL));
  say("listed", memory(again.member));
  await drain(again.wire, SNAPSHOT, new Uint8Array(0));
  say("snapshot read", memory(again.member));
  await inTxns(
    again.wire,
    upTo(what.keys, (index) => index % 2 === 0),
    100,
    (index) => ({
      requestDeleteRange: { key: keyOf(index) },
    }),
  );
  await compact(again.wire);
  for (let rounds = 0; rounds < 6; rounds++) {
    await sleep(5000);
    say("compacting", { file: fileMib(again.member), ...memory(again.member) });
  }
  await again.member.stop();
}

async function drain(wire: Wire, path: string, request: Uint8Array): Promise<void> {
  let bytes = 0;
  const call = wire.stream(path, (message) => (bytes += message.length), { last: request });
  const { code, message } = await call.ended;
  say(path, { code, message, mib: Math.round(bytes / MIB) });
}

const MODES: Readonly<Record<string, () => Promise<void>>> = { shrink, restart, big };
const mode = MODES[positionals[0] ?? ""];
if (mode === undefined) throw new Error("say what: shrink, restart or big");
await mode();
process.exit(0);
