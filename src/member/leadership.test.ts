import assert from "node:assert/strict";
import { test } from "node:test";
import { Leadership, type LeadershipOptions } from "./leadership.ts";

const ELECTION_MS = 1000;

/** Member 1 of three voters and a learner, 4, who all are connected and have this much of the log. */
function newWorld(
  matches: Record<string, number>,
  { takesOver = true, memberId = 1n, preVote = true } = {},
) {
  let now = 0;
  let leadership: Leadership | undefined;
  const lines: string[] = [];
  const asked: bigint[] = [];
  const raft = { lead: 1n, electionElapsed: 0, campaigns: [] as number[], ticks: 0 };
  const members = [1n, 2n, 3n, 4n].map((id) => ({ id, isLearner: id === 4n }));
  const time = {
    now: () => now,
    sleep: async (ms: number) => void (now += ms),
  };
  const parts = {
    memberId,
    preVote,
    electionTickAdvance: true,
    state: {
      members: {
        list: () => members,
        get: (wanted: bigint) => members.find(({ id }) => id === wanted),
      },
    },
    node: {
      status: () => ({
        progress: new Map(Object.entries(matches).map(([id, match]) => [BigInt(id), { match }])),
        softState: { lead: raft.lead, role: "follower" },
        electionElapsed: raft.electionElapsed,
      }),
      tick: () => raft.ticks++,
      forgetLeader: () => (raft.lead = 0n),
      campaign: () => raft.campaigns.push(now),
      transferLeader: (to: bigint) => {
        asked.push(to);
        if (takesOver) leadership!.change({ lead: to, role: "follower" });
      },
    },
    network: { activeSince: (id: bigint) => (matches[`${id}`] === undefined ? undefined : 0) },
    time,
    lines: { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) },
    text: { duration: (ms: number) => `${ms}ms` },
    tickMs: 100,
    electionMs: ELECTION_MS,
    requestTimeoutMs: 7000,
    isStopped: () => false,
    wake: () => {},
  };
  leadership = new Leadership(parts as unknown as LeadershipOptions);
  leadership.change({ lead: 1n, role: "leader" });
  const silence = async (ticks: number) => {
    for (raft.electionElapsed = 1; raft.electionElapsed <= ticks; raft.electionElapsed++) {
      now += 100;
      leadership.ticked();
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  /** A time in which the process stood still ends with a tick. */
  const tickAfter = (ms: number) => {
    now += ms;
    leadership.ticked();
  };
  return { leadership, lines, asked, now: () => now, raft, silence, tickAfter };
}

test("a leader that stops hands the lead to the connected voter with most of the log", async () => {
  const { leadership, lines, asked } = newWorld({ 1: 9, 2: 5, 3: 8, 4: 9 });
  await leadership.handOver();
  assert.deepEqual(asked, [3n]);
  assert.deepEqual(lines, ["leadership transfer starting", "leadership transfer finished"]);
});

test("who does not lead stops without further ado", async () => {
  const { leadership, asked } = newWorld({ 1: 9, 2: 9 });
  leadership.change({ lead: 2n, role: "follower" });
  await leadership.handOver();
  assert.deepEqual(asked, []);
});

test("where nobody is connected there is nobody to hand the lead to", async () => {
  const { leadership, lines, asked, now } = newWorld({ 1: 9 });
  await leadership.handOver();
  assert.deepEqual([asked, lines, now()], [[], ["leadership transfer failed"], 0]);
});

test("a successor that stops, too, is waited for no longer than raft tries", async () => {
  const { leadership, lines, now } = newWorld({ 1: 9, 2: 9, 3: 9 }, { takesOver: false });
  await leadership.handOver();
  assert.deepEqual(lines.at(-1), "leadership transfer failed");
  assert.ok(now() > ELECTION_MS && now() <= 2 * ELECTION_MS + 100, `${now()} ms`);
});

test("a leader that has been silent for an election timeout is replaced a tick later", async () => {
  const { leadership, raft, silence } = newWorld({ 1: 9 }, { memberId: 2n });
  leadership.change({ lead: 1n, role: "follower" });
  await silence(9);
  assert.deepEqual([raft.lead, raft.campaigns], [1n, []]);
  await silence(10);
  assert.equal(raft.lead, 0n);
  assert.equal(raft.campaigns[0], 900 + ELECTION_MS + 100);
});

test("candidates begin one after the other", async () => {
  const { leadership, raft, silence } = newWorld({ 1: 9 }, { memberId: 3n });
  leadership.change({ lead: 1n, role: "follower" });
  await silence(10);
  assert.equal(raft.campaigns[0], ELECTION_MS + 150);
});

test("a learner does not ask, nor who would force a new term on a leader that lives", async () => {
  for (const options of [{ memberId: 4n }, { memberId: 2n, preVote: false }]) {
    const { leadership, raft, silence } = newWorld({ 1: 9 }, options);
    leadership.change({ lead: 1n, role: "follower" });
    await silence(10);
    assert.deepEqual([raft.lead, raft.campaigns], [1n, []]);
  }
});

test("a leader that stood still doubts that it leads until a quorum has said so", () => {
  const { leadership, tickAfter } = newWorld({ 1: 9, 2: 9 });
  tickAfter(100);
  leadership.confirmed(leadership.stops);
  assert.ok(leadership.isFresh);
  tickAfter(299);
  assert.ok(leadership.isFresh);
  const before = leadership.stops;
  tickAfter(300);
  tickAfter(100);
  assert.ok(!leadership.isFresh);
  leadership.confirmed(before);
  assert.ok(!leadership.isFresh, "it was asked before the stop");
  leadership.confirmed(leadership.stops);
  assert.ok(leadership.isFresh);
});

test("a leader without a quorum of connections doubts it, too", () => {
  for (const [matches, isFresh] of [
    [{ 1: 9, 2: 9, 3: 9 }, true],
    [{ 1: 9, 3: 9 }, true],
    [{ 1: 9, 4: 9 }, false],
    [{ 1: 9 }, false],
  ] as const) {
    const { leadership, tickAfter } = newWorld(matches);
    tickAfter(100);
    leadership.confirmed(leadership.stops);
    assert.equal(leadership.isFresh, isFresh);
  }
});

test("one that starts and reaches two peers waits for two ticks of an election timeout", async () => {
  const { leadership, raft, lines } = newWorld({ 2: 9, 3: 9 });
  await leadership.advanceElection();
  assert.equal(raft.ticks, ELECTION_MS / 100 - 2);
  assert.deepEqual(lines, ["initialized peer connections; fast-forwarding election ticks"]);
});

test("one that reaches fewer waits for all of it", async () => {
  const { leadership, raft, now } = newWorld({ 2: 9 });
  await leadership.advanceElection();
  assert.equal(raft.ticks, 0);
  assert.ok(now() > 5000 && now() <= 5100, `${now()} ms`);
});
