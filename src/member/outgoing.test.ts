import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, MESSAGE_TYPE, type Message } from "../proto/index.ts";
import { message } from "../raft/index.ts";
import { compacted } from "./outgoing.ts";

const { app, appResp, heartbeat, heartbeatResp, prop, voteResp } = MESSAGE_TYPE;

function entries(from: number, count: number, bytes = 10): Entry[] {
  const data = new Uint8Array(bytes);
  return Array.from({ length: count }, (_, i) => ({ term: 1, index: from + i, type: 0, data }));
}

function append(fields: Partial<Message>): Message {
  return message({ type: app, to: 2n, term: 1, logTerm: 1, ...fields });
}

function answer(fields: Partial<Message>): Message {
  return message({ type: appResp, to: 2n, term: 1, ...fields });
}

/** `index+entries` of each append, `commit` behind a slash. */
function describe(messages: readonly Message[]): string[] {
  return messages.map((m) => `${m.index}+${m.entries.length}/${m.commit}`);
}

test("an append that only tells the commit index leaves with the next entries", () => {
  const only = append({ index: 10, commit: 9 });
  const next = append({ index: 10, commit: 10, entries: entries(11, 2) });
  assert.deepEqual(describe(compacted([only, next])), ["10+2/10"]);
});

test("appends that follow one another leave as one, with the last commit index", () => {
  const first = append({ index: 10, commit: 9, entries: entries(11, 2) });
  const second = append({ index: 12, commit: 10, entries: entries(13, 3) });
  const third = append({ index: 15, commit: 11, entries: entries(16, 1) });
  const [joined, ...rest] = compacted([first, second, third]);
  assert.deepEqual(rest, []);
  assert.deepEqual(describe([joined!]), ["10+6/11"]);
  assert.deepEqual(
    joined!.entries.map(({ index }) => index),
    [11, 12, 13, 14, 15, 16],
  );
});

test("large appends stay apart, and so do those to different members, of terms, with a gap", () => {
  const large = [
    append({ index: 10, entries: entries(11, 1, 200_000) }),
    append({ index: 11, entries: entries(12, 1, 200_000) }),
  ];
  assert.deepEqual(compacted(large), large);
  const first = append({ index: 10, entries: entries(11, 2) });
  for (const other of [
    append({ index: 12, entries: entries(13, 1), to: 3n }),
    append({ index: 12, entries: entries(13, 1), term: 2 }),
    append({ index: 12, entries: entries(13, 1), logTerm: 2 }),
    append({ index: 13, entries: entries(14, 1) }),
  ]) {
    assert.deepEqual(compacted([first, other]), [first, other]);
  }
});

test("of the acknowledgements of one turn the highest is enough; refusals are all told", () => {
  assert.deepEqual(compacted([answer({ index: 3 }), answer({ index: 5 })]), [answer({ index: 5 })]);
  const refused = answer({ index: 4, reject: true });
  for (const kept of [
    [answer({ index: 5 }), answer({ index: 3 })],
    [refused, answer({ index: 5 })],
    [answer({ index: 3 }), refused],
    [answer({ index: 3, to: 3n }), answer({ index: 5 })],
  ]) {
    assert.deepEqual(compacted(kept), kept);
  }
});

test("a heartbeat is left out only where the later one confirms as many reads", () => {
  for (const type of [heartbeat, heartbeatResp]) {
    const plain = message({ type, to: 2n, term: 1 });
    const one = message({ type, to: 2n, term: 1, context: Uint8Array.of(1) });
    const two = message({ type, to: 2n, term: 1, context: Uint8Array.of(2) });
    assert.deepEqual(compacted([one, two]), [two]);
    assert.deepEqual(compacted([plain, two]), [two]);
    assert.deepEqual(compacted([one, plain]), [one, plain]);
  }
});

test("everything else is sent, in order", () => {
  const all = [
    message({ type: prop, to: 2n, entries: entries(0, 1) }),
    message({ type: prop, to: 2n, entries: entries(0, 1) }),
    message({ type: voteResp, to: 2n, term: 1 }),
    message({ type: voteResp, to: 2n, term: 1 }),
  ];
  assert.deepEqual(compacted(all), all);
});
