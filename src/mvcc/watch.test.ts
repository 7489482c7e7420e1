import assert from "node:assert/strict";
import { test } from "node:test";
import { textToBytes } from "../base/index.ts";
import { WatchHub } from "./watch.ts";
import { WatcherIndex } from "./watch-index.ts";
import type { WatchRefusal, WatchStream } from "./watch-stream.ts";
import { NaiveStore, type Op, options, Recorder } from "./watch-testing.ts";
import type { Watcher } from "./watcher.ts";

/** A hub over a naive store, with one stream. */
class Scene {
  readonly store = new NaiveStore();
  readonly hub = new WatchHub(this.store, () => {
    this.isAwake = true;
  });
  readonly sink = new Recorder();
  readonly stream = this.hub.open(this.sink);
  isAwake = false;

  apply(...ops: Op[]): void {
    const changes = this.store.apply(...ops);
    if (changes !== undefined) this.hub.publish(changes);
  }

  watch(spec: Parameters<typeof options>[0], stream: WatchStream = this.stream): Watcher {
    const watcher = stream.create(options(spec));
    assert.ok(typeof watcher === "object");
    return watcher;
  }

  settle(): string[] {
    this.isAwake = false;
    for (const _ of this.hub.catchUp());
    return this.sink.take();
  }
}

test("a synced watcher gets each revision in one response, with that revision in the header", () => {
  const scene = new Scene();
  scene.watch({ key: "a", end: "c" });
  scene.apply({ put: "a", value: "1" });
  scene.apply({ put: "b", value: "2" }, { put: "c", value: "3" }, { delete: "a" });
  scene.apply({ put: "c", value: "4" });
  assert.deepEqual(scene.sink.take(), ["0 @2: 2 put a=1", "0 @3: 3 put b=2, 3 delete a"]);
});

test("the range of a watch: one key, a span, all keys from one on, or nothing", () => {
  const scene = new Scene();
  const cases: [key: string, end: string, hears: string][] = [
    ["b", "", "b"],
    ["a", "b", "a aa"],
    ["b", "\0", "b c"],
    ["\0", "\0", "a aa b c"],
    ["\0", "b", "a aa"],
  ];
  for (const [key, end] of cases) scene.watch({ key, end });
  for (const key of ["a", "aa", "b", "c"]) scene.apply({ put: key });
  const heard = cases.map(() => [] as string[]);
  for (const line of scene.sink.take()) {
    const [, id, key] = /^(\d+) .* put (\w+)=$/.exec(line)!;
    heard[Number(id)]!.push(key!);
  }
  assert.deepEqual(
    heard.map((keys) => keys.join(" ")),
    cases.map(([, , hears]) => hears),
  );
  assert.equal(scene.stream.create(options({ key: "b", end: "b" })), "empty range");
  assert.equal(scene.stream.create(options({ key: "b", end: "a" })), "empty range");
});

test("watch ids: given from 0 on past used ones, chosen freely, refused twice, free once cancelled (#14563)", () => {
  const { stream } = new Scene();
  const create = (id: bigint): bigint | WatchRefusal => {
    const made = stream.create(options({ key: "a", id }));
    return typeof made === "object" ? made.id : made;
  };
  assert.equal(create(1n), 1n);
  assert.equal(create(0n), 0n);
  assert.equal(create(0n), 2n);
  assert.equal(create(-1n), -1n);
  assert.equal(create(-1n), "duplicate id");
  assert.equal(create(2n ** 63n - 1n), 2n ** 63n - 1n);
  assert.equal(stream.cancel(0n), true);
  assert.equal(stream.cancel(0n), false, "the watch with id 0 is gone, and only that");
  assert.equal(create(1n), "duplicate id");
  assert.equal(stream.cancel(-1n), true);
  assert.equal(create(-1n), -1n);
});

test("a cancelled watch hears nothing more, synced or behind", () => {
  const scene = new Scene();
  scene.apply({ put: "a" });
  scene.watch({ key: "a", id: 1n });
  scene.watch({ key: "a", id: 2n, start: 1 });
  scene.stream.cancel(1n);
  scene.stream.cancel(2n);
  scene.apply({ put: "a" });
  assert.deepEqual(scene.settle(), []);
  const { watchers, slowWatchers } = scene.hub.counters;
  assert.deepEqual({ watchers, slowWatchers }, { watchers: 0, slowWatchers: 0 });
});

