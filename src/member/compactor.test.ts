import assert from "node:assert/strict";
import { test } from "node:test";
import { textToBytes } from "../base/index.ts";
import { Db } from "../bolt/index.ts";
import { Store } from "../mvcc/index.ts";
import { Compactor } from "./compactor.ts";
import { Meters } from "./meters.ts";
import type { PageFilePort, TimePort } from "./ports.ts";
import { Slicer } from "./slices.ts";

const KEYS = 30_000;
const FEW_KEYS = 8000;

/** Time in which every turn is spent, and which goes on when somebody sleeps. */
class Turns implements TimePort {
  #now = 0;
  passed = 0;

  now(): number {
    return this.#now;
  }

  turnIsSpent(): boolean {
    return true;
  }

  async nextTurn(): Promise<void> {
    this.passed++;
  }

  soon(work: () => void): void {
    work();
  }

  async sleep(ms: number): Promise<void> {
    this.#now += ms;
  }
}

function newStore(): Store {
  const db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  return new Store({ key: db.bucket("key"), meta: db.bucket("meta") });
}

function newCompactor(store: Store, time: TimePort, wake = () => {}): Compactor {
  return new Compactor({
    store,
    slicer: Slicer.alone({ time, pageFile: {} as PageFilePort }),
    time,
    pauseMs: 10,
    meters: new Meters(),
    wake,
  });
}

function put(store: Store, key: string): void {
  const txn = store.begin();
  txn.put(textToBytes(key), textToBytes("value"), 0n);
  txn.end();
}

test("whoever writes has a turn after each slice of a compaction, not only after each batch", async () => {
  const store = newStore();
  for (let i = 0; i < KEYS; i++) put(store, `key ${i}`);
  const time = new Turns();
  const compactor = newCompactor(store, time);
  assert.equal(store.compact(KEYS), undefined);
  for (let steps = 1; store.compactionsPending > 0; steps++) {
    await compactor.step(() => {});
    assert.ok(time.passed <= steps, "a step has one turn");
    put(store, `key ${steps}`);
  }
  await compactor.finished(KEYS);
  assert.equal(store.keyCount, KEYS);
});

/** A timer that comes a little before its time, as those of an event loop may. */
class EarlyTimers extends Turns {
  override async sleep(ms: number): Promise<void> {
    await super.sleep(ms - 0.5);
  }
}

test("a compaction goes on by itself after each rest, though nobody writes", async () => {
  const store = newStore();
  for (let i = 0; i < KEYS; i++) put(store, `key ${i}`);
  const time = new EarlyTimers();
  let wake = () => {};
  const woken = () => new Promise<void>((resolve) => (wake = resolve));
  const compactor = newCompactor(store, time, () => wake());
  assert.equal(store.compact(KEYS), undefined);
  while (store.compactionsPending > 0) {
    const next = woken();
    while (compactor.isDue) await compactor.step(() => {});
    if (store.compactionsPending > 0) await next;
    assert.ok(compactor.isDue || store.compactionsPending === 0, "who is woken has work");
  }
  await compactor.finished(KEYS);
});

/** How long the rests of a compaction are together, with writes in between or without. */
async function restOf(options: { busy: boolean; awaited: boolean }): Promise<number> {
  const store = newStore();
  for (let i = 0; i < FEW_KEYS; i++) put(store, `key ${i}`);
  const time = new Turns();
  const compactor = newCompactor(store, time);
  assert.equal(store.compact(FEW_KEYS), undefined);
  if (options.awaited) void compactor.finished(FEW_KEYS);
  for (let steps = 1; store.compactionsPending > 0; steps++) {
    if (options.busy) put(store, `key ${steps}`);
    if (compactor.isDue) await compactor.step(() => {});
    else await Promise.resolve();
  }
  return time.now();
}

test("a compaction takes its time while others write, unless somebody waits for it", async () => {
  const quick = await restOf({ busy: false, awaited: false });
  assert.ok(quick > 0);
  assert.equal(await restOf({ busy: true, awaited: true }), quick);
  const calm = await restOf({ busy: true, awaited: false });
  assert.ok(calm > 4 * quick && calm <= 10 * quick, `${calm} ms, ${quick} ms when nobody writes`);
});

test("a compaction that goes on for long takes no more time than it must", async () => {
  const store = newStore();
  for (let i = 0; i < FEW_KEYS; i++) put(store, `key ${i}`);
  const time = new Turns();
  const compactor = newCompactor(store, time);
  assert.equal(store.compact(FEW_KEYS), undefined);
  await compactor.step(() => {});
  await time.sleep(600_000);
  const rests = new Set<number>();
  for (let steps = 1; store.compactionsPending > 0; steps++) {
    put(store, `key ${steps}`);
    const before = time.now();
    if (compactor.isDue) await compactor.step(() => {});
    else await Promise.resolve();
    rests.add(time.now() - before);
  }
  assert.deepEqual(rests, new Set([0, 10]));
});
