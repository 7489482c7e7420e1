import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../base/index.ts";
import { toEnd } from "../base/testing.ts";
import { type EventBatch, type Watcher, WatchHub, type WatchSink } from "../mvcc/index.ts";
import { api, decodeMessage } from "../proto/index.ts";
import { Bench } from "./testing.ts";

const EVERYTHING = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

/** Entries of all kinds, from the numbers `from` to `to`. */
function write(bench: Bench, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    if (i % 7 === 0) bench.grant(BigInt(i + 1));
    else if (i % 11 === 0) bench.deleteRange(`k${i - 1}`);
    else if (i % 29 === 0) bench.compact(bench.state.store.currentRevision - 3);
    else bench.put(`k${i % 50}`, i % 7 === 1 ? BigInt(i) : 0n);
    while (bench.state.store.compactionsPending > 0) toEnd(bench.state.store.runCompaction());
  }
}

/** As when a snapshot of the source is installed. */
function becomeCopy(bench: Bench, source: Bench): () => boolean {
  source.state.beforeCommit();
  const { appliedIndex: index, appliedTerm: term } = source.state;
  return bench.state.become(source.state, { index, term });
}

const summary = ({ state }: Bench) => ({
  index: state.appliedIndex,
  term: state.appliedTerm,
  hash: toEnd(state.store.hashKv(0)),
  compacted: state.store.compactedRevision,
  keys: state.store.keyCount,
  leases: toEnd(state.lessor.ids())
    .map((id) => ({ id, keys: [...state.lessor.get(id)!.keys].sort() }))
    .sort((a, b) => Number(a.id - b.id)),
  alarms: state.alarms.list(),
  corrupt: state.alarms.hasCorrupt,
  version: state.members.version,
});

test("a state that became another goes on as if it had applied everything itself", () => {
  const [all, late, source] = [new Bench(), new Bench(), new Bench()];
  for (const bench of [all, source]) {
    write(bench, 0, 300);
    bench.alarm(api.ALARM_ACTION.ACTIVATE, api.ALARM_TYPE.CORRUPT);
  }
  write(late, 0, 40);
  becomeCopy(late, source);
  assert.deepEqual(summary(late), summary(all));
  assert.equal(late.state.storedIndex, source.state.storedIndex);
  for (const bench of [all, late]) {
    bench.alarm(api.ALARM_ACTION.DEACTIVATE, api.ALARM_TYPE.CORRUPT);
    write(bench, 300, 400);
  }
  assert.deepEqual(summary(late), summary(all));
});

test("a primary that became another state lets no lease expire", () => {
  const [late, source] = [new Bench(), new Bench()];
  late.grant(1n);
  toEnd(late.state.lessor.promote(0, 0));
  write(source, 0, 30);
  becomeCopy(late, source);
  assert.ok(!late.state.lessor.isPrimary);
  assert.deepEqual(late.state.lessor.takeExpired(Number.MAX_SAFE_INTEGER, 100, 1), []);
});

test("a range that is under way ends in the old store", () => {
  const [late, source] = [new Bench(), new Bench()];
  for (let i = 0; i < 3000; i++) late.put(`old${i}`);
  for (let i = 0; i < 3100; i++) source.put(`new${i}`);
  const range = late.state.store.range(EVERYTHING);
  assert.ok(!range.next().done);
  const isRead = becomeCopy(late, source);
  assert.ok(isRead());
  const result = toEnd(range);
  assert.ok(typeof result !== "string");
  assert.equal(result.count, 3000);
  assert.ok(!isRead());
  const again = toEnd(late.state.store.range(EVERYTHING));
  assert.ok(typeof again !== "string");
  assert.equal(again.count, 3100);
});

/** The revisions that watches are told of, and where they were told that they are too late. */
class Revisions implements WatchSink {
  readonly told = new Map<bigint, (number | string)[]>();

  events(watcher: Watcher, _revision: number, batch: EventBatch): boolean {
    const { events } = decodeMessage(api.WatchResponse, concatBytes(batch.fields));
    for (const { kv } of events) this.#note(watcher, kv!.modRevision);
    return true;
  }

  compacted(watcher: Watcher, revision: number): boolean {
    this.#note(watcher, `compacted ${revision}`);
    return true;
  }

  progress(): boolean {
    return true;
  }

  #note({ id }: Watcher, what: number | string): void {
    this.told.set(id, [...(this.told.get(id) ?? []), what]);
  }
}

const watchAll = (startRevision: number) => ({
  key: Uint8Array.of(0),
  rangeEnd: Uint8Array.of(0),
  startRevision,
  watchId: 0n,
  prevKv: true,
  noPut: false,
  noDelete: false,
  progressNotify: false,
  fragment: false,
});

/** A member with watches, and one of which it becomes a copy that is `ahead` revisions further. */
function watched(ahead: number) {
  let hub: WatchHub | undefined;
  const [late, source] = [new Bench(0, (changes) => hub?.publish(changes)), new Bench()];
  for (let i = 0; i < 3000; i++) for (const bench of [late, source]) bench.put(`k${i % 100}`);
  for (let i = 0; i < ahead; i++) source.put(`k${i % 100}`);
  hub = new WatchHub(late.state.store, () => {});
  const sink = new Revisions();
  const install = () => {
    becomeCopy(late, source);
    hub.restored(late.state.store);
  };
  return { late, source, hub, sink, stream: hub.open(sink), install };
}

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test("watches are told of every revision once when the state becomes another", () => {
  const { late, hub, sink, stream, install } = watched(500);
  for (const start of [2, 0, 3400]) stream.create(watchAll(start));
  const before = late.state.store.currentRevision + 1;
  for (let i = 0; i < 5; i++) late.put("k");
  // In the midst of a sweep over the history.
  const sweeps = hub.catchUp();
  for (let i = 0; i < 3; i++) sweeps.next();
  install();
  late.put("after");
  toEnd(sweeps);
  toEnd(hub.catchUp());
  const end = late.state.store.currentRevision + 1;
  assert.deepEqual(sink.told.get(0n), upTo(2, end));
  assert.deepEqual(sink.told.get(1n), upTo(before, end));
  assert.deepEqual(sink.told.get(2n), upTo(3400, end));
});

test("watches that were behind what the new state has compacted are ended, and no others", () => {
  const { late, source, hub, sink, stream, install } = watched(500);
  source.compact(3200);
  toEnd(source.state.store.runCompaction());
  for (const start of [2, 0, 3400]) stream.create(watchAll(start));
  install();
  toEnd(hub.catchUp());
  const end = late.state.store.currentRevision + 1;
  assert.deepEqual(sink.told.get(0n), ["compacted 3200"]);
  assert.deepEqual(sink.told.get(1n), ["compacted 3200"]);
  assert.deepEqual(sink.told.get(2n), upTo(3400, end));
});
