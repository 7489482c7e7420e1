import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { ascending } from "./quorum.ts";
import {
  type Configuration,
  EMPTY_MEMBERSHIP,
  type InflightLimits,
  type Membership,
  type ProgressMap,
} from "./tracker.ts";
import {
  CONF_CHANGE_TYPE,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeV2,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  ENTRY_TYPE,
  type Entry,
  TRANSITION,
} from "./types.ts";

/** A change that the current configuration does not allow. */
export class ConfChangeError extends Error {}

/** The change that an entry holds. Throws ProtoError. */
export function readConfChange({ type, data }: Entry): ConfChange | ConfChangeV2 {
  return type === ENTRY_TYPE.confChange ? decodeConfChange(data) : decodeConfChangeV2(data);
}

/** The change in its newer form, which can say everything the older one can. */
export function asConfChangeV2(change: ConfChange | ConfChangeV2): ConfChangeV2 {
  if ("changes" in change) return change;
  const { type, nodeId, context } = change;
  return { transition: TRANSITION.auto, changes: [{ type, nodeId }], context };
}

/** Whether the change asks to leave a joint configuration: it says nothing at all. */
export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === TRANSITION.auto && change.changes.length === 0;
}

/** Whether the change goes through a joint configuration: when asked to, or with several steps. */
export function entersJoint(change: ConfChangeV2): boolean {
  return change.transition !== TRANSITION.auto || change.changes.length > 1;
}

/** A configuration while it is being changed. */
interface Draft {
  incoming: Set<bigint>;
  outgoing: Set<bigint>;
  learners: Set<bigint>;
  learnersNext: Set<bigint>;
  progress: Map<bigint, Progress>;
}

/**
 * Computes what a configuration becomes. Nothing given to it is changed, so a refused change
 * (ConfChangeError) leaves no trace.
 */
export class Changer {
  readonly #from: Membership;
  /** A new member is probed at the leader's last index first. */
  readonly #lastIndex: number;
  readonly #limits: InflightLimits;

  constructor(from: Membership, lastIndex: number, limits: InflightLimits) {
    this.#from = from;
    this.#lastIndex = lastIndex;
    this.#limits = limits;
  }

  /** Carries out a change by the way it asks for. */
  change(change: ConfChangeV2): Membership {
    if (leavesJoint(change)) return this.leaveJoint();
    if (!entersJoint(change)) return this.simple(change.changes);
    const autoLeave = change.transition !== TRANSITION.jointExplicit;
    return this.enterJoint(change.changes, { autoLeave });
  }

  /** Changes at most one voter: the old and the new majority overlap without a joint phase. */
  simple(changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) {
      throw new ConfChangeError("can't apply simple config change in joint config");
    }
    const before = new Set(draft.incoming);
    this.#apply(draft, changes);
    if (missing(before, draft.incoming) + missing(draft.incoming, before) > 1) {
      throw new ConfChangeError("more than one voter changed without entering joint config");
    }
    return finish(draft, false);
  }

  /** From `C_old` to `C_old,new`: both majorities decide together (thesis §4.3). */
  enterJoint(changes: readonly ConfChangeSingle[], { autoLeave = false }): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) throw new ConfChangeError("config is already joint");
    if (draft.incoming.size === 0) {
      throw new ConfChangeError("can't make a zero-voter config joint");
    }
    draft.outgoing = new Set(draft.incoming);
    this.#apply(draft, changes);
    return finish(draft, autoLeave);
  }

  /** From `C_old,new` to `C_new`; demoted voters become learners now. */
  leaveJoint(): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size === 0) throw new ConfChangeError("can't leave a non-joint config");
    for (const id of draft.learnersNext) {
      draft.learners.add(id);
      draft.progress.get(id)!.isLearner = true;
    }
    draft.learnersNext.clear();
    for (const id of draft.outgoing) {
      if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
    }
    draft.outgoing.clear();
    return finish(draft, false);
  }

  #draft(): Draft {
    const { voters, learners, learnersNext } = this.#from.configuration;
    const progress = new Map<bigint, Progress>();
    for (const [id, known] of this.#from.progress) progress.set(id, known.clone());
    return {
      incoming: new Set(voters.incoming),
      outgoing: new Set(voters.outgoing),
      learners: new Set(learners),
      learnersNext: new Set(learnersNext),
      progress,
    };
  }

  #apply(draft: Draft, changes: readonly ConfChangeSingle[]): void {
    for (const { type, nodeId } of changes) {
      // The application turns a change that it rejects into one of nobody.
      if (nodeId === 0n) continue;
      if (type === CONF_CHANGE_TYPE.addNode) this.#makeVoter(draft, nodeId);
      else if (type === CONF_CHANGE_TYPE.addLearner) this.#makeLearner(draft, nodeId);
      else if (type === CONF_CHANGE_TYPE.removeNode) remove(draft, nodeId);
      else if (type !== CONF_CHANGE_TYPE.updateNode) {
        throw new ConfChangeError(`unexpected conf type ${type}`);
      }
    }
    if (draft.incoming.size === 0) throw new ConfChangeError("removed all voters");
  }

  #makeVoter(draft: Draft, id: bigint): void {
    const progress = draft.progress.get(id);
    if (progress === undefined) this.#addProgress(draft, id, false);
    else progress.isLearner = false;
    draft.learners.delete(id);
    draft.learnersNext.delete(id);
    draft.incoming.add(id);
  }

  #makeLearner(draft: Draft, id: bigint): void {
    const progress = draft.progress.get(id);
    if (progress === undefined) {
      this.#addProgress(draft, id, true);
      draft.learners.add(id);
      return;
    }
    if (progress.isLearner) return;
    remove(draft, id);
    draft.progress.set(id, progress);
    // Nobody is voter and learner at once, so an outgoing voter must wait for the end of the
    // joint configuration.
    if (draft.outgoing.has(id)) {
      draft.learnersNext.add(id);
    } else {
      progress.isLearner = true;
      draft.learners.add(id);
    }
  }

  #addProgress(draft: Draft, id: bigint, isLearner: boolean): void {
    const inflights = new Inflights(this.#limits.messagesMax, this.#limits.bytesMax);
    const next = Math.max(this.#lastIndex, 1);
    const progress = new Progress({ next, inflights, isLearner });
    // Else the next quorum check would count the newcomer as lost before it could have answered.
    progress.recentActive = true;
    draft.progress.set(id, progress);
  }
}

