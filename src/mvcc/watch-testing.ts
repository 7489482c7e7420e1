/** For tests of watches: a store that keeps everything, and ways to say what a watcher was told. */
import assert from "node:assert/strict";
import { bytesToText, concatBytes, textToBytes } from "../base/index.ts";
import { PageMiss } from "../bolt/index.ts";
import { api, decodeMessage, encodeMessage } from "../proto/index.ts";
import type { EventBatch } from "./watch-events.ts";
import type { Changes, History, HistoryScan } from "./watch-history.ts";
import type { WatchSink } from "./watch-stream.ts";
import type { Watcher, WatchRequestOptions } from "./watcher.ts";

export interface Pair {
  key: string;
  value: string;
  create: number;
  version: number;
}

export interface Row {
  main: number;
  /** Its place among all rows. */
  order: number;
  key: string;
  /** Undefined for a delete. */
  pair: Pair | undefined;
  /** What stood there before. */
  before: Pair | undefined;
}

export type Op = { put: string; value?: string } | { delete: string };

function encodeRow({ key, main, pair }: Row): Uint8Array {
  if (pair === undefined) return encodeMessage(api.KeyValue, { key: textToBytes(key) });
  return encodeMessage(api.KeyValue, {
    key: textToBytes(key),
    value: textToBytes(pair.value),
    createRevision: pair.create,
    modRevision: main,
    version: pair.version,
  });
}

/** A store that keeps everything in one list, and forgets pages at random. */
export class NaiveStore implements History {
  /** What happened, never compacted. */
  readonly log: Row[] = [];
  /** What is left of it. */
  #rows: Row[] = [];
  #live = new Map<string, Pair>();
  currentRevision = 1;
  compactedRevision = -1;
  /** Records read, and past pairs looked up. */
  reads = 0;
  lookups = 0;
  /** Says whether the page wanted now is away. */
  readonly #misses: () => boolean;
  #present = false;

  constructor(misses: () => boolean = () => false) {
    this.#misses = misses;
  }

  /** Applies the operations as one revision; undefined when nothing changes. */
  apply(...ops: Op[]): Changes | undefined {
    const main = this.currentRevision + 1;
    const rows: Row[] = [];
    for (const op of ops) {
      const key = "put" in op ? op.put : op.delete;
      const before = this.#live.get(key);
      const pair = "put" in op ? this.#put(key, op.value ?? "", main) : undefined;
      const order = this.log.length + rows.length;
      if (pair !== undefined || this.#live.delete(key))
        rows.push({ main, order, key, pair, before });
    }
    if (rows.length === 0) return undefined;
    this.currentRevision = main;
    this.log.push(...rows);
    this.#rows.push(...rows);
    return changesOf(main, rows);
  }

  #put(key: string, value: string, main: number): Pair {
    const before = this.#live.get(key);
    const pair = {
      key,
      value,
      create: before?.create ?? main,
      version: (before?.version ?? 0) + 1,
    };
    this.#live.set(key, pair);
    return pair;
  }

  compact(revision: number): void {
    this.compactedRevision = revision;
    const newest = new Map<string, Row>();
    for (const row of this.#rows) if (row.main <= revision) newest.set(row.key, row);
    this.#rows = this.#rows.filter((row) => {
      if (row.main > revision) return true;
      // A delete is kept at the compacted revision itself, and only there.
      return newest.get(row.key) === row && (row.pair !== undefined || row.main === revision);
    });
  }

  scan(fromMain: number): HistoryScan {
    return new NaiveScan(fromMain, () => {
      this.#touch();
      this.reads++;
      return this.#rows;
    });
  }

  previousOf(key: Uint8Array, revision: number): Uint8Array | undefined {
    this.#touch();
    this.lookups++;
    if (revision - 1 < this.compactedRevision) return undefined;
    const name = bytesToText(key);
    const row = this.#rows.findLast((row) => row.key === name && row.main < revision);
    return row?.pair === undefined ? undefined : encodeRow(row);
  }

  /** Brings a page back; here the page that was missed is back anyway. */
  load(_miss: PageMiss): void {}

  /** Throws a PageMiss, but never twice for the same read. */
  #touch(): void {
    if (!this.#present && this.#misses()) {
      this.#present = true;
      throw new PageMiss(7);
    }
    this.#present = false;
  }
}