test("a watch from the past catches up in batches of 1000 revisions, headed by the current one", () => {
  const scene = new Scene();
  for (let i = 0; i < 2300; i++) scene.apply({ put: "a" });
  scene.watch({ key: "a", start: 1 });
  const sizes = scene.settle().map((line) => {
    assert.ok(line.startsWith("0 @2301: "));
    return line.split(", ").length;
  });
  assert.deepEqual(sizes, [1000, 1000, 300]);
  scene.apply({ put: "a", value: "now" });
  assert.deepEqual(scene.sink.take(), ["0 @2302: 2302 put a=now"]);
});

test("events that happen while a watcher catches up come after the old ones, once", () => {
  const scene = new Scene();
  for (let i = 0; i < 700; i++) scene.apply({ put: "a" });
  scene.watch({ key: "a", start: 650 });
  const work = scene.hub.catchUp();
  for (let slice = 0; !work.next().done; slice++) if (slice < 3) scene.apply({ put: "a" });
  scene.apply({ put: "a" });
  const revisions = scene.sink
    .take()
    .join()
    .match(/\d+(?= put)/g)!
    .map(Number);
  assert.deepEqual(
    revisions,
    Array.from({ length: revisions.length }, (_, i) => 650 + i),
  );
  assert.equal(revisions.at(-1), scene.store.currentRevision);
});

test("filters drop puts or deletes; a revision of which nothing is left is not sent", () => {
  const scene = new Scene();
  scene.watch({ key: "a", end: "z", noPut: true, id: 1n });
  scene.watch({ key: "a", end: "z", noDelete: true, id: 2n });
  scene.watch({ key: "a", end: "z", noPut: true, noDelete: true, id: 3n });
  scene.apply({ put: "a" }, { put: "b" });
  scene.apply({ delete: "a" }, { put: "b" });
  const told = ["2 @2: 2 put a=, 2 put b=", "1 @3: 3 delete a", "2 @3: 3 put b="];
  assert.deepEqual(scene.sink.take(), told);
  scene.watch({ key: "a", end: "z", noPut: true, id: 4n, start: 1 });
  assert.deepEqual(scene.settle(), ["4 @3: 3 delete a"]);
});

test("the previous pair comes with every change but a creating put, unless compacted", () => {
  const scene = new Scene();
  const before = (id: bigint, start: number) => scene.watch({ key: "a", prevKv: true, id, start });
  before(1n, 0);
  scene.apply({ put: "a", value: "1" });
  scene.apply({ put: "a", value: "2" });
  scene.apply({ delete: "a" });
  scene.apply({ put: "a", value: "3" });
  const told = ["2 put a=1", "3 put a=2 (a=1)", "4 delete a (a=2)", "5 put a=3"];
  assert.deepEqual(
    scene.sink.take(),
    told.map((event, i) => `1 @${i + 2}: ${event}`),
  );
  before(2n, 1);
  assert.deepEqual(scene.settle(), [`2 @5: ${told.join(", ")}`]);
  scene.store.compact(4);
  before(3n, 4);
  assert.deepEqual(scene.settle(), ["3 @5: 4 delete a, 5 put a=3"]);
});

test("a watch in the future hears nothing before its revision, also over a restore (#20221)", () => {
  const scene = new Scene();
  scene.watch({ key: "a", start: 4, progressNotify: true });
  scene.apply({ put: "a" });
  scene.store.apply({ put: "a" });
  scene.hub.restored(scene.store);
  assert.equal(scene.isAwake, false, "it has nothing to catch up with");
  scene.stream.requestProgress();
  scene.stream.noticeIdle();
  assert.deepEqual(scene.settle(), []);
  scene.apply({ put: "a" });
  assert.deepEqual(scene.sink.take(), ["0 @4: 4 put a="]);
});

test("a restore from a snapshot resumes each watcher where it was (#15271)", () => {
  const scene = new Scene();
  scene.watch({ key: "a" });
  scene.watch({ key: "b", id: 1n });
  scene.apply({ put: "a", value: "1" });
  scene.store.apply({ put: "a", value: "2" });
  scene.store.apply({ put: "b", value: "3" });
  scene.hub.restored(scene.store);
  assert.ok(scene.isAwake);
  const told = ["0 @2: 2 put a=1", "0 @4: 3 put a=2", "1 @4: 4 put b=3"];
  assert.deepEqual(scene.settle(), told);
  scene.apply({ put: "a", value: "4" });
  assert.deepEqual(scene.sink.take(), ["0 @5: 5 put a=4"]);
});