/** How many of `from` are not in `others`. */
function missing(from: ReadonlySet<bigint>, others: ReadonlySet<bigint>): number {
  let count = 0;
  for (const id of from) if (!others.has(id)) count++;
  return count;
}

function remove(draft: Draft, id: bigint): void {
  if (!draft.progress.has(id)) return;
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (!draft.outgoing.has(id)) draft.progress.delete(id);
}

function finish(draft: Draft, autoLeave: boolean): Membership {
  checkDraft(draft);
  const voters = { incoming: ascending(draft.incoming), outgoing: ascending(draft.outgoing) };
  const learners = ascending(draft.learners);
  const learnersNext = ascending(draft.learnersNext);
  const progress: ProgressMap = new Map(
    ascending(draft.progress.keys()).map((id) => [id, draft.progress.get(id)!]),
  );
  return { configuration: { voters, learners, learnersNext, autoLeave }, progress };
}

function checkDraft(draft: Draft): void {
  const { incoming, outgoing, learners, learnersNext, progress } = draft;
  for (const id of [...incoming, ...outgoing, ...learners, ...learnersNext]) {
    check(progress.has(id), `no progress for ${id}`);
  }
  for (const id of learnersNext) {
    check(outgoing.has(id), `${id} is in LearnersNext, but not Voters[1]`);
  }
  for (const id of learners) {
    check(!outgoing.has(id), `${id} is in Learners and Voters[1]`);
    check(!incoming.has(id), `${id} is in Learners and Voters[0]`);
  }
  for (const [id, { isLearner }] of progress) {
    check(isLearner === learners.has(id), `${id} is not marked as its configuration says`);
  }
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new ConfChangeError(otherwise);
}

/** Builds the configuration that a snapshot describes, from nothing, by ordinary changes. */
export function restoreMembership(
  state: ConfState,
  lastIndex: number,
  limits: InflightLimits,
): Membership {
  const { addNode, addLearner, removeNode } = CONF_CHANGE_TYPE;
  const arrivals = [
    ...changeEach(addNode, state.voters),
    ...changeEach(addLearner, state.learners),
    ...changeEach(addLearner, state.learnersNext),
  ];
  // A joint configuration is reached as it once was: first what is now outgoing, then the change.
  const isJoint = state.votersOutgoing.length > 0;
  let membership = EMPTY_MEMBERSHIP;
  for (const step of isJoint ? changeEach(addNode, state.votersOutgoing) : arrivals) {
    membership = new Changer(membership, lastIndex, limits).simple([step]);
  }
  if (isJoint) {
    const changes = [...changeEach(removeNode, state.votersOutgoing), ...arrivals];
    const { autoLeave } = state;
    membership = new Changer(membership, lastIndex, limits).enterJoint(changes, { autoLeave });
  }
  checkRestored(membership.configuration, state);
  return membership;
}

function changeEach(type: number, ids: readonly bigint[]): ConfChangeSingle[] {
  return ids.map((nodeId) => ({ type, nodeId }));
}

/** A state that names someone twice, or in two roles, was never that of a configuration. */
function checkRestored(configuration: Configuration, state: ConfState): void {
  const { voters, learners, learnersNext } = configuration;
  check(
    isSame(voters.incoming, state.voters) &&
      isSame(voters.outgoing, state.votersOutgoing) &&
      isSame(learners, state.learners) &&
      isSame(learnersNext, state.learnersNext),
    "ConfStates not equivalent after sorting",
  );
}

function isSame(ids: readonly bigint[], unsorted: readonly bigint[]): boolean {
  return ids.join() === ascending(unsorted).join();
}