class NaiveScan implements HistoryScan {
  readonly #from: number;
  readonly #rows: () => readonly Row[];
  #row: Row | undefined;

  constructor(from: number, rows: () => readonly Row[]) {
    this.#from = from;
    this.#rows = rows;
  }

  next(): boolean {
    const rows = this.#rows();
    const order = this.#row?.order ?? -1;
    const at = firstWhere(rows, (row) => row.main >= this.#from && row.order > order);
    this.#row = rows[at] ?? this.#row;
    return at < rows.length;
  }

  get main(): number {
    return this.#row!.main;
  }

  get tombstone(): boolean {
    return this.#row!.pair === undefined;
  }

  get isCreate(): boolean {
    return this.#row!.pair?.version === 1;
  }

  get key(): Uint8Array {
    return textToBytes(this.#row!.key);
  }

  get keyValue(): Uint8Array {
    return encodeRow(this.#row!);
  }
}

/** The first index for which `isReached` holds, which it does from there on. */
export function firstWhere<T>(items: readonly T[], isReached: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function changesOf(revision: number, rows: readonly Row[]): Changes {
  return {
    revision,
    length: rows.length,
    key: (i) => textToBytes(rows[i]!.key),
    keyValue: (i) => encodeRow(rows[i]!),
    isDelete: (i) => rows[i]!.pair === undefined,
    isCreate: (i) => rows[i]!.pair?.version === 1,
  };
}

/** What a watcher was sent, as text: `3 put a=x`, `4 delete a (a=x)`. */
export function describe(event: api.Event): string {
  const { kv, prevKv } = event;
  const key = bytesToText(kv!.key);
  const what = event.type === api.EVENT_TYPE.DELETE ? `delete ${key}` : `put ${pairText(kv!)}`;
  return `${kv!.modRevision} ${what}${prevKv === undefined ? "" : ` (${pairText(prevKv)})`}`;
}

export function pairText(kv: api.KeyValue): string {
  return `${bytesToText(kv.key)}=${bytesToText(kv.value)}`;
}

export function eventsOf(batch: EventBatch): api.Event[] {
  assert.equal(batch.byteLength, concatBytes(batch.fields).length);
  return decodeMessage(api.WatchResponse, concatBytes(batch.fields)).events;
}

/** A stream that writes down what it is told, one line a response, and has room while `room`. */
export class Recorder implements WatchSink {
  readonly lines: string[] = [];
  room = Number.POSITIVE_INFINITY;

  events(watcher: Watcher, revision: number, batch: EventBatch): boolean {
    return this.#line(`${watcher.id} @${revision}: ${eventsOf(batch).map(describe).join(", ")}`);
  }

  compacted(watcher: Watcher, compactedRevision: number): boolean {
    return this.#line(`${watcher.id} compacted ${compactedRevision}`);
  }

  progress(watcher: Watcher | undefined, revision: number): boolean {
    return this.#line(`${watcher?.id ?? "all"} progress ${revision}`);
  }

  take(): string[] {
    return this.lines.splice(0);
  }

  #line(text: string): boolean {
    assert.ok(this.room > 0, "told something without room");
    this.lines.push(text);
    return --this.room > 0;
  }
}

export function options(spec: {
  key?: string;
  end?: string;
  start?: number;
  id?: bigint;
  prevKv?: boolean;
  noPut?: boolean;
  noDelete?: boolean;
  progressNotify?: boolean;
}): WatchRequestOptions {
  return {
    key: textToBytes(spec.key ?? ""),
    rangeEnd: textToBytes(spec.end ?? ""),
    startRevision: spec.start ?? 0,
    watchId: spec.id ?? 0n,
    prevKv: spec.prevKv ?? false,
    noPut: spec.noPut ?? false,
    noDelete: spec.noDelete ?? false,
    progressNotify: spec.progressNotify ?? false,
    fragment: false,
  };
}
