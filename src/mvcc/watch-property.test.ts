import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareBytes, Prng, textToBytes } from "../base/index.ts";
import { PageMiss } from "../bolt/index.ts";
import type { api } from "../proto/index.ts";
import type { Store } from "./store.ts";
import { TestFile } from "./testing.ts";
import { WatchHub } from "./watch.ts";
import type { EventBatch } from "./watch-events.ts";
import type { Changes, HistoryScan } from "./watch-history.ts";
import type { WatchSink, WatchStream } from "./watch-stream.ts";
import {
  describe,
  eventsOf,
  firstWhere,
  NaiveStore,
  type Op,
  options,
  pairText,
  type Row,
} from "./watch-testing.ts";
import type { Watcher, WatchRequestOptions } from "./watcher.ts";

const KEYS = ["a", "b", "c", "d"];

/** What a watcher asked for and was told. */
interface Account {
  readonly watcher: Watcher;
  readonly spec: WatchRequestOptions;
  /** The first revision that it wants. */
  readonly from: number;
  /** Where in the history it is: everything before was told. */
  position: number;
  /** The last revision that it was told of. */
  last: number;
  ended: boolean;
}

/** Checks every response against the history at the moment it comes. */
class Auditor implements WatchSink {
  readonly #world: World;
  readonly accounts = new Map<Watcher, Account>();
  stream!: WatchStream;
  #lastRevision = 0;

  constructor(world: World) {
    this.#world = world;
  }

  create(spec: WatchRequestOptions): void {
    const { hub, store } = this.#world;
    const since = hub.revision;
    const watcher = this.stream.create(spec);
    if (typeof watcher === "string") return;
    const from = spec.startRevision === 0 ? since + 1 : spec.startRevision;
    const position = firstWhere(store.log, (row) => row.main >= from);
    this.accounts.set(watcher, { watcher, spec, from, position, last: 0, ended: false });
  }

