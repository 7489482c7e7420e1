import type { ErrorName } from "../proto/index.ts";
import type { Member } from "./member.ts";

/** What a member sees of its cluster when it is asked to change it. */
export interface Standing {
  readonly members: readonly Member[];
  readonly self: bigint;
  /** Whether another member has been reachable for some time (`HEALTH_MS`), or at all. */
  readonly isConnected: (id: bigint) => boolean;
  readonly isActive: (id: bigint) => boolean;
}

/** How long others must have been reachable to count on them (etcd: `HealthInterval`). */
export const HEALTH_MS = 5000;

/** How much of the leader's log a learner must have to be promoted. */
export const LEARNER_READY_SHARE = 0.9;

// The rules of etcd's `--strict-reconfig-check` (`server.go` mayAddMember, mayRemoveMember,
// mayPromoteMember): a change must not cost the cluster the quorum that it has now.

export function refusalToAdd(
  standing: Standing,
  { isLearner }: { readonly isLearner: boolean },
): ErrorName | undefined {
  const voters = votersOf(standing);
  const after = voters.length + 1;
  const started = voters.filter(isStarted).length;
  // The second member may join the first one, to build a cluster up again from it.
  const isSecond = started === 1 && after === 2;
  if (!isLearner && !isSecond && started < quorum(after)) return "memberNotEnoughStarted";
  if (voters.length === 1 || countConnected(standing) >= quorum(after)) return undefined;
  return "unhealthy";
}

export function refusalToRemove(standing: Standing, id: bigint): ErrorName | undefined {
  const voters = votersOf(standing);
  if (standing.members.some((member) => member.id === id && member.isLearner)) return undefined;
  const left = voters.filter((member) => member.id !== id);
  if (left.filter(isStarted).length < quorum(left.length)) return "memberNotEnoughStarted";
  // One that is down is no part of the quorum that there is.
  if (id !== standing.self && !standing.isActive(id)) return undefined;
  const needed = 1 + Math.trunc((voters.length - 1) / 2);
  return countConnected(standing) - 1 < needed ? "unhealthy" : undefined;
}

/** The learner counts as started. */
export function refusalToPromote(standing: Standing): ErrorName | undefined {
  const voters = votersOf(standing);
  const started = 1 + voters.filter(isStarted).length;
  return started < quorum(voters.length + 1) ? "memberNotEnoughStarted" : undefined;
}

const votersOf = ({ members }: Standing) => members.filter(({ isLearner }) => !isLearner);

/** A member tells its name when it has started. */
const isStarted = ({ name }: Member): boolean => name !== "";

const quorum = (voters: number): number => Math.trunc(voters / 2) + 1;

function countConnected(standing: Standing): number {
  const { self, isConnected } = standing;
  return votersOf(standing).filter(({ id }) => id === self || isConnected(id)).length;
}

/**
 * Whether a learner has caught up far enough to vote; `matches` says up to where the leader knows
 * the log of each member to be like its own, undefined when this member is not the leader.
 */
export function refusalOfLearner(
  matches: ReadonlyMap<bigint, number> | undefined,
  { learner, leader }: { readonly learner: bigint; readonly leader: bigint },
): ErrorName | undefined {
  if (matches === undefined) return "notLeader";
  const match = matches.get(learner);
  if (match === undefined) return "memberNotFound";
  return match / matches.get(leader)! < LEARNER_READY_SHARE ? "learnerNotReady" : undefined;
}
