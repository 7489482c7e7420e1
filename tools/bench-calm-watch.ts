/**
 * Many watchers: how long until all have all events, what the puts behind them feel meanwhile,
 * and what watchers do to each other when some do not read.
 */
import { api, decodeMessage, encodeMessage, Reader } from "../src/proto/index.ts";
import { quantile } from "../test/lib/figures.ts";
import { memoryMib, resetPeak } from "../test/lib/memory.ts";
import type { Member } from "../test/lib/processes.ts";
import { COMPACT, RANGE, rangeRequest, WATCH } from "./bench-calm-data.ts";
import { startPuts } from "./bench-calm-puts.ts";
import { type OpenCall, Wire } from "./bench-calm-wire.ts";

export const CONNECTIONS = 100;
export const WATCHERS_PER_CONNECTION = 100;
export const EVENTS = 1_000;
const VALUE_BYTES = 64;
/** Watchers of a connection that stops reading: more events than its buffers hold. */
const STALLED_WATCHERS = 50;
const PREFIX = "/calm-watch/";
/** How long all may take: beyond it the run has failed. */
const TIMEOUT_MS = 170_000;

/** What one run gave. */
export interface WatchSample {
  /** From the first put to the last event at the last watcher. */
  readonly totalMs: number;
  /** From the first put to the answer to the last one. */
  readonly putsMs: number;
  readonly putP50Ms: number;
  readonly putP99Ms: number;
  /** Highest memory of the server during the run over what it was before the watchers came. */
  readonly growthMib: number;
  /** WatchResponses that arrived, at all watchers together. */
  readonly responses: number;
}

/** One connection with a stream of many watchers, each of which counts what it got. */
class WatchingConnection {
  readonly #wire: Wire;
  readonly #call: OpenCall;
  readonly #seen: number[];
  readonly #last: number[];
  readonly #progress: () => void;
  #created = 0;
  /** Watchers that have everything. */
  complete = 0;
  responses = 0;
  /** Watchers that were told that what they want is compacted. */
  compacted = 0;

  private constructor(wire: Wire, watchers: number, progress: () => void) {
    this.#wire = wire;
    this.#progress = progress;
    this.#seen = Array.from({ length: watchers }, () => 0);
    this.#last = Array.from({ length: watchers }, () => 0);
    this.#call = wire.stream(WATCH, (message) => this.#receive(message));
  }

  static async open(
    endpoint: string,
    watchers: number,
    progress: () => void,
  ): Promise<WatchingConnection> {
    const connection = new WatchingConnection(await Wire.connect(endpoint), watchers, progress);
    const key = new TextEncoder().encode(PREFIX);
    const rangeEnd = new TextEncoder().encode(`${PREFIX.slice(0, -1)}0`);
    const create = encodeMessage(api.WatchRequest, { createRequest: { key, rangeEnd } });
    for (let i = 0; i < watchers; i++) connection.#call.send(create);
    while (connection.#created < watchers) await new Promise((turn) => setTimeout(turn, 2));
    return connection;
  }

  get watchers(): number {
    return this.#seen.length;
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  close(): void {
    this.#wire.close();
  }

  /** A WatchResponse: 2 watch_id, 3 created, 4 canceled, 11 events. */
  #receive(message: Uint8Array): void {
    const reader = new Reader(message);
    let watchId = 0;
    let created = false;
    this.responses++;
    while (reader.next()) {
      if (reader.tag === 16) watchId = reader.uint();
      else if (reader.tag === 24) created = reader.bool();
      else if (reader.tag === 32 && reader.bool()) this.compacted++;
      else if (reader.tag === 90) this.#event(watchId, reader.nested());
      else reader.skip();
    }
    if (created) this.#created++;
    this.#progress();
  }

  /** An Event: 2 kv. The revisions of a watcher's events must ascend, and none may be missing. */
  #event(watchId: number, event: Reader): void {
    while (event.next()) {
      if (event.tag !== 18) event.skip();
      else this.#count(watchId, modRevision(event.nested()));
    }
  }

  #count(watchId: number, revision: number): void {
    const last = this.#last[watchId]!;
    if (last !== 0 && revision !== last + 1) {
      throw new Error(`watcher ${watchId}: revision ${revision} after ${last}`);
    }
    this.#last[watchId] = revision;
    if (++this.#seen[watchId]! === EVENTS) this.complete++;
  }
}