  events(watcher: Watcher, revision: number, batch: EventBatch): boolean {
    const account = this.#accountOf(watcher);
    const events = eventsOf(batch);
    assert.ok(events.length > 0);
    account.last = events.at(-1)!.kv!.modRevision;
    assert.ok(revision >= account.last && revision <= this.#world.hub.revision);
    const due = this.#takeDue(account, account.last);
    assert.deepEqual(
      events.map((event) => describe({ ...event, prevKv: undefined })),
      due.map(rowText),
      "ordered, without gap or duplicate, and whole up to the last revision",
    );
    due.forEach((row, i) => this.#checkPrevious(account.spec, events[i]!, row));
    return this.#room(revision);
  }

  compacted(watcher: Watcher, compactedRevision: number): boolean {
    const account = this.#accountOf(watcher);
    account.ended = true;
    assert.equal(compactedRevision, this.#world.store.compactedRevision);
    assert.ok(account.last + 1 < compactedRevision);
    return this.#room(0);
  }

  progress(watcher: Watcher | undefined, revision: number): boolean {
    assert.ok(this.stream.hasRoom, "told something without room");
    const accounts = watcher === undefined ? this.accounts.values() : [this.#accountOf(watcher)];
    for (const account of accounts) {
      if (account.ended) continue;
      assert.ok(account.spec.startRevision <= revision);
      this.checkComplete(account, revision);
    }
    return this.#room(revision);
  }

  checkComplete(account: Account, revision: number): void {
    assert.deepEqual(this.#takeDue(account, revision), [], "everything was told");
  }

  /** The rows up to a revision that the watcher is still to be told of. */
  #takeDue(account: Account, revision: number): Row[] {
    const { log } = this.#world.store;
    const due: Row[] = [];
    for (; (log[account.position]?.main ?? Infinity) <= revision; account.position++) {
      const row = log[account.position]!;
      if (row.main >= account.from && isWanted(row, account.spec)) due.push(row);
    }
    return due;
  }

  #accountOf(watcher: Watcher): Account {
    assert.ok(this.stream.hasRoom, "told something without room");
    const account = this.accounts.get(watcher)!;
    assert.equal(account.ended, false, "told something after its end");
    return account;
  }

  #checkPrevious({ prevKv }: WatchRequestOptions, event: api.Event, { main, before }: Row): void {
    if (event.prevKv !== undefined) {
      assert.ok(prevKv && before !== undefined);
      assert.equal(pairText(event.prevKv), `${before.key}=${before.value}`);
    } else if (prevKv && before !== undefined) {
      assert.ok(main - 1 < this.#world.store.compactedRevision);
    }
  }

  #room(revision: number): boolean {
    assert.ok(revision === 0 || revision >= this.#lastRevision, "header revisions never go back");
    this.#lastRevision = Math.max(this.#lastRevision, revision);
    return this.#world.prng.below(4) > 0;
  }
}

function rowText({ main, key, pair }: Row): string {
  return pair === undefined ? `${main} delete ${key}` : `${main} put ${key}=${pair.value}`;
}

/** The real store, over a file that loses pages, beside the naive one that knows what is right. */
class RealStore extends NaiveStore {
  readonly #prng: Prng;
  readonly #file: TestFile;
  readonly #store: Store;

  constructor(prng: Prng) {
    super();
    this.#prng = prng;
    this.#file = new TestFile({ prng, missEvery: 4 });
    this.#store = this.#file.openStore();
  }

  override apply(...ops: Op[]): Changes | undefined {
    if (super.apply(...ops) === undefined) return undefined;
    const txn = this.#store.begin();
    for (const op of ops) {
      if ("put" in op) {
        const [key, value] = [textToBytes(op.put), textToBytes(op.value ?? "")];
        this.#file.call(() => txn.put(key, value, 0n));
      } else this.#file.run(txn.deleteRange(textToBytes(op.delete), textToBytes("")));
    }
    const { changes } = txn.end();
    if (this.#prng.oneIn(20)) this.#file.commit();
    return changes;
  }

  override compact(revision: number): void {
    super.compact(revision);
    this.#file.call(() => this.#store.compact(revision));
    this.#file.run(this.#store.runCompaction());
  }

  override scan(fromMain: number): HistoryScan {
    return this.#store.scan(fromMain);
  }

  override previousOf(key: Uint8Array, revision: number): Uint8Array | undefined {
    return this.#store.previousOf(key, revision);
  }

  override load(miss: PageMiss): void {
    this.#file.load(miss);
  }
}

interface WorldOptions {
  readonly steps: number;
  /** So many revisions follow each other at most: with many, the bounds of a sweep are met. */
  readonly burst: number;
  /** Whether a revision may be told late, with all that can happen before. */
  readonly isLate: boolean;
  /** Watchers that are told of a revision at once. */
  readonly toldAtOnceMax: number;
}

/** One random run. */
class World {
  readonly prng: Prng;
  readonly store: NaiveStore;
  readonly hub: WatchHub;
  readonly #options: WorldOptions;
  readonly streams: Auditor[] = [];
  readonly #untold: Changes[] = [];
  #work: Iterator<unknown, unknown> | undefined;
  #isAwake = false;

  constructor(prng: Prng, store: NaiveStore, options: WorldOptions) {
    this.prng = prng;
    this.store = store;
    this.#options = options;
    this.hub = new WatchHub(
      this.store,
      () => {
        assert.equal(this.#isAwake, false, "woken twice");
        this.#isAwake = true;
      },
      options.toldAtOnceMax,
    );
  }

  run(): void {
    for (let i = 0; i < this.#options.steps; i++) this.#step();
    this.#tell();
    for (const { stream } of this.streams) if (!stream.hasRoom) stream.drained();
    for (let rest = 0; this.#isAwake || this.#work !== undefined; rest++) {
      assert.ok(rest < 100_000, "the catch-up does not come to an end");
      this.#slice();
      for (const { stream } of this.streams) if (!stream.hasRoom) stream.drained();
    }
    for (const auditor of this.streams) this.#checkEnd(auditor);
  }

  #checkEnd(auditor: Auditor): void {
    for (const account of auditor.accounts.values()) {
      if (account.ended) continue;
      assert.equal(account.watcher.state, "synced");
      auditor.checkComplete(account, this.hub.revision);
    }
  }

  #step(): void {
    switch (this.prng.below(12)) {
      case 0:
        return this.#openStream();
      case 1:
      case 2:
        return this.#create();
      case 3:
        return this.#cancel();
      case 4:
        return this.#compact();
      case 5:
        return this.#pick()?.stream.requestProgress();
      case 6:
        return this.#pick()?.stream.noticeIdle();
      case 7:
        return this.#drain();
      case 8:
        return this.prng.oneIn(4) ? this.#restore() : this.#slice();
      case 9:
        return this.#slice();
      default:
        for (let i = this.prng.below(this.#options.burst); i >= 0; i--) this.#write();
    }
  }

  #openStream(): void {
    if (this.streams.length > 4) return;
    const auditor = new Auditor(this);
    auditor.stream = this.hub.open(auditor);
    this.streams.push(auditor);
  }

  #create(): void {
    const { prng } = this;
    const key = KEYS[prng.below(4)]!;
    const end = ["", "", "\0", "c", "d", "z"][prng.below(6)]!;
    const start = prng.oneIn(3) ? 0 : prng.below(this.hub.revision + 4);
    const [prevKv, noPut, noDelete] = [prng.oneIn(2), prng.oneIn(5), prng.oneIn(5)];
    const id = BigInt(prng.below(4));
    const spec = options({ key, end, start, id, prevKv, noPut, noDelete, progressNotify: true });
    this.#pick()?.create(spec);
  }

  #cancel(): void {
    const auditor = this.#pick();
    const id = BigInt(this.prng.below(4));
    if (auditor === undefined || !auditor.stream.cancel(id)) return;
    for (const account of auditor.accounts.values()) {
      if (account.watcher.id === id) account.ended = true;
    }
  }

  #compact(): void {
    const { currentRevision, compactedRevision } = this.store;
    const revision = compactedRevision + 1 + this.prng.below(6);
    if (revision <= currentRevision) this.store.compact(revision);
  }

  #drain(): void {
    const auditor = this.#pick();
    if (auditor !== undefined && !auditor.stream.hasRoom) auditor.stream.drained();
  }

  #write(): void {
    const changes = this.#applySome();
    if (changes !== undefined) this.#untold.push(changes);
    if (!this.#options.isLate || !this.prng.oneIn(4)) this.#tell();
  }

  #tell(): void {
    for (const changes of this.#untold.splice(0)) this.hub.publish(changes);
  }

  #restore(): void {
    this.#tell();
    this.#applySome();
    this.#applySome();
    this.hub.restored(this.store);
  }

