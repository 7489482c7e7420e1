import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Local } from "./local.ts";
import { Prober } from "./prober.ts";
import { KeptLines } from "./testing.ts";

test("a peer that is not reached is in the log with Go's times and reasons", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const lines = new KeptLines();
  const meters = { roundTripSeconds: { observe: () => {} } };
  const local = { lines, meters, identity: undefined, dialTimeoutMs: 1000 };
  const peer = { id: 0xabn, urls: ["http://127.0.0.1:1"] };
  const prober = new Prober(local as unknown as Local, peer, "ROUND_TRIPPER_SNAPSHOT");
  t.mock.timers.tick(4000);
  const facts = {
    "round-tripper-name": "ROUND_TRIPPER_SNAPSHOT",
    "remote-peer-id": "ab",
    rtt: "0s",
    error: "dial tcp 127.0.0.1:1: connect: connection refused",
  };
  const wanted = `prober detected unhealthy status ${JSON.stringify(facts)}`;
  // The connection is refused in a turn of its own; until then there is no reason to tell.
  for (let turn = 0; turn < 10_000 && !lines.kept.includes(wanted); turn++) {
    await nextTurn();
    t.mock.timers.tick(turn % 100 === 99 ? 5000 : 0);
  }
  prober.stop();
  assert.ok(lines.kept.includes(wanted), lines.kept.join("\n"));
});