test("a watch of compacted history is cancelled with the compacted revision, and only that watch", () => {
  const scene = new Scene();
  for (let i = 0; i < 5; i++) scene.apply({ put: "a", value: `${i}` });
  scene.store.compact(4);
  scene.watch({ key: "a", start: 3, id: 3n });
  scene.watch({ key: "a", start: 4, id: 4n });
  assert.deepEqual(scene.settle(), ["3 compacted 4", "4 @6: 4 put a=2, 5 put a=3, 6 put a=4"]);
  // The id stays taken until the client has cancelled it, too.
  assert.equal(scene.stream.cancel(3n), true);
});

test("the id of a watch that a compaction ended is taken until the client cancels it, once", () => {
  const scene = new Scene();
  for (let i = 0; i < 5; i++) scene.apply({ put: "a" });
  scene.store.compact(4);
  scene.watch({ key: "a", start: 3, id: 3n });
  scene.settle();
  assert.equal(scene.stream.create(options({ key: "a", id: 3n })), "duplicate id");
  assert.equal(scene.stream.cancel(3n), true);
  assert.equal(scene.stream.cancel(3n), false);
  assert.equal(scene.watch({ key: "a", id: 3n }).id, 3n);
});

test("a delete at the compacted revision is still told (#18089)", () => {
  const scene = new Scene();
  scene.apply({ put: "a" });
  scene.apply({ delete: "a" });
  scene.store.compact(3);
  scene.watch({ key: "a", start: 3 });
  assert.deepEqual(scene.settle(), ["0 @3: 3 delete a"]);
});

test("a client that does not read keeps nothing but its position, and goes on where it stopped", () => {
  const scene = new Scene();
  const other = new Recorder();
  scene.watch({ key: "a" }, scene.hub.open(other));
  scene.watch({ key: "a" });
  scene.sink.room = 2;
  for (let i = 2; i <= 6; i++) scene.apply({ put: "a", value: `${i}` });
  assert.equal(other.lines.length, 5, "others are not held up");
  assert.equal(scene.hub.counters.slowWatchers, 1);
  assert.deepEqual(scene.settle(), ["0 @2: 2 put a=2", "0 @3: 3 put a=3"]);
  scene.sink.room = 9;
  scene.stream.drained();
  assert.deepEqual(scene.settle(), ["0 @6: 4 put a=4, 5 put a=5, 6 put a=6"]);
  scene.apply({ put: "a", value: "7" });
  assert.deepEqual(scene.sink.take(), ["0 @7: 7 put a=7"]);
});

test("history compacted under a client that does not read ends its watch, without a gap (#17529, #17612)", () => {
  const scene = new Scene();
  scene.watch({ key: "a" });
  scene.sink.room = 1;
  for (let i = 2; i <= 6; i++) scene.apply({ put: "a", value: `${i}` });
  scene.store.compact(5);
  assert.deepEqual(scene.settle(), ["0 @2: 2 put a=2"]);
  scene.sink.room = 9;
  scene.stream.drained();
  assert.deepEqual(scene.settle(), ["0 compacted 5"]);
  assert.equal(scene.hub.counters.watchers, 0);
});

test("progress is told only of a stream whose watchers are all up to date (#15220)", () => {
  const scene = new Scene();
  scene.stream.requestProgress();
  assert.deepEqual(scene.sink.take(), [], "no watcher, no answer");
  scene.apply({ put: "a" });
  scene.watch({ key: "a" });
  scene.stream.requestProgress();
  assert.deepEqual(scene.sink.take(), ["all progress 2"]);
  scene.watch({ key: "b", start: 1, id: 9n });
  scene.stream.requestProgress();
  assert.deepEqual(scene.sink.take(), [], "one is behind");
  scene.settle();
  scene.stream.requestProgress();
  assert.deepEqual(scene.sink.take(), ["all progress 2"]);
  scene.sink.room = 1;
  scene.apply({ put: "a" });
  scene.stream.requestProgress();
  assert.deepEqual(scene.sink.take(), ["0 @3: 3 put a="], "there is no room");
  scene.apply({ put: "a" });
  scene.stream.requestProgress();
  assert.deepEqual(scene.sink.take(), [], "events are waiting for room");
});