  #applySome(): Changes | undefined {
    const ops = new Map<string, Op>();
    for (let i = this.prng.below(3); i >= 0; i--) {
      const key = KEYS[this.prng.below(4)]!;
      const value = `${this.prng.below(100)}`;
      ops.set(key, this.prng.oneIn(3) ? { delete: key } : { put: key, value });
    }
    return this.store.apply(...ops.values());
  }

  #slice(): void {
    if (this.#work === undefined) {
      if (!this.#isAwake) return;
      this.#work = this.hub.catchUp();
      this.#isAwake = false;
    }
    const { done, value } = this.#work.next();
    if (value instanceof PageMiss) this.store.load(value);
    if (done) this.#work = undefined;
  }

  #pick(): Auditor | undefined {
    return this.streams[this.prng.below(this.streams.length)];
  }
}

function isWanted({ pair, key }: Row, spec: WatchRequestOptions): boolean {
  if (pair === undefined ? spec.noDelete : spec.noPut) return false;
  return isInRange(textToBytes(key), spec);
}

function isInRange(key: Uint8Array, { key: from, rangeEnd }: WatchRequestOptions): boolean {
  if (rangeEnd.length === 0) return compareBytes(key, from) === 0;
  if (compareBytes(key, from) < 0) return false;
  return (rangeEnd.length === 1 && rangeEnd[0] === 0) || compareBytes(key, rangeEnd) < 0;
}

function runNaive(seed: number, options: WorldOptions): void {
  const prng = new Prng(seed);
  new World(prng, new NaiveStore(() => prng.oneIn(5)), options).run();
}

test("random watchers see exactly what happened: ordered, unique, whole, atomic, resumable", () => {
  const options = { steps: 150, burst: 1, isLate: true, toldAtOnceMax: 256 };
  fc.assert(
    fc.property(fc.nat(), (seed) => runNaive(seed, options)),
    { numRuns: 150 },
  );
});

test("the same where all or some are told in slices", () => {
  for (const [toldAtOnceMax, burst] of [
    [0, 3],
    [2, 3],
    [0, 1200],
  ] as const) {
    const options = { steps: burst > 1000 ? 60 : 150, burst, isLate: true, toldAtOnceMax };
    fc.assert(
      fc.property(fc.nat(), (seed) => runNaive(seed, options)),
      { numRuns: burst > 1000 ? 2 : 60 },
    );
  }
});

test("the same where history is longer than a sweep", () => {
  const options = { steps: 60, burst: 1500, isLate: true, toldAtOnceMax: 256 };
  fc.assert(
    fc.property(fc.nat(), (seed) => runNaive(seed, options)),
    { numRuns: 2 },
  );
});

test("the same over the real store", () => {
  const run = (seed: number, options: Pick<WorldOptions, "steps" | "burst">) => {
    const prng = new Prng(seed);
    const toldAtOnceMax = prng.below(4);
    new World(prng, new RealStore(prng), { ...options, isLate: false, toldAtOnceMax }).run();
  };
  fc.assert(
    fc.property(fc.nat(), (seed) => run(seed, { steps: 150, burst: 3 })),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(fc.nat(), (seed) => run(seed, { steps: 60, burst: 1000 })),
    { numRuns: 2 },
  );
});
