import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import {
  allVoters,
  committedIndex,
  type Majority,
  type VoteResult,
  type Voters,
  voteResult,
} from "./quorum.ts";
import type { ConfState } from "./types.ts";

/** Who takes part. Joint when there are outgoing voters. */
export interface Configuration {
  readonly voters: Voters;
  /** Never voters too, not even outgoing ones. */
  readonly learners: Majority;
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: Majority;
  /** The leader leaves the joint configuration by itself as soon as it can. */
  readonly autoLeave: boolean;
}

/** Ascending by id. */
export type ProgressMap = ReadonlyMap<bigint, Progress>;

export interface Membership {
  readonly configuration: Configuration;
  readonly progress: ProgressMap;
}

export const EMPTY_MEMBERSHIP: Membership = {
  configuration: {
    voters: { incoming: [], outgoing: [] },
    learners: [],
    learnersNext: [],
    autoLeave: false,
  },
  progress: new Map(),
};

export interface InflightLimits {
  /** Append messages under way to one follower. */
  readonly messagesMax: number;
  readonly bytesMax: number;
}

/** The configuration in force, what is known of each member's log, and the votes of an election. */
export class Tracker {
  configuration: Configuration = EMPTY_MEMBERSHIP.configuration;
  progress: ProgressMap = EMPTY_MEMBERSHIP.progress;
  readonly votes = new Map<bigint, boolean>();
  readonly limits: InflightLimits;
  readonly #match = (id: bigint) => this.progress.get(id)?.match;

  constructor(limits: InflightLimits) {
    this.limits = limits;
  }

  use(membership: Membership): void {
    this.configuration = membership.configuration;
    this.progress = membership.progress;
  }

  /** Forgets what was known of all logs; `next` is where each is probed first. */
  resetProgress(next: number): void {
    const fresh = new Map<bigint, Progress>();
    for (const [id, { isLearner }] of this.progress) {
      const inflights = new Inflights(this.limits.messagesMax, this.limits.bytesMax);
      fresh.set(id, new Progress({ next, inflights, isLearner }));
    }
    this.progress = fresh;
  }

  get isSingleton(): boolean {
    const { incoming, outgoing } = this.configuration.voters;
    return incoming.length === 1 && outgoing.length === 0;
  }

  get voters(): bigint[] {
    return allVoters(this.configuration.voters);
  }

  isVoter(id: bigint): boolean {
    const { incoming, outgoing } = this.configuration.voters;
    return incoming.includes(id) || outgoing.includes(id);
  }

  confState(): ConfState {
    const { voters, learners, learnersNext, autoLeave } = this.configuration;
    return {
      voters: voters.incoming,
      learners,
      votersOutgoing: voters.outgoing,
      learnersNext,
      autoLeave,
    };
  }

  /** The highest index that a quorum is known to hold. */
  committed(): number {
    return committedIndex(this.configuration.voters, this.#match);
  }

  /** Whether a quorum was heard of since the last check. */
  quorumActive(): boolean {
    const active = new Map<bigint, boolean>();
    for (const [id, progress] of this.progress) {
      if (!progress.isLearner) active.set(id, progress.recentActive);
    }
    return voteResult(this.configuration.voters, active) === "won";
  }

  /** The first vote of each member counts. */
  recordVote(id: bigint, granted: boolean): void {
    if (!this.votes.has(id)) this.votes.set(id, granted);
  }

  tally(): { granted: number; rejected: number; result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.progress) {
      const vote = progress.isLearner ? undefined : this.votes.get(id);
      if (vote === true) granted++;
      if (vote === false) rejected++;
    }
    return { granted, rejected, result: voteResult(this.configuration.voters, this.votes) };
  }
}
