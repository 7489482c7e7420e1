/** For tests: a page file in memory that can lose pages, and a store that keeps everything. */
import { compareBytes, copyBytes, crc32c, Prng, textToBytes } from "../base/index.ts";
import { Db, PageMiss } from "../bolt/index.ts";
import { tombstoneKey, revisionKey } from "./revision.ts";
import { encodeKeyValue } from "./key-value.ts";
import type { RangeRequest } from "./range.ts";
import { Store } from "./store.ts";

const PAGE_BYTES = 4096;

/** Gives out what was committed. Each page is away at times: then it must be loaded first. */
export class TestFile {
  readonly #pages = new Map<number, Uint8Array>();
  readonly #away = new Set<number>();
  readonly #prng: Prng;
  readonly #missEvery: number;
  readonly #metas: Uint8Array[] = [];
  #sizeInPages = 0;
  #brief = new Uint8Array(PAGE_BYTES);
  db: Db;

  constructor(options: { prng: Prng; missEvery: number }) {
    this.#prng = options.prng;
    this.#missEvery = options.missEvery;
    this.db = Db.create({ pageSize: PAGE_BYTES, source: this });
  }

  read(id: number): Uint8Array | undefined {
    if (this.#missEvery > 0 && this.#prng.oneIn(this.#missEvery)) this.#away.add(id);
    return this.#away.has(id) ? undefined : this.#pages.get(id);
  }

  /** In the memory of the call before, so that who holds on to it sees something else. */
  readBriefly(id: number): Uint8Array | undefined {
    const page = this.read(id);
    if (page === undefined) return undefined;
    this.#brief.fill(0xa5);
    if (page.length > this.#brief.length) this.#brief = new Uint8Array(page.length);
    this.#brief.set(page);
    return this.#brief.subarray(0, page.length);
  }

  load(miss: PageMiss): void {
    this.#away.delete(miss.page);
  }

  /** Runs to its end; calls `between` at every yield. */
  run<T>(slices: Generator<unknown, T>, between?: (yielded: unknown) => void): T {
    for (;;) {
      const { done, value } = slices.next();
      if (done) return value as T;
      if (value instanceof PageMiss) this.load(value);
      between?.(value);
    }
  }

  /** Repeats what misses a page. */
  call<T>(operation: () => T): T {
    for (;;) {
      try {
        return operation();
      } catch (error) {
        if (!(error instanceof PageMiss)) throw error;
        this.load(error);
      }
    }
  }

  commit(): void {
    const commit = this.call(() => this.run(this.db.commit()));
    if (commit === undefined) return;
    for (const { page, bytes } of commit.pages) this.#pages.set(page, bytes);
    const { page, bytes } = commit.meta;
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      this.#metas[page + at / PAGE_BYTES] = copyBytes(bytes.subarray(at, at + PAGE_BYTES));
    }
    this.#sizeInPages = commit.sizeInPages;
    this.db.committed(commit.txid);
  }

  /** Opens what is committed, as after a restart. */
  reopen(): void {
    const fileSizeBytes = this.#sizeInPages * PAGE_BYTES;
    const [meta0, meta1] = this.#metas;
    this.db = Db.open({ source: this, meta0: meta0!, meta1: meta1!, fileSizeBytes });
    this.call(() => this.run(this.db.recoverFreePages()));
  }

  openStore(attach: (key: Uint8Array, lease: bigint) => void = () => {}): Store {
    const key = this.call(() => this.db.bucket("key", { fillPercent: 0.9 }));
    const meta = this.call(() => this.db.bucket("meta"));
    const store = new Store({ key, meta });
    this.run(store.restore(attach));
    return store;
  }
}

export interface ModelRecord {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  readonly isTombstone: boolean;
  readonly value: string;
  readonly lease: bigint;
  readonly createRevision: number;
  readonly version: number;
}

export type ModelPair = Omit<ModelRecord, "sub" | "isTombstone">;

/** The rules of the store over one list of records, with no thought of speed. */
export class ModelStore {
  records: ModelRecord[] = [];
  currentRevision = 1;
  compactedRevision = -1;

  at(revision: number, records = this.records): ModelRecord[] {
    const newest = new Map<string, ModelRecord>();
    for (const record of records) if (record.main <= revision) newest.set(record.key, record);
    return [...newest.values()]
      .filter((record) => !record.isTombstone)
      .toSorted((a, b) => compareText(a.key, b.key));
  }

  put(main: number, sub: number, key: string, value: string, lease: bigint): void {
    const last = this.at(main).find((record) => record.key === key);
    this.records.push({
      main,
      sub,
      key,
      isTombstone: false,
      value,
      lease,
      createRevision: last?.createRevision ?? main,
      version: (last?.version ?? 0) + 1,
    });
  }

  /** Returns the keys deleted. */
  delete(main: number, sub: number, key: string, rangeEnd: string): string[] {
    const keys = this.at(main)
      .map((record) => record.key)
      .filter((k) => isInRange(k, key, rangeEnd));
    for (const [i, k] of keys.entries()) {
      const nothing = { value: "", lease: 0n, createRevision: 0, version: 0 };
      this.records.push({ main, sub: sub + i, key: k, isTombstone: true, ...nothing });
    }
    return keys;
  }

