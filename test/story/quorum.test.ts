import {
  allVoters,
  type AckedIndex,
  ascending,
  committedIndex,
  type Majority,
  voteResult,
} from "../../src/raft/quorum.ts";
import { type Command, playStories, type Player, valueOf } from "./stories.ts";

playStories("quorum/testdata", () => play);

/** What is said of voters, in the words of the story; nothing for "_". */
type Known = Map<bigint, string>;

const VOTE_NAMES = { pending: "VotePending", lost: "VoteLost", won: "VoteWon" } as const;

const play: Player = (command) => {
  const incoming = idsOf(command, "cfg");
  const outgoing = idsOf(command, "cfgj");
  const isJoint = command.args.some((arg) => arg.key === "cfgj");
  const all = [...new Set([...incoming, ...outgoing])];
  const inputs = command.args.find((arg) => arg.key === "idx" || arg.key === "votes")?.values ?? [];
  const known: Known = new Map();
  for (const [i, id] of all.entries()) {
    const input = inputs[i] ?? "_";
    if (input !== "_") known.set(id, input);
  }
  if (inputs.length !== all.length) {
    const indices = inputs.map((input) => (input === "_" ? "0" : input));
    const voters = ascending(all).map((id) => `${id}:{}`);
    return (
      `error: mismatched input (explicit or _) for voters map[${voters.join(" ")}]: ` +
      `[${indices.join(" ")}]`
    );
  }
  return command.name === "vote"
    ? playVote(incoming, outgoing, known)
    : playCommitted(incoming, outgoing, known, isJoint);
};

function playVote(incoming: Majority, outgoing: Majority, known: Known): string {
  const votes = new Map([...known].map(([id, vote]) => [id, vote === "y"]));
  const result = voteResult({ incoming, outgoing }, votes);
  const mirrored = voteResult({ incoming: outgoing, outgoing: incoming }, votes);
  if (mirrored !== result) return `${VOTE_NAMES[mirrored]} <-- via symmetry`;
  return VOTE_NAMES[result];
}

function playCommitted(
  incoming: Majority,
  outgoing: Majority,
  known: Known,
  isJoint: boolean,
): string {
  const acked: AckedIndex = (id) => (known.has(id) ? Number(known.get(id)) : undefined);
  const index = committedIndex({ incoming, outgoing }, acked);
  const others = isJoint
    ? [committedIndex({ incoming: outgoing, outgoing: incoming }, acked)]
    : [committedIndex({ incoming, outgoing: incoming }, acked), byCounting(incoming, acked)];
  const differing = others
    .filter((other) => other !== index)
    .map((other) => `${other} <-- differs`);
  const bars = describeBars(allVoters({ incoming, outgoing }), acked);
  return bars + [...differing, index === Infinity ? "∞" : `${index}`].join("\n");
}

/** The same by its definition: the highest index that more than half have. */
function byCounting(majority: Majority, acked: AckedIndex): number {
  if (majority.length === 0) return Infinity;
  const indices = [0, ...majority.map((id) => acked(id) ?? 0)];
  const held = (index: number) => majority.filter((id) => (acked(id) ?? 0) >= index).length;
  return Math.max(...indices.filter((index) => held(index) * 2 > majority.length));
}

/** One bar a voter, the longer the more others are behind it. */
function describeBars(ids: Majority, acked: AckedIndex): string {
  if (ids.length === 0) return "<empty majority quorum>";
  const width = ids.length;
  const rows = ids.map((id) => {
    const index = acked(id);
    const behind = ids.filter((other) => (acked(other) ?? 0) < (index ?? 0)).length;
    const bar = index === undefined ? "?" : `${"x".repeat(behind)}>`;
    return `${bar.padEnd(width + 1)} ${`${index ?? 0}`.padStart(5)}    (id=${id.toString(16)})`;
  });
  return [`${" ".repeat(width)}    idx`, ...rows, ""].join("\n");
}

function idsOf(command: Command, key: string): bigint[] {
  if (valueOf(command, key) === "zero") return [];
  const values = command.args.find((arg) => arg.key === key)?.values ?? [];
  return values.map((value) => BigInt(value));
}
