import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exponentialBounds, Histogram } from "../base/index.ts";
import { type Family, formatNumber, LoopMeter, metricsPage } from "./index.ts";

test("numbers are written as Go writes them", () => {
  for (const [value, text] of [
    [0, "0"],
    [-1, "-1"],
    [0.5, "0.5"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [0.000012, "1.2e-05"],
    [123456, "123456"],
    [999999, "999999"],
    [1e6, "1e+06"],
    [1234567.5, "1.2345675e+06"],
    [2147483648, "2.147483648e+09"],
    [2 ** 64, "1.8446744073709552e+19"],
    [1e100, "1e+100"],
    [-2e9, "-2e+09"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
  ] as const) {
    assert.equal(formatNumber(value), text);
  }
  const parse = (text: string) => Number(text.replace(/Inf$/, "Infinity"));
  const isSame = (value: number) => Object.is(parse(formatNumber(value)) + 0, value + 0);
  fc.assert(fc.property(fc.double(), isSame));
});

test("a page has a head for each name and a line for each series", () => {
  const latencies = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 2]) latencies.observe(value);
  const families: Family[] = [
    { name: "a", type: "gauge", help: "With\\ and\nlines.", samples: () => [[{}, 1.5]] },
    { name: "none", type: "counter", help: "Left out.", samples: () => [] },
    {
      name: "b",
      type: "counter",
      help: "B.",
      samples: () => [
        [{ x: 'q"\\\n', y: "z" }, 1e6],
        [{ x: "2", y: "z" }, 0],
      ],
    },
    { name: "c", type: "histogram", help: "C.", samples: () => [[{ k: "v" }, latencies]] },
  ];
  assert.equal(
    [...metricsPage(families)].join(""),
    `# HELP a With\\\\ and\\nlines.
# TYPE a gauge
a 1.5
# HELP b B.
# TYPE b counter
b{x="q\\"\\\\\\n",y="z"} 1e+06
b{x="2",y="z"} 0
# HELP c C.
# TYPE c histogram
c_bucket{k="v",le="0.1"} 2
c_bucket{k="v",le="1"} 3
c_bucket{k="v",le="+Inf"} 4
c_sum{k="v"} 2.65
c_count{k="v"} 4
`,
  );
});

test("a long page comes in parts", () => {
  const samples = () => Array.from({ length: 5000 }, (_, i) => [{ n: String(i) }, i] as const);
  const parts = [...metricsPage([{ name: "many", type: "gauge", help: "Many.", samples }])];
  assert.ok(parts.length > 2);
  assert.equal(parts.join("").split("\n").length, 5003);
});

test("every value falls into the first bucket that is not below it", () => {
  const bounds = exponentialBounds(0.001, 2, 14);
  assert.equal(bounds.at(-1), 8.192);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 20, noNaN: true })), (values) => {
      const histogram = new Histogram(bounds);
      for (const value of values) histogram.observe(value);
      assert.equal(histogram.count, values.length);
      let below = 0;
      for (const [i, bound] of bounds.entries()) {
        below += histogram.counts[i]!;
        assert.equal(below, values.filter((value) => value <= bound).length);
      }
    }),
  );
});

function work(ms: number): void {
  const until = process.cpuUsage().user + ms * 1000;
  while (process.cpuUsage().user < until);
}

test("a long turn is seen, idling is not, and the meter keeps nobody awake", async () => {
  const meter = new LoopMeter();
  meter.start(0);
  await new Promise((resume) => setTimeout(resume, 20));
  const longTurns = () => meter.turns.counts.slice(5).reduce((sum, count) => sum + count, 0);
  const before = longTurns();
  setImmediate(() => work(40));
  for (let waits = 0; waits < 100 && longTurns() === before; waits++) {
    await new Promise((resume) => setTimeout(resume, 5));
  }
  assert.equal(longTurns(), before + 1);
  const { sum } = meter.turns;
  await new Promise((resume) => setTimeout(resume, 100));
  assert.ok(meter.turns.sum - sum < 0.05);
  meter.stop();
});
