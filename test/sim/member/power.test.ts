import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../src/base/index.ts";
import { BootError } from "../../../src/server/boot.ts";
import { DIR, drawSurvival, newDisk } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import { examine } from "./examine.ts";
import { Ledger } from "./ledger.ts";
import { live } from "./life.ts";
import { script } from "./script.ts";

// A member runs a script, and the power fails in its n-th file call, for every n.

const SEED = 2;

const whole = { disk: newDisk(), ledger: new Ledger() };
const { calls } = await live({ ...whole, seed: SEED, work: script });
const count = calls.trace.length;
/** So many make the files of a new member. */
const FIRST_CALLS = 35;

type Case = "once" | "twice" | "killed";

/** What was wrong after the power had failed once, twice, and after the process was killed. */
const broken: Record<Case, string[]> = { once: [], twice: [], killed: [] };
// Before any test, since the hooks of the test runner make every promise dear.
for (let nth = 1; nth <= count; nth++) {
  const note = (what: Case) => (error: Error) => {
    broken[what].push(`call ${nth}, ${calls.trace[nth - 1]}: ${error.message}`);
  };
  await failOnce(nth).catch(note("once"));
  if (nth % 6 === 0) await failTwice(nth).catch(note("twice"));
  if (nth % (nth < FIRST_CALLS ? 2 : 9) === 0) await kill(nth).catch(note("killed"));
}

async function scriptUntil(nth: number): Promise<{ disk: Disk; ledger: Ledger }> {
  const disk = newDisk();
  const ledger = new Ledger();
  await live({ disk, ledger, seed: SEED, fault: { nth, how: "cut" }, work: script });
  return { disk, ledger };
}

async function failOnce(nth: number): Promise<void> {
  const { disk, ledger } = await scriptUntil(nth);
  for (const survives of [() => nth % 2 === 0, drawSurvival(new Prng(nth))]) {
    await examine({ disk: disk.afterPowerLoss(survives), ledger: ledger.fork(), seed: nth });
  }
}

/** The second time while the member starts. */
async function failTwice(nth: number): Promise<void> {
  const random = new Prng(nth);
  const { disk, ledger } = await scriptUntil(nth);
  const left = disk.afterPowerLoss(drawSurvival(random));
  const fault = { nth: 1 + random.below(60), how: "cut" } as const;
  await examine({ disk: left, ledger, seed: nth, fault });
  await examine({ disk: left.afterPowerLoss(drawSurvival(random)), ledger, seed: nth });
}

/** The next process finds everything, and what it did not sync goes with the power. */
async function kill(nth: number): Promise<void> {
  const at = { disk: newDisk(), ledger: new Ledger(), seed: nth };
  await live({ ...at, seed: SEED, fault: { nth, how: "killed" }, work: script });
  await examine(at);
  await examine({ ...at, disk: at.disk.afterPowerLoss(() => false) });
}

test(`whichever of ${count} calls the power fails in, no promise is broken`, () => {
  assert.deepEqual(broken.once, []);
});

test("nor when it fails once more while the member starts", () => {
  assert.deepEqual(broken.twice, []);
});

test("nor when the process is killed, and the power fails later", () => {
  assert.deepEqual(broken.killed, []);
});

const DB = `${DIR.snap}/db`;

test("a page file that is older than the log catches up", async () => {
  let caughtUp = 0;
  for (let nth = 60; nth < count; nth += 10) {
    const { disk: early } = await scriptUntil(nth);
    const disk = whole.disk.copy();
    disk.place(DB, early.copy().file(DB));
    try {
      await examine({ disk, ledger: whole.ledger.fork(), seed: nth });
      caughtUp++;
    } catch (error) {
      assert.match((error as Error).message, /^the page file .* ends at entry \d+, before the log/);
    }
  }
  assert.ok(caughtUp > 3, `${caughtUp} times`);
});

test("a page file that is ahead of the log is refused, for good", async () => {
  for (let nth = 60; nth < count * 0.7; nth += 15) {
    const { disk } = await scriptUntil(nth);
    disk.place(DB, whole.disk.copy().file(DB));
    for (let time = 0; time < 2; time++) {
      await assert.rejects(examine({ disk, ledger: new Ledger(), seed: nth }), (error: Error) => {
        assert.ok(error instanceof BootError, error.message);
        assert.match(
          error.message,
          /^the page file \(member\/snap\/db\) is ahead of the log: it h/,
        );
        return true;
      });
    }
  }
});
