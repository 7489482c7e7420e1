/** What is asked of a server that holds a million keys, and what it costs there. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  api,
  decodeMessage,
  encodeMessage,
  type Init,
  type MessageOf,
} from "../src/proto/index.ts";
import type { Kind } from "../test/lib/binaries.ts";
import { cpuSeconds } from "../test/lib/cpu.ts";
import { quantile } from "../test/lib/figures.ts";
import { type Memory, memoryMib, resetPeak } from "../test/lib/memory.ts";
import { type Member, startMember } from "../test/lib/processes.ts";
import {
  COMPACT,
  DEFRAGMENT,
  fill,
  RANGE,
  RANGE_STREAM,
  rangeRequest,
  shuffled,
  SNAPSHOT,
} from "./bench-calm-data.ts";
import { type LoopFigures, loopFigures, type Spread, spread } from "./bench-calm-loop.ts";
import { type Putting, startPuts } from "./bench-calm-puts.ts";
import { Wire } from "./bench-calm-wire.ts";

const PAGE_KEYS = 1000;
/** Full lists in a row, over which memory is watched. */
const LISTS = 10;
const STREAMS = 3;
const RESTARTS = 2;
/** Puts a second under which the operator works. */
const PUTS_PER_SECOND = 200;
const PUT_BYTES = 256;
/** Keys that they change. */
const PUT_KEYS = 10_000;
const IDLE_MS = 15_000;
const REST_MS = 2_000;
/** Room for several revisions of everything. */
const QUOTA_BYTES = 8 * 1024 ** 3;

export interface Sizes {
  readonly keys: number;
  /** Writes after the revision that old reads ask for. */
  readonly writes: number;
  readonly settleMs: number;
  /** How often each of the operator's works is done. */
  readonly rounds: number;
}

/** CPU of the server for one request, in milliseconds. */
export interface Costs {
  readonly count: number;
  readonly page: number;
  readonly oldCount: number;
  readonly oldPage: number;
}

export interface Puts {
  readonly p50Ms: number;
  readonly p999Ms: number;
  readonly slowestMs: number;
}

/** What an operator does to a server that is in use. */
export const WORKS = ["compact", "defragment", "snapshot", "list"] as const;
export type Work = (typeof WORKS)[number];

export interface CalmSample {
  readonly empty: Memory;
  readonly loaded: Memory;
  /** Highest resident memory during the lists. */
  readonly listsPeakMib: number;
  readonly costs: Costs;
  readonly listMs: readonly number[];
  readonly streamMs: readonly number[];
  readonly restartMs: readonly number[];
  readonly idle: Puts;
  /** Of each work, one for each round. */
  readonly works: ReadonlyMap<Work, readonly Puts[]>;
  /** Only quord tells. */
  readonly turns: Spread | undefined;
  readonly pauses: Spread | undefined;
}

/** All that one server gives: filled, read, restarted, and worked on. */
export async function calm(kind: Kind, dir: string, sizes: Sizes): Promise<CalmSample> {
  const flags = [`--quota-backend-bytes=${QUOTA_BYTES}`];
  let member = await startMember(kind, { dir, flags });
  await sleep(REST_MS);
  const empty = memoryMib(member.pid);
  const first = await figures(kind, member);
  const site = await Site.open(member);
  const oldRevision = await site.fill(sizes);
  say(kind, `filled; settles for ${sizes.settleMs / 1000} s`);
  await sleep(sizes.settleMs);
  const loaded = memoryMib(member.pid);
  const costs = await site.costs(oldRevision);
  say(kind, costs);
  resetPeak(member.pid);
  const listMs = await repeat(LISTS, () => site.list());
  const listsPeakMib = memoryMib(member.pid).peak;
  const streamMs = await repeat(STREAMS, () => site.stream());
  say(kind, { empty, loaded, listsPeakMib, listMs, streamMs });
  const idle = await site.idle();
  const works = new Map<Work, Puts[]>();
  for (let round = 0; round < sizes.rounds; round++) {
    for (const work of WORKS) {
      const puts = await site.under(work);
      works.set(work, [...(works.get(work) ?? []), puts]);
      say(kind, { work, idle, puts });
    }
  }
  const last = await figures(kind, member);
  site.close();
  await member.stop();
  const restartMs: number[] = [];
  for (let i = 0; i < RESTARTS; i++) {
    member = await startMember(kind, { dir, flags });
    restartMs.push(performance.now() - member.startedAt);
    await member.stop();
  }
  say(kind, { restartMs });
  const turns = first && last && spread(first.turns, last.turns);
  const pauses = first && last && spread(first.pauses, last.pauses);
  const read = { empty, loaded, listsPeakMib, costs, listMs, streamMs, restartMs };
  return { ...read, idle, works, turns, pauses };
}