test("a watcher without events gets periodic notices, from the first on (#17566)", () => {
  const scene = new Scene();
  scene.watch({ key: "silent", progressNotify: true });
  scene.watch({ key: "a", progressNotify: true, id: 1n });
  scene.watch({ key: "b", id: 2n });
  scene.apply({ put: "a" });
  scene.sink.take();
  scene.stream.noticeIdle();
  assert.deepEqual(scene.sink.take(), ["0 progress 2"]);
  scene.stream.noticeIdle();
  assert.deepEqual(scene.sink.take(), ["0 progress 2", "1 progress 2"]);
});

test("a long catch-up does not hold up one that needs little", () => {
  const scene = new Scene();
  for (let i = 0; i < 25_000; i++) scene.apply({ put: "a" });
  scene.watch({ key: "none", start: 1 });
  scene.watch({ key: "a", start: 25_000, id: 1n });
  let slices = 0;
  for (const _ of scene.hub.catchUp()) {
    if (scene.sink.lines.length > 0) break;
    slices++;
  }
  assert.ok(slices < 30, `${slices} slices`);
});

test("what is not published yet is left alone by the catch-up", () => {
  const scene = new Scene();
  scene.apply({ put: "a" });
  const untold = Array.from({ length: 1500 }, () => scene.store.apply({ put: "a" })!);
  scene.watch({ key: "a", start: 1 });
  assert.deepEqual(scene.settle(), ["0 @2: 2 put a="]);
  scene.hub.publish(untold[0]!);
  assert.deepEqual(scene.sink.take(), ["0 @3: 3 put a="]);
});

test("a watcher that catches up in several batches has each record read about once", () => {
  const scene = new Scene();
  for (let i = 0; i < 20_000; i++) scene.apply({ put: "a" });
  scene.watch({ key: "a", start: 1 });
  assert.equal(scene.settle().length, 20);
  assert.ok(scene.store.reads < 20_100, `${scene.store.reads} reads`);
});

test("past pairs are looked up only while someone wants them", () => {
  const scene = new Scene();
  scene.watch({ key: "a" });
  scene.watch({ key: "a", id: 1n, prevKv: true });
  scene.apply({ put: "a" });
  scene.apply({ put: "a" });
  assert.equal(scene.store.lookups, 1);
  scene.stream.cancel(1n);
  scene.apply({ put: "a" });
  assert.equal(scene.store.lookups, 1);
});

test("an index whose watchers are gone finds nothing", () => {
  const scene = new Scene();
  const watchers = [scene.watch({ key: "a" }), scene.watch({ key: "a", end: "b" })];
  const index = new WatcherIndex();
  for (const watcher of watchers) index.add(watcher);
  assert.equal(index.match(textToBytes("a")).length, 2);
  for (const watcher of watchers) index.remove(watcher);
  assert.equal(index.match(textToBytes("a")).length, 0);
  assert.deepEqual(index.audiences(), []);
});

test("a revision with very many changes is told whole, in one response", () => {
  const scene = new Scene();
  scene.watch({ key: "k", end: "\0" });
  scene.watch({ key: "other", id: 1n });
  scene.apply(...Array.from({ length: 12_000 }, (_, i) => ({ put: `k${i}` })));
  const lines = scene.settle();
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.split(", ").length, 12_000);
  assert.equal(scene.hub.counters.slowWatchers, 0);
});

test("closing a stream ends all its watches", () => {
  const scene = new Scene();
  scene.apply({ put: "a" });
  scene.watch({ key: "a" });
  scene.watch({ key: "a", end: "b", start: 1, id: 1n });
  scene.stream.close();
  scene.apply({ put: "a" });
  assert.deepEqual(scene.settle(), []);
  const { streams, watchers, slowWatchers } = scene.hub.counters;
  assert.deepEqual([streams, watchers, slowWatchers], [0, 0, 0]);
});

test("where very many watch the same, they are told in slices, and then of all there is", () => {
  const scene = new Scene();
  for (let i = 1; i <= 600; i++) scene.watch({ key: "a", id: BigInt(i) });
  scene.apply({ put: "a", value: "1" });
  assert.deepEqual(scene.sink.take(), []);
  scene.apply({ put: "a", value: "2" });
  scene.stream.cancel(600n);
  assert.equal(scene.settle().length, 599);
  assert.equal(scene.hub.counters.events, 2 * 599);
});

test("who asks for progress is first told what waits", () => {
  const scene = new Scene();
  for (let i = 1; i <= 600; i++) scene.watch({ key: "a", id: BigInt(i) });
  scene.apply({ put: "a" });
  scene.stream.requestProgress();
  assert.equal(scene.sink.take().length, 601);
  assert.deepEqual(scene.settle(), []);
});
