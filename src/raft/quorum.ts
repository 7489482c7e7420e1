/** Voters of which more than half decide, in ascending order. */
export type Majority = readonly bigint[];

/** One majority, or two that must agree while a configuration changes. `outgoing` is often empty. */
export interface Voters {
  readonly incoming: Majority;
  readonly outgoing: Majority;
}

export type VoteResult = "pending" | "lost" | "won";

/** What a voter has acknowledged; undefined when nothing is known of it. */
export type AckedIndex = (id: bigint) => number | undefined;

/** Voters of either majority, ascending, each once. */
export function allVoters(voters: Voters): bigint[] {
  return ascending(new Set([...voters.incoming, ...voters.outgoing]));
}

export function ascending(ids: Iterable<bigint>): bigint[] {
  return [...ids].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The highest index acknowledged by both majorities. */
export function committedIndex(voters: Voters, acked: AckedIndex): number {
  const incoming = majorityIndex(voters.incoming, acked);
  if (voters.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityIndex(voters.outgoing, acked));
}

/** The highest index acknowledged by a majority; infinite when there are no voters to wait for. */
export function majorityIndex(majority: Majority, acked: AckedIndex): number {
  const count = majority.length;
  if (count === 0) return Infinity;
  if (count === 1) return acked(majority[0]!) ?? 0;
  const indices = majority.map((id) => acked(id) ?? 0).toSorted((a, b) => b - a);
  return indices[count >> 1]!;
}

/** Both majorities must be won; losing either loses. */
export function voteResult(voters: Voters, votes: ReadonlyMap<bigint, boolean>): VoteResult {
  const incoming = majorityVote(voters.incoming, votes);
  const outgoing = majorityVote(voters.outgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}

/** An empty majority is won, so that half a joint configuration decides alone. */
export function majorityVote(majority: Majority, votes: ReadonlyMap<bigint, boolean>): VoteResult {
  if (majority.length === 0) return "won";
  const needed = (majority.length >> 1) + 1;
  let granted = 0;
  let open = 0;
  for (const id of majority) {
    const vote = votes.get(id);
    if (vote === undefined) open++;
    else if (vote) granted++;
  }
  if (granted >= needed) return "won";
  return granted + open >= needed ? "pending" : "lost";
}
