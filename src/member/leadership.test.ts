import assert from "node:assert/strict";
import { test } from "node:test";
import { Leadership, type LeadershipOptions } from "./leadership.ts";

const ELECTION_MS = 1000;

/** Member 1 of three voters and a learner, 4, who all are connected and have this much of the log. */
function newWorld(matches: Record<string, number>, options = { takesOver: true }) {
  let now = 0;
  let leadership: Leadership | undefined;
  const lines: string[] = [];
  const asked: bigint[] = [];
  const members = [1n, 2n, 3n, 4n].map((id) => ({ id, isLearner: id === 4n }));
  const time = {
    now: () => now,
    sleep: async (ms: number) => void (now += ms),
  };
  const parts = {
    memberId: 1n,
    state: {
      members: {
        list: () => members,
        get: (wanted: bigint) => members.find(({ id }) => id === wanted),
      },
    },
    node: {
      status: () => ({
        progress: new Map(Object.entries(matches).map(([id, match]) => [BigInt(id), { match }])),
      }),
      transferLeader: (to: bigint) => {
        asked.push(to);
        if (options.takesOver) leadership!.change({ lead: to, role: "follower" });
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
  return { leadership, lines, asked, now: () => now };
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
