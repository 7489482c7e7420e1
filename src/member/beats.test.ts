import assert from "node:assert/strict";
import { test } from "node:test";
import { Beats, type BeatsOptions } from "./beats.ts";

/** Timers that fire when the test says so. */
class Timers {
  readonly sleeping = new Map<number, () => void>();
  isStopped = false;
  readonly beats = new Beats({
    time: { sleep: (ms: number) => new Promise<void>((wake) => this.sleeping.set(ms, wake)) },
    isStopped: () => this.isStopped,
    spawn: () => {},
  } as unknown as BeatsOptions);

  async fire(ms: number): Promise<void> {
    this.sleeping.get(ms)!();
    this.sleeping.delete(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("work of the same interval shares a timer and is done in order, again and again", async () => {
  const timers = new Timers();
  const done: string[] = [];
  timers.beats.every(100, () => done.push("a"));
  timers.beats.every(500, () => done.push("long"));
  timers.beats.every(100, () => done.push("b"));
  assert.deepEqual([...timers.sleeping.keys()], [100, 500]);
  await timers.fire(100);
  await timers.fire(100);
  await timers.fire(500);
  assert.equal(done.join(" "), "a b a b long");
});

test("a stop ends all of it, also between two pieces of work", async () => {
  const timers = new Timers();
  const done: string[] = [];
  timers.beats.every(100, () => {
    done.push("a");
    timers.isStopped = true;
  });
  timers.beats.every(100, () => done.push("b"));
  await timers.fire(100);
  assert.deepEqual([done.join(), timers.sleeping.size], ["a", 0]);
});