function figures(kind: Kind, member: Member): Promise<LoopFigures> | undefined {
  return kind === "quord" ? loopFigures(member) : undefined;
}

/** One line of progress. */
export function say(kind: Kind, what: unknown): void {
  const text = typeof what === "string" ? what : JSON.stringify(what, rounded);
  console.log(`${new Date().toISOString().slice(11, 19)} ${kind.padEnd(6)} ${text}`);
}

const rounded = (_key: string, value: unknown) =>
  typeof value === "number" ? Math.round(value * 100) / 100 : value;

/** Calls `measure` again and again; milliseconds of each. */
async function repeat(times: number, measure: () => Promise<number>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await measure());
  return all;
}

type RangeFields = Init<MessageOf<typeof api.RangeRequest>>;

/** A server and a connection to it. */
class Site {
  readonly #member: Member;
  readonly #wire: Wire;

  private constructor(member: Member, wire: Wire) {
    this.#member = member;
    this.#wire = wire;
  }

  static async open(member: Member): Promise<Site> {
    return new Site(member, await Wire.connect(member.endpoint));
  }

  close(): void {
    this.#wire.close();
  }

  /** Returns the revision before the last writes: most of them change a key, some add one. */
  async fill({ keys, writes }: Sizes): Promise<number> {
    await fill(this.#wire, shuffled(keys));
    const revision = await this.#revision();
    const added = Math.floor(writes / 5);
    await fill(this.#wire, take(shuffled(keys), writes - added));
    await fill(this.#wire, from(keys, added));
    return revision;
  }

  async costs(revision: number): Promise<Costs> {
    return {
      count: await this.#cost({ countOnly: true }),
      page: await this.#cost({ limit: PAGE_KEYS }),
      oldCount: await this.#cost({ countOnly: true, revision }),
      oldPage: await this.#cost({ limit: PAGE_KEYS, revision }),
    };
  }

  /** Milliseconds from the request to the end of the reply. */
  list(): Promise<number> {
    return this.#receive(RANGE, rangeRequest());
  }

  stream(): Promise<number> {
    return this.#receive(RANGE_STREAM, rangeRequest());
  }

  async idle(): Promise<Puts> {
    return this.#measure(() => sleep(IDLE_MS));
  }

  /** Puts while the server does something larger. */
  under(work: Work): Promise<Puts> {
    return this.#measure(async () => {
      switch (work) {
        case "compact":
          return this.#compact();
        case "defragment":
          await this.#wire.unary(DEFRAGMENT, new Uint8Array(0));
          return;
        case "snapshot":
          await this.#receive(SNAPSHOT, new Uint8Array(0));
          return;
        case "list":
          await this.list();
      }
    });
  }

  async #measure(work: () => Promise<void>): Promise<Puts> {
    const putting = await this.#putting();
    await sleep(REST_MS);
    await work();
    await sleep(REST_MS);
    const { latenciesMs } = await putting.stop();
    return {
      p50Ms: quantile(latenciesMs, 0.5),
      p999Ms: quantile(latenciesMs, 0.999),
      slowestMs: Math.max(...latenciesMs),
    };
  }

  #putting(): Promise<Putting> {
    return startPuts({
      endpoint: this.#member.endpoint,
      prefix: "/calm/puts/",
      valueBytes: PUT_BYTES,
      keys: PUT_KEYS,
      perSecond: PUTS_PER_SECOND,
    });
  }

  async #compact(): Promise<void> {
    const revision = await this.#revision();
    const request = encodeMessage(api.CompactionRequest, { revision, physical: true });
    await this.#wire.unary(COMPACT, request);
  }

  async #revision(): Promise<number> {
    const reply = await this.#wire.unary(RANGE, rangeRequest({ countOnly: true }));
    return decodeMessage(api.RangeResponse, reply).header!.revision;
  }

  /** Repeats the request until it has cost so much that the kernel's ticks of 10 ms say something. */
  async #cost(fields: RangeFields): Promise<number> {
    const request = rangeRequest(fields);
    const before = cpuSeconds(this.#member.pid);
    let times = 0;
    let spent = 0;
    for (; spent < 1 && times < 1000; times++) {
      await this.#wire.unary(RANGE, request);
      spent = cpuSeconds(this.#member.pid) - before;
    }
    return (spent * 1000) / times;
  }

  async #receive(path: string, request: Uint8Array): Promise<number> {
    const beganAt = performance.now();
    const { ended } = this.#wire.stream(path, () => {}, { last: request });
    const { code, message } = await ended;
    if (code !== 0) throw new Error(`${path}: code ${code}: ${message}`);
    return performance.now() - beganAt;
  }
}

function* take(numbers: Iterable<number>, count: number): Generator<number> {
  for (const number of numbers) {
    if (count-- <= 0) return;
    yield number;
  }
}

function* from(first: number, count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield first + i;
}
