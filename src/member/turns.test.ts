import assert from "node:assert/strict";
import { test } from "node:test";
import type { TimePort } from "./ports.ts";
import { SharedTurns } from "./turns.ts";

/** Turns that pass when the test says so. */
class Turns {
  #next: (() => void)[] = [];
  readonly shared = new SharedTurns({
    nextTurn: () => new Promise<void>((resume) => this.#next.push(resume)),
  } as unknown as TimePort);
  readonly log: string[] = [];

  /** Work of so many turns. */
  work(name: string, turns: number): void {
    const run = async () => {
      const job = this.shared.begin();
      for (let left = turns; left > 0; left--) {
        await job.next();
        this.log.push(name);
      }
      job.end();
    };
    void run();
  }

  async pass(turns: number): Promise<void> {
    for (let i = 0; i < turns; i++) {
      const next = this.#next;
      this.#next = [];
      assert.ok(next.length <= 1, "one piece of work in each turn");
      for (const resume of next) resume();
      await new Promise(setImmediate);
    }
  }
}

test("every turn is one piece of work's, and short ones take turns", async () => {
  const turns = new Turns();
  for (const name of ["a", "b", "c"]) turns.work(name, 3);
  await turns.pass(20);
  assert.equal(turns.log.join(""), "abcabcabc");
});

test("short work passes long work by", async () => {
  const turns = new Turns();
  turns.work("L", 100);
  await turns.pass(20);
  turns.log.length = 0;
  turns.work("s", 3);
  await turns.pass(8);
  assert.equal(turns.log.join(""), "sLsLsLLL");
});

test("of much long work four pieces go on at a time, the oldest first, until they are done", async () => {
  const turns = new Turns();
  const names = ["a", "b", "c", "d", "e", "f"];
  for (const name of names) turns.work(name, 100);
  const shares = () => names.map((name) => turns.log.filter((each) => each === name).length);
  await turns.pass(300);
  const [first, others] = [shares().slice(0, 4), shares().slice(4)];
  assert.ok(Math.min(...first) > 65 && Math.max(...others) < 15, `${first} and ${others}`);
  await turns.pass(400);
  assert.deepEqual(shares(), [100, 100, 100, 100, 100, 100]);
});

test("long work goes on although short work never ends", async () => {
  const turns = new Turns();
  turns.work("L", 1000);
  await turns.pass(10);
  for (let i = 0; i < 50; i++) turns.work("s", 2);
  turns.log.length = 0;
  await turns.pass(40);
  assert.equal(turns.log.filter((name) => name === "L").length, 20);
});