/** A KeyValue: 3 mod_revision. */
function modRevision(pair: Reader): number {
  while (pair.next()) {
    if (pair.tag === 24) return pair.int();
    pair.skip();
  }
  throw new Error("an event without a revision");
}

/** Watchers, then events, on a server that holds whatever it holds. */
export async function manyWatchers(member: Member): Promise<WatchSample> {
  const before = memoryMib(member.pid).rss;
  resetPeak(member.pid);
  const crowd = await Crowd.gather(member.endpoint, CONNECTIONS, WATCHERS_PER_CONNECTION);
  const sample = await crowd.run(member);
  crowd.close();
  return { ...sample, growthMib: memoryMib(member.pid).peak - before };
}

/** What became of readers that stopped reading. */
export interface StalledSample {
  /** The others' time while 100 readers stood still. */
  readonly totalMs: number;
  readonly putP99Ms: number;
  readonly growthMib: number;
  /** Of the readers, once they read again: those that got all events, and those told of compaction. */
  readonly complete: number;
  readonly compacted: number;
}

/** The same while 100 readers stand still. Then the history is compacted, and they read again. */
export async function stalledReaders(member: Member): Promise<StalledSample> {
  const before = memoryMib(member.pid).rss;
  resetPeak(member.pid);
  const stalled = await Crowd.gather(member.endpoint, CONNECTIONS, STALLED_WATCHERS);
  stalled.pause();
  const crowd = await Crowd.gather(member.endpoint, CONNECTIONS, WATCHERS_PER_CONNECTION);
  const { totalMs, putP99Ms } = await crowd.run(member);
  crowd.close();
  const growthMib = memoryMib(member.pid).peak - before;
  const half = stalled.connections.slice(CONNECTIONS / 2);
  for (const connection of stalled.connections.slice(0, CONNECTIONS / 2)) connection.resume();
  await until(
    () => sum(stalled.connections, (c) => c.complete) >= (STALLED_WATCHERS / 2) * CONNECTIONS,
  );
  await compactAll(member.endpoint);
  for (const connection of half) connection.resume();
  await until(
    () => sum(half, (c) => c.complete + c.compacted) === (STALLED_WATCHERS / 2) * CONNECTIONS,
  );
  const complete = sum(stalled.connections, (c) => c.complete);
  const compacted = sum(stalled.connections, (c) => c.compacted);
  stalled.close();
  return { totalMs, putP99Ms, growthMib, complete, compacted };
}

class Crowd {
  readonly connections: readonly WatchingConnection[];
  #onComplete = () => {};

  private constructor(connections: readonly WatchingConnection[]) {
    this.connections = connections;
  }

  static async gather(endpoint: string, connections: number, watchers: number): Promise<Crowd> {
    const made: WatchingConnection[] = [];
    const crowd = new Crowd(made);
    for (let i = 0; i < connections; i++) {
      made.push(await WatchingConnection.open(endpoint, watchers, () => crowd.#check()));
    }
    return crowd;
  }

  #check(): void {
    if (this.connections.every((connection) => connection.complete === connection.watchers)) {
      this.#onComplete();
    }
  }

  async run(member: Member): Promise<Omit<WatchSample, "growthMib">> {
    const complete = new Promise<number>((resolve, reject) => {
      this.#onComplete = () => resolve(performance.now());
      setTimeout(() => reject(new Error("not all events arrived")), TIMEOUT_MS).unref();
    });
    const putting = await startPuts({
      endpoint: member.endpoint,
      prefix: PREFIX,
      valueBytes: VALUE_BYTES,
      keys: 100,
      count: EVENTS,
    });
    const beganAt = performance.now();
    const { latenciesMs } = await putting.done;
    const putsMs = performance.now() - beganAt;
    const totalMs = (await complete) - beganAt;
    return {
      totalMs,
      putsMs,
      putP50Ms: quantile(latenciesMs, 0.5),
      putP99Ms: quantile(latenciesMs, 0.99),
      responses: sum(this.connections, (connection) => connection.responses),
    };
  }

  pause(): void {
    for (const connection of this.connections) connection.pause();
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }
}

async function compactAll(endpoint: string): Promise<void> {
  const wire = await Wire.connect(endpoint);
  const reply = await wire.unary(RANGE, rangeRequest({ countOnly: true }));
  const { header } = decodeMessage(api.RangeResponse, reply);
  await wire.unary(COMPACT, encodeMessage(api.CompactionRequest, { revision: header!.revision }));
  wire.close();
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("readers did not get what they were owed");
    await new Promise((turn) => setTimeout(turn, 20));
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
