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

/** The voters that a change would leave: those who have started, and those whom it takes. */
export interface Outlook {
  readonly started: number;
  readonly quorum: number;
}

/** Whoever is added counts as not started, a learner that is promoted as started. */
export function outlookOf(
  standing: Standing,
  change: "add" | "promote" | { readonly remove: bigint },
): Outlook {
  const before = votersOf(standing);
  const removed = typeof change === "object" ? change.remove : undefined;
  const kept = before.filter(({ id }) => id !== removed);
  return {
    started: kept.filter(isStarted).length + (change === "promote" ? 1 : 0),
    quorum: quorum(kept.length + (typeof change === "object" ? 0 : 1)),
  };
}

// The rules of etcd's `--strict-reconfig-check` (`server.go` mayAddMember, mayRemoveMember,
// mayPromoteMember): a change must not cost the cluster the quorum that it has now.

export function refusalToAdd(
  standing: Standing,
  { isLearner }: { readonly isLearner: boolean },
): ErrorName | undefined {
  const voters = votersOf(standing);
  const { started, quorum } = outlookOf(standing, "add");
  // The second member may join the first one, to build a cluster up again from it.
  const isSecond = started === 1 && voters.length === 1;
  if (!isLearner && !isSecond && started < quorum) return "memberNotEnoughStarted";
  if (voters.length === 1 || countConnected(standing) >= quorum) return undefined;
  return "unhealthy";
}

export function refusalToRemove(standing: Standing, id: bigint): ErrorName | undefined {
  const voters = votersOf(standing);
  if (standing.members.some((member) => member.id === id && member.isLearner)) return undefined;
  const { started, quorum } = outlookOf(standing, { remove: id });
  if (started < quorum) return "memberNotEnoughStarted";
  // One that is down is no part of the quorum that there is.
  if (id !== standing.self && !standing.isActive(id)) return undefined;
  const needed = 1 + Math.trunc((voters.length - 1) / 2);
  return countConnected(standing) - 1 < needed ? "unhealthy" : undefined;
}

export function refusalToPromote(standing: Standing): ErrorName | undefined {
  const { started, quorum } = outlookOf(standing, "promote");
  return started < quorum ? "memberNotEnoughStarted" : undefined;
}

const votersOf = ({ members }: Standing) => members.filter(({ isLearner }) => !isLearner);

/** A member tells its name when it has started. */
const isStarted = ({ name }: Member): boolean => name !== "";

const quorum = (voters: number): number => Math.trunc(voters / 2) + 1;

/** The voters that one can count on, this member included. */
export function countConnected(standing: Standing): number {
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
