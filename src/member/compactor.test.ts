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
