import assert from "node:assert/strict";
import { test } from "node:test";
import { runCtl } from "../testing.ts";
import { LoadReport, Pace } from "./check-load.ts";
import { verdict } from "./check-perf.ts";

// The texts and the thresholds are etcdctl's.
test("a check passes when all is within bounds, and says of each measure where it stands", () => {
  const good = { perSecond: 149.2, slowest: 0.5, deviation: 0.1, errorLines: () => [] };
  const cases: readonly (readonly [change: Partial<typeof good>, ...lines: string[]])[] = [
    [
      {},
      "PASS: Throughput is 150 writes/s",
      "PASS: Slowest request took 0.500000s",
      "PASS: Stddev is 0.100000s",
      "PASS",
    ],
    [{ perSecond: 135 }, "FAIL: Throughput too low: 136 writes/s"],
    [{ perSecond: 135.1 }, "PASS: Throughput is 136 writes/s"],
    [{ slowest: 0.51 }, "Slowest request took too long: 0.510000s"],
    [{ deviation: 0.11 }, "Stddev too high: 0.110000s"],
    [{ deviation: Number.NaN }, "PASS: Stddev is NaNs"],
  ];
  for (const [change, ...expected] of cases) {
    const { lines, isGood } = verdict({ ...good, ...change }, 150);
    for (const line of expected) assert.ok(lines.includes(line), line);
    assert.equal(isGood, expected[0]!.startsWith("PASS"), expected[0]);
    assert.equal(lines.at(-1), isGood ? "PASS" : "FAIL");
  }
});

test("failed writes are counted by their reason, and fail the check", () => {
  const report = new LoadReport();
  for (let i = 0; i < 3; i++) report.failed("etcdserver: too many requests");
  report.end();
  const { lines, isGood } = verdict(report, 150);
  assert.deepEqual(lines.slice(0, 2), [
    "FAIL: too many errors",
    "FAIL: ERROR(etcdserver: too many requests) -> 3",
  ]);
  assert.equal(isGood, false);
});

test("the deviation is that of all times", () => {
  const report = new LoadReport();
  for (const ms of [10, 20, 30, 40]) report.succeeded(ms);
  report.end();
  assert.equal(report.slowest, 0.04);
  assert.ok(Math.abs(report.deviation - Math.sqrt(125) / 1000) < 1e-9);
});

test("turns come evenly, those that nobody takes are lost, and none comes after the end", async () => {
  const pace = new Pace(1000, 100, new AbortController().signal);
  const turns = await Promise.all(Array.from({ length: 200 }, () => pace.turn()));
  const taken = turns.filter((isTurn) => isTurn).length;
  assert.ok(taken >= 99 && taken <= 101, String(taken));
  assert.equal(await pace.turn(), false);
});

test("an interrupt ends the turns", async () => {
  const controller = new AbortController();
  const pace = new Pace(100, 60_000, controller.signal);
  assert.equal(await pace.turn(), true);
  controller.abort();
  assert.equal(await pace.turn(), false);
});

test("a load that is not known is refused before anything is sent", async () => {
  for (const check of ["perf", "datascale"]) {
    const run = await runCtl(["check", check, "--load", "huge"]);
    assert.deepEqual([run.status, run.err], [4, "Error: unknown load option huge\n"]);
  }
});
