import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, Flag, FrameType } from "./frames.ts";
import { EncodedField } from "./hpack.ts";
import { PING_INTERVAL_WITHOUT_STREAMS_MS } from "./limits.ts";
import { frame, headers, ping, REQUEST, Subject, windowUpdate } from "./testkit.ts";

const KEEPALIVE = { intervalMs: 10_000, timeoutMs: 3000, withoutStreams: false };
const ACK = frame(FrameType.ping, Flag.ack, 0, new Uint8Array(8));

function pings(subject: Subject): number {
  return subject.frames().filter(({ type, flags }) => type === FrameType.ping && flags === 0)
    .length;
}

function tickUntil(subject: Subject, untilMs: number): number {
  let sent = 0;
  for (; subject.nowMs < untilMs; subject.nowMs += 500) {
    subject.connection.tick(subject.nowMs);
    sent += pings(subject);
  }
  return sent;
}

test("a silent peer is asked once and given up when it does not answer in time", () => {
  const server = Subject.server({ keepalive: KEEPALIVE });
  server.feed(headers(1));
  const start = server.nowMs;
  assert.equal(tickUntil(server, start + 10_000), 0);
  assert.equal(tickUntil(server, start + 13_000), 1);
  assert.equal(server.connection.isOpen, true);
  tickUntil(server, start + 13_500);
  assert.equal(server.connection.closeReason?.text, "keepalive ping not acked");
  assert.equal(server.events.at(-1)!.origin, "connection");
});

test("a peer that answers is asked again after each interval", () => {
  const server = Subject.server({ keepalive: KEEPALIVE });
  server.feed(headers(1));
  const start = server.nowMs;
  for (let round = 1; round <= 3; round++) {
    assert.equal(tickUntil(server, start + round * 10_500), 1);
    server.feed(ACK);
  }
  assert.equal(server.connection.isOpen, true);
});

test("whatever the peer sends proves that it is there", () => {
  const server = Subject.server({ keepalive: KEEPALIVE });
  const start = server.nowMs;
  for (let i = 0; i < 10; i++) {
    server.feed(headers(2 * i + 1));
    assert.equal(tickUntil(server, start + (i + 1) * 9000), 0);
  }
});

test("without open streams nobody is asked, unless that is wished", () => {
  const quiet = Subject.server({ keepalive: KEEPALIVE });
  assert.equal(tickUntil(quiet, 60_000), 0);
  const eager = Subject.server({ keepalive: { ...KEEPALIVE, withoutStreams: true } });
  assert.equal(tickUntil(eager, 13_000), 1);
});

/** Pings of a client at these times; when it is sent away, if ever. */
function lastPing(server: Subject, timesMs: readonly number[]): number | undefined {
  const start = server.nowMs;
  for (const time of timesMs) {
    server.nowMs = start + time;
    server.feed(ping());
    if (!server.connection.isOpen) return time;
  }
  return undefined;
}

test("pings within five seconds are counted, the fourth of a row is too many", () => {
  const server = Subject.server();
  server.feed(headers(1));
  assert.equal(lastPing(server, [0, 4999, 9998, 14_997]), 14_997);
  assert.equal(server.complaint(), `goaway ${ErrorCode.enhanceYourCalm}`);
  assert.equal(server.connection.closeReason?.text, "too_many_pings");
});

test("pings every five seconds are welcome while a stream is open", () => {
  const server = Subject.server();
  server.feed(headers(1));
  const times = Array.from({ length: 100 }, (_, i) => i * 5000);
  assert.equal(lastPing(server, times), undefined);
});

test("without streams only one ping in two hours is welcome", () => {
  assert.equal(lastPing(Subject.server(), [0, 6000, 12_000, 18_000]), 18_000);
  const rare = Array.from({ length: 10 }, (_, i) => i * PING_INTERVAL_WITHOUT_STREAMS_MS);
  assert.equal(lastPing(Subject.server(), rare), undefined);
});

test("what the server sends entitles the client to a ping, and clears its record", () => {
  const server = Subject.server();
  server.onHead = (stream) => {
    server.connection.sendHead(stream, [new EncodedField(":status", "200")], true);
  };
  for (let i = 0; i < 100; i++) {
    server.feed(headers(2 * i + 1, REQUEST, Flag.endHeaders | Flag.endStream));
    server.feed(ping(), ping(), ping());
  }
  assert.equal(server.connection.isOpen, true);
});

test("a peer that leaves large answers unfetched for a minute is closed", () => {
  const server = Subject.server();
  server.feed(headers(1));
  const stream = server.streams.get(1)!;
  server.connection.sendHead(stream, [new EncodedField(":status", "200")], false);
  server.connection.sendData(stream, new Uint8Array(0), new Uint8Array(30_000_000), "owned");
  server.output();
  const start = server.nowMs;
  for (let i = 1; i <= 100; i++) {
    server.feed(windowUpdate(0, 30_000), windowUpdate(1, 30_000));
    server.output();
    tickUntil(server, start + i * 1000);
  }
  assert.equal(server.connection.isOpen, true, "slow, but fetching");
  tickUntil(server, start + 170_000);
  assert.equal(server.connection.closeReason?.text, "output is not read");
});
