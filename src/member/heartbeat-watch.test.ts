import assert from "node:assert/strict";
import { test } from "node:test";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { Meters } from "./meters.ts";

function newWorld() {
  let now = 0;
  const warned: object[] = [];
  const meters = new Meters();
  const watch = new HeartbeatWatch({
    heartbeatMs: 100,
    time: { now: () => now },
    lines: { info: () => {}, warn: (_: string, fields?: object) => warned.push(fields!) },
    text: { duration: (ms) => `${ms}ms`, bytes: String },
    meters,
  });
  return { watch, warned, meters, pass: (ms: number) => (now += ms) };
}

test("a heartbeat that leaves more than two intervals after the one before is late", () => {
  const { watch, warned, meters, pass } = newWorld();
  watch.sent(0x1fn);
  pass(200);
  watch.sent(0x1fn);
  assert.equal(meters.heartbeatsLate, 0);
  pass(260);
  watch.sent(0x2fn);
  watch.sent(0x1fn);
  assert.equal(meters.heartbeatsLate, 1);
  assert.deepEqual(warned, [
    {
      to: "1f",
      "heartbeat-interval": "100ms",
      "expected-duration": "200ms",
      "exceeded-duration": "60ms",
    },
  ]);
});

test("the time in which another led does not count", () => {
  const { watch, meters, pass } = newWorld();
  watch.sent(1n);
  pass(5000);
  watch.restart();
  watch.sent(1n);
  assert.equal(meters.heartbeatsLate, 0);
});
