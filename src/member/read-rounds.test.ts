import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadState } from "../raft/index.ts";
import { Meters } from "./meters.ts";
import { ReadRounds, type ReadRoundsOptions } from "./read-rounds.ts";

/** A member that asks raft, which the test answers. The first name of a round is the largest. */
function world() {
  const told: string[] = [];
  const at =
    (level: string) =>
    (message: string, fields: object = {}) =>
      told.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const asked: Uint8Array[] = [];
  const is = { now: 0, id: 2n ** 64n - 2n, failures: 0 };
  const soon: (() => void)[] = [];
  const options = {
    memberId: 1n,
    state: { appliedIndex: 5 },
    node: { readIndex: (context: Uint8Array) => asked.push(context), takeReadStates: () => [] },
    leadership: { isEstablished: true, isOwn: true },
    time: { now: () => is.now, soon: (work: () => void) => soon.push(work) },
    lines: { info: at("info"), warn: at("warn") },
    text: { duration: (ms: number) => `${ms}ms` },
    meters: new Meters(),
    timeoutMs: 1200,
    nextId: () => ++is.id % 2n ** 64n,
    asked: () => {},
    flush: () => {},
    isStopped: () => false,
  };
  const rounds = new ReadRounds(options as unknown as ReadRoundsOptions);
  const read = () => {
    rounds.linearizable({ ready: () => {}, fail: () => is.failures++ });
    for (const work of soon.splice(0)) work();
  };
  const passed = (ms: number) => {
    is.now += ms;
    rounds.tick();
  };
  const answered = (context: Uint8Array) => rounds.confirm([{ context, index: 5 } as ReadState]);
  return { rounds, told, asked, is, read, passed, answered };
}

test("the log says when a read index is asked for again, and when nobody waits any more", () => {
  const { told, is, read, passed } = world();
  read();
  passed(400);
  assert.deepEqual(told, []);
  passed(100);
  passed(500);
  const retrying = "warn waiting for ReadIndex response took too long, retrying";
  assert.deepEqual(told.splice(0), [
    `${retrying} {"sent-request-id":18446744073709551615,"retry-timeout":"500ms"}`,
    `${retrying} {"sent-request-id":0,"retry-timeout":"500ms"}`,
  ]);
  passed(200);
  passed(1000);
  const timedOut =
    "warn timed out waiting for read index response (local node might have slow network)";
  assert.deepEqual(told, [`${timedOut} {"timeout":"1200ms"}`]);
  assert.equal(is.failures, 1);
});

test("reads that are answered in time leave nothing in the log", () => {
  const { told, asked, read, passed, answered } = world();
  for (let i = 0; i < 10; i++) {
    read();
    passed(100);
    answered(asked.at(-1)!);
    passed(1000);
  }
  assert.deepEqual(told, []);
});

test("a leader's first commit has the question asked again; the answer to the first is late", () => {
  const { rounds, told, asked, read, answered } = world();
  rounds.termBegan();
  assert.deepEqual(told, []);
  read();
  rounds.termBegan();
  answered(asked[1]!);
  answered(asked[0]!);
  assert.deepEqual(told, [
    "info first commit in current term: resending ReadIndex request {}",
    "warn ignored out-of-date read index response; local node read indexes queueing up and " +
      'waiting to be in sync with leader {"received-request-id":18446744073709551615}',
  ]);
});
