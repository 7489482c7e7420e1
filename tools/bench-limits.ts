/**
 * What a member does at its limits: a hundred thousand leases, and a memory group that is too small
 * for what is asked of it. Each prints one line a step.
 *
 *   npm run bench:limits -- leases [--leases 100000] [--ttl 60] [--kind quord]
 *   npm run bench:limits -- memory [--mb 768]     (Linux, root)
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { api, decodeMessage, encodeMessage } from "../src/proto/index.ts";
import type { Kind } from "../test/lib/binaries.ts";
import { memoryMib } from "../test/lib/memory.ts";
import { type Member, spawnMember, startMember } from "../test/lib/processes.ts";
import { fill, PUT, putRequest, RANGE, rangeRequest, shuffled, WATCH } from "./bench-calm-data.ts";
import { Wire } from "./bench-calm-wire.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    leases: { type: "string", default: "100000" },
    ttl: { type: "string", default: "60" },
    mb: { type: "string", default: "768" },
    kind: { type: "string", default: "quord" },
  },
});

const GRANT = "/etcdserverpb.Lease/LeaseGrant";
const KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive";
const LEASES = "/etcdserverpb.Lease/LeaseLeases";
const CLIENTS = 100;

const say = (what: object) => console.log(JSON.stringify(what));
const secondsSince = (time: number) => Math.round((performance.now() - time) / 100) / 10;

/** Runs `work` for 0 to count - 1, a number of them at a time. */
async function each(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
}

async function leases(): Promise<void> {
  const [count, ttl] = [Number(values.leases), Number(values.ttl)];
  const member = await startMember(values.kind as Kind);
  const wire = await Wire.connect(member.endpoint);
  const before = memoryMib(member.pid).rss;
  let began = performance.now();
  await each(count, (i) =>
    wire.unary(GRANT, encodeMessage(api.LeaseGrantRequest, { ID: BigInt(i + 1), TTL: ttl })),
  );
  say({ granted: count, seconds: secondsSince(began) });
  began = performance.now();
  await keepAlive(wire, count);
  const renewedBy = performance.now();
  const growthMib = Math.round(memoryMib(member.pid).peak - before);
  say({ keptAlive: count, seconds: secondsSince(began), growthMib });
  const left = async () => {
    const reply = await wire.unary(LEASES, new Uint8Array(0));
    return decodeMessage(api.LeaseLeasesResponse, reply).leases.length;
  };
  await sleep(began + (ttl - 1) * 1000 - performance.now());
  const early = count - (await left());
  while ((await left()) > 0) await sleep(500);
  const late = Math.round(performance.now() - renewedBy) / 1000 - ttl;
  say({ goneBeforeTtl: early, lastGoneSecondsAfterTtl: Math.round(late * 10) / 10 });
  wire.close();
  await member.stop();
}

/** Renews each lease once, over one stream. */
async function keepAlive(wire: Wire, count: number): Promise<void> {
  let answered = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const call = wire.stream(KEEP_ALIVE, (message) => {
    if ((decodeMessage(api.LeaseKeepAliveResponse, message).TTL ?? 0) <= 0) {
      reject(new Error("a lease was gone before its time"));
    }
    if (++answered === count) resolve();
  });
  for (let i = 0; i < count; i++) {
    call.send(encodeMessage(api.LeaseKeepAliveRequest, { ID: BigInt(i + 1) }));
    if (i % 1000 === 999) await sleep(0);
  }
  await promise;
  call.cancel();
}

/** Starts a member inside a memory group of its own, and takes the group away in the end. */
async function inGroup(mb: number, work: (member: Member) => Promise<void>): Promise<void> {
  const v1 = "/sys/fs/cgroup/memory";
  const isV1 = existsSync(v1);
  const group = join(isV1 ? v1 : "/sys/fs/cgroup", `quord-bench-${process.pid}`);
  mkdirSync(group);
  const limit = isV1 ? "memory.limit_in_bytes" : "memory.max";
  writeFileSync(join(group, limit), String(mb * 1024 * 1024));
  const own = readFileSync("/proc/self/cgroup", "latin1");
  const home = isV1 ? /:memory:(.*)$/m.exec(own)![1]! : /^0::(.*)$/m.exec(own)![1]!;
  const homeProcs = join(isV1 ? v1 : "/sys/fs/cgroup", home, "cgroup.procs");
  // A child begins in the group of its parent.
  writeFileSync(join(group, "cgroup.procs"), String(process.pid));
  const member = await spawnMember("quord", { flags: ["--quota-backend-bytes=8589934592"] });
  writeFileSync(existsSync(homeProcs) ? homeProcs : join(v1, "cgroup.procs"), String(process.pid));
  try {
    await member.serving();
    await work(member);
    say({ alive: member.alive(), peakMib: Math.round(memoryMib(member.pid).peak) });
  } finally {
    await member.stop();
    rmdirSync(group);
  }
}

const WATCH_CONNECTIONS = 100;
const WATCHERS_EACH = 100;
const LISTS = 40;
const BIG_PUTS = 50;
const BIG_BYTES = 1024 * 1024;

async function memory(): Promise<void> {
  await inGroup(Number(values.mb), async (member) => {
    const wire = await Wire.connect(member.endpoint);
    await fill(wire, shuffled(200_000));
    say({ keys: 200_000, rssMib: Math.round(memoryMib(member.pid).rss) });
    const watchers: Wire[] = [];
    for (let i = 0; i < WATCH_CONNECTIONS; i++) {
      const watching = await Wire.connect(member.endpoint);
      const call = watching.stream(WATCH, () => {});
      const create = encodeMessage(api.WatchRequest, {
        createRequest: { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) },
      });
      for (let j = 0; j < WATCHERS_EACH; j++) call.send(create);
      watchers.push(watching);
    }
    say({ watchers: WATCH_CONNECTIONS * WATCHERS_EACH });
    const answers = new Map<string, number>();
    const note = async (what: string, call: Promise<unknown>) => {
      const outcome = await call.then(
        () => "ok",
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      answers.set(`${what}: ${outcome}`, (answers.get(`${what}: ${outcome}`) ?? 0) + 1);
    };
    const lists = Array.from({ length: LISTS }, async () => {
      const own = await Wire.connect(member.endpoint);
      await note("list", own.unary(RANGE, rangeRequest()));
      own.close();
    });
    const value = new Uint8Array(BIG_BYTES);
    const puts = Array.from({ length: BIG_PUTS }, (_, i) =>
      note("put of 1 MiB", wire.unary(PUT, putRequest(Uint8Array.of(i), value))),
    );
    await Promise.all([...lists, ...puts]);
    for (const watching of watchers) watching.close();
    await note("put afterwards", wire.unary(PUT, putRequest(Uint8Array.of(1))));
    say(Object.fromEntries(answers));
    wire.close();
  });
}

const WORKS: Readonly<Record<string, () => Promise<void>>> = { leases, memory };
const chosen = WORKS[positionals[0] ?? ""];
if (chosen === undefined) throw new Error(`say one of: ${Object.keys(WORKS).join(", ")}`);
await chosen();
