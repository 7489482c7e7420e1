import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../src/base/index.ts";
import { drawSurvival, newDisk } from "../data-dir.ts";
import { type How, waysOf } from "../disk-calls.ts";
import { examine } from "./examine.ts";
import { Ledger } from "./ledger.ts";
import { type Life, live } from "./life.ts";
import { put } from "./requests.ts";
import { script } from "./script.ts";

// A member runs a script, and the n-th file call fails, for every n and in every way. It stops and
// says so, or goes on. Then the power fails, or the process starts again on what is there and the
// power fails while it does: what was promised is there, once, and nothing is wrong.

const SEED = 1;
/** A disk that is full is so for one call, or from then on: by turns. */
const WAYS: readonly ((nth: number) => How)[] = [
  () => "EIO",
  (nth) => (nth % 2 === 0 ? "full" : "ENOSPC"),
  () => "short",
];

const whole = await live({ disk: newDisk(), ledger: new Ledger(), seed: SEED, work: script });
const { trace } = whole.calls;
const names = trace.map((line) => line.slice(0, line.indexOf(" ")));

/** How often calls failed in a way, and what was wrong afterwards. */
const tried: { way: string; runs: number; broken: string[] }[] = [];
// Before any test, since the hooks of the test runner make every promise dear.
for (const way of WAYS) {
  const broken: string[] = [];
  const nths = names.flatMap((name, i) => (waysOf(name).includes(way(i + 1)) ? [i + 1] : []));
  for (const nth of nths) {
    await failAndExamine(nth, way(nth)).catch((error: Error) => {
      broken.push(`call ${nth}, ${trace[nth - 1]}: ${error.message}`);
    });
  }
  tried.push({ way: way(1), runs: nths.length, broken });
}

async function failAndExamine(nth: number, how: How): Promise<void> {
  const disk = newDisk();
  const ledger = new Ledger();
  const random = new Prng(nth);
  const { end } = await live({ disk, ledger, seed: SEED, fault: { nth, how }, work: script });
  assert.ok(end === "stopped" || end === "died", end);
  if (random.oneIn(4)) {
    const fault = { nth: 1 + random.below(60), how: "cut" } as const;
    await examine({ disk, ledger, seed: nth, fault });
  }
  await examine({ disk: disk.afterPowerLoss(drawSurvival(random)), ledger, seed: nth });
}

/** What a failed sync of the page file left in memory only, and the next process found. */
const SYNCS = /^sync .*snap\/db$/;
const brokenSyncs: string[] = [];
const syncs = trace.filter((line) => SYNCS.test(line)).length;
for (let nth = 1; nth <= syncs; nth++) {
  for (const next of [2, 3]) {
    await failSyncAndExamine(nth, next).catch((error: Error) => {
      brokenSyncs.push(`sync ${nth}, then ${next}: ${error.message}`);
    });
  }
}

async function failSyncAndExamine(nth: number, next: number): Promise<void> {
  const at = { disk: newDisk(), ledger: new Ledger(), seed: nth };
  await live({ ...at, seed: SEED, fault: { of: SYNCS, nth, how: "EIO" }, work: script });
  await examine({ ...at, fault: { of: SYNCS, nth: next, how: "cut" } });
  const survives = drawSurvival(new Prng(10 * nth + next));
  await examine({ ...at, disk: at.disk.afterPowerLoss(survives) });
}

/** The first sync fails, which ends the first life; the file's length may be lost with it. */
const brokenLengths = await brokenIn(20, failFirstSyncAndExamine);

async function failFirstSyncAndExamine(seed: number): Promise<void> {
  const at = { disk: newDisk(), ledger: new Ledger(), seed };
  await live({ ...at, fault: { of: SYNCS, nth: 1, how: "EIO" }, work: script });
  await live({ ...at, fault: { of: SYNCS, nth: 3, how: "cut" }, work: script });
  const random = new Prng(seed);
  await examine({ ...at, disk: at.disk.afterPowerLoss(() => random.oneIn(2)) });
}

const brokenZeros = await brokenIn(12, failZerosAndExamine);

/** Runs it for each seed from 1 on; what was wrong, with the seed. */
async function brokenIn(seeds: number, run: (seed: number) => Promise<void>): Promise<string[]> {
  const broken: string[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    await run(seed).catch((error: Error) => broken.push(`seed ${seed}: ${error.message}`));
  }
  return broken;
}

/** While requests come all the time, so that records and zeros are written at once. */
async function failZerosAndExamine(seed: number): Promise<void> {
  const at = { disk: newDisk(), ledger: new Ledger(), seed };
  const fault = { of: /wal.* zeros$/, nth: 1, how: "EIO" } as const;
  const work = async (life: Life) => {
    for (let i = 0; i < 60; i++) {
      void life.ask(put(`${i}`, "x"));
      await life.time.sleep(2);
    }
  };
  await live({ ...at, fault, work });
  await examine({ ...at, disk: at.disk.afterPowerLoss(drawSurvival(new Prng(seed))) });
}

test("the script makes file calls of every kind", () => {
  assert.equal(whole.end, "stopped");
  for (const name of ["create", "read", "rename", "truncate", "unlink"]) {
    assert.ok(names.includes(name), `no ${name}`);
  }
  for (const file of [/\.snap$/, /snap\/db/, /000000001-.*\.wal$/, /wal\/0\.tmp \d+\+1\d\d\d /]) {
    const isThere = trace.some((line) => file.test(line));
    assert.ok(isThere, `nothing of ${file}`);
  }
});

for (const { way, runs, broken } of tried) {
  test(`whichever of ${runs} calls fails (${way}), no promise is broken`, () => {
    assert.deepEqual(broken, []);
    assert.ok(runs > 50);
  });
}

test(`whichever of ${syncs} syncs of the page file fails, nobody builds on what it left`, () => {
  assert.deepEqual(brokenSyncs, []);
});

test("a file whose length was lost with a failed sync gets it back", () => {
  assert.deepEqual(brokenLengths, []);
});

test("a failed write of prepared space does not hide that of a record", () => {
  assert.deepEqual(brokenZeros, []);
});