  range(request: RangeRequest, current = this.currentRevision) {
    const asked = request.revision ?? 0;
    if (asked > current) return "futureRev";
    const revision = asked <= 0 ? current : asked;
    if (revision < this.compactedRevision) return "compacted";
    const key = text(request.key);
    const rangeEnd = text(request.rangeEnd ?? new Uint8Array());
    const all = this.at(revision).filter((record) => isInRange(record.key, key, rangeEnd));
    if (request.countOnly) return { pairs: [], more: false, count: all.length, revision: current };
    const { pairs, more } = arrange(all, request);
    return { pairs, more, count: request.withoutCount ? 0 : all.length, revision: current };
  }

  /** Records that compaction at `revision` keeps of the time up to then. */
  kept(revision: number, options: { tombstones: boolean }): ModelRecord[] {
    const newest = new Map<string, ModelRecord>();
    for (const record of this.records) if (record.main <= revision) newest.set(record.key, record);
    return [...newest.values()].filter(
      (r) => !r.isTombstone || (options.tombstones && r.main === revision),
    );
  }

  /** The compaction's own hash is over what it finds, with what it keeps. */
  compactionHash(revision: number, previousRevision: number): number {
    const kept = this.kept(revision, { tombstones: true });
    return this.#hash(revision, previousRevision, new Set(kept));
  }

  /** A key that died at the revision counts as dead, even if the same transaction put it again. */
  hash(revision: number): number {
    const died = this.records.filter(({ main, isTombstone }) => isTombstone && main === revision);
    const dead = new Set(died.map(({ key }) => key));
    const kept = this.kept(revision, { tombstones: false }).filter(({ key }) => !dead.has(key));
    return this.#hash(revision, this.compactedRevision, new Set(kept));
  }

  /** Removes what compaction at `revision` removes; returns how many records. */
  compact(revision: number): number {
    const kept = new Set(this.kept(revision, { tombstones: true }));
    const before = this.records.length;
    this.records = this.records.filter((record) => record.main > revision || kept.has(record));
    return before - this.records.length;
  }

  #hash(revision: number, compactRevision: number, kept: Set<ModelRecord>): number {
    let hash = crc32c(0, textToBytes("key"));
    for (const record of this.records) {
      if (record.main > revision) continue;
      if (record.main <= compactRevision && kept.size > 0 && !kept.has(record)) continue;
      if (record.main === compactRevision && record.isTombstone) continue;
      const key = record.isTombstone
        ? tombstoneKey(record.main, record.sub)
        : revisionKey(record.main, record.sub);
      hash = crc32c(crc32c(hash, key), encodeRecord(record));
    }
    return hash;
  }
}

export function encodeRecord(record: ModelRecord): Uint8Array {
  const { main, isTombstone } = record;
  return encodeKeyValue({
    ...record,
    key: textToBytes(record.key),
    modRevision: isTombstone ? 0 : main,
    value: textToBytes(record.value),
  });
}

const TARGETS = ["key", "version", "createRevision", "main", "value"] as const;

/** The steps in etcd's order: gather, bound, sort, cut, strip. */
function arrange(all: readonly ModelRecord[], request: RangeRequest) {
  const { limit = 0, sortOrder = 0, sortTarget = 0 } = request;
  const { minModRevision = 0, maxModRevision = 0 } = request;
  const { minCreateRevision = 0, maxCreateRevision = 0 } = request;
  const hasBounds = minModRevision + maxModRevision + minCreateRevision + maxCreateRevision > 0;
  const isDefault = sortOrder === 0 || (sortTarget === 0 && sortOrder === 1);
  const gathered = limit > 0 && isDefault && !hasBounds ? all.slice(0, limit + 1) : all;
  const bound = gathered.filter(
    (r) =>
      (maxModRevision === 0 || r.main <= maxModRevision) &&
      r.main >= minModRevision &&
      (maxCreateRevision === 0 || r.createRevision <= maxCreateRevision) &&
      r.createRevision >= minCreateRevision,
  );
  const field = TARGETS[sortTarget]!;
  const sign = sortOrder === 2 ? -1 : 1;
  const sorted = bound.toSorted((a, b) => sign * compareFields(a[field], b[field]));
  const more = limit > 0 && sorted.length > limit;
  const cut = more ? sorted.slice(0, limit) : sorted;
  const pairs: ModelPair[] = cut.map((record) => {
    const { key, main, createRevision, version } = record;
    const lease = request.keysOnly && sortTarget !== 4 ? 0n : record.lease;
    const value = request.keysOnly ? "" : record.value;
    return { key, main, createRevision, version, lease, value };
  });
  return { pairs, more };
}

function compareFields(a: string | number, b: string | number): number {
  return typeof a === "number" ? a - (b as number) : compareText(a, b as string);
}

function compareText(a: string, b: string): number {
  return compareBytes(textToBytes(a), textToBytes(b));
}

function isInRange(key: string, from: string, rangeEnd: string): boolean {
  if (rangeEnd === "") return key === from;
  return key >= from && (rangeEnd === "\0" || key < rangeEnd);
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
