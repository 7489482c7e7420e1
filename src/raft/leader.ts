import { EMPTY_BYTES } from "../base/index.ts";
import { asConfChangeV2, readConfChange } from "./confchange.ts";
import { describeConfChange, describeConfiguration, describeProgress } from "./describe.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { broadcastAppend, broadcastHeartbeat, maybeSendAppend } from "./replicate.ts";
import {
  type ConfChange,
  type ConfChangeV2,
  ENTRY_TYPE,
  type Entry,
  hex,
  MESSAGE_TYPE,
  type Message,
  message,
  NONE,
  panic,
  PROPOSAL_DROPPED,
  ProtoError,
  type Refusal,
} from "./types.ts";

/**
 * Reads kept until the leader has committed its first entry. More are dropped: who asked asks again
 * after a while.
 */
const WAITING_READS_MAX = 4096;

/** What a leader does with a message of its own term. */
export function stepLeader(raft: Raft, m: Message): Refusal | undefined {
  switch (m.type) {
    case MESSAGE_TYPE.prop:
      return propose(raft, m.entries);
    case MESSAGE_TYPE.beat:
      broadcastHeartbeat(raft);
      return undefined;
    case MESSAGE_TYPE.checkQuorum:
      checkQuorum(raft);
      return undefined;
    case MESSAGE_TYPE.readIndex:
      handleReadIndex(raft, m);
      return undefined;
    case MESSAGE_TYPE.forgetLeader:
      return undefined;
    default:
      stepFromMember(raft, m);
      return undefined;
  }
}

function stepFromMember(raft: Raft, m: Message): void {
  const progress = raft.tracker.progress.get(m.from);
  if (progress === undefined) {
    raft.logger.debug?.(`${hex(raft.id)} no progress available for ${hex(m.from)}`);
    return;
  }
  switch (m.type) {
    case MESSAGE_TYPE.appResp:
      progress.recentActive = true;
      if (m.reject) handleRejectedAppend(raft, m, progress);
      else handleAcceptedAppend(raft, m, progress);
      return;
    case MESSAGE_TYPE.heartbeatResp:
      handleHeartbeatResponse(raft, m, progress);
      return;
    case MESSAGE_TYPE.snapStatus:
      handleSnapshotStatus(raft, m, progress);
      return;
    case MESSAGE_TYPE.unreachable:
      handleUnreachable(raft, m, progress);
      return;
    case MESSAGE_TYPE.transferLeader:
      transferLeader(raft, m.from, progress);
  }
}

/** Appends proposals and sends them out. */
export function propose(raft: Raft, entries: readonly Entry[]): Refusal | undefined {
  if (entries.length === 0) panic(`${hex(raft.id)} stepped empty MsgProp`);
  // A leader that is no longer a member still leads until its successor is elected.
  if (!raft.tracker.progress.has(raft.id)) return PROPOSAL_DROPPED;
  if (raft.leadTransferee !== NONE) {
    raft.logger.debug?.(
      `${hex(raft.id)} [term ${raft.term}] transfer leadership to ` +
        `${hex(raft.leadTransferee)} is in progress; dropping proposal`,
    );
    return PROPOSAL_DROPPED;
  }
  const hasChange = entries.some((entry) => entry.type !== ENTRY_TYPE.normal);
  const checked = hasChange ? checkConfChanges(raft, entries) : entries;
  if (checked === undefined || !raft.appendEntries(checked)) return PROPOSAL_DROPPED;
  broadcastAppend(raft);
  return undefined;
}

/** The entries, with empty ones in place of refused changes; undefined if one cannot be read. */
function checkConfChanges(raft: Raft, entries: readonly Entry[]): readonly Entry[] | undefined {
  const checked = [...entries];
  for (const [i, entry] of entries.entries()) {
    if (entry.type === ENTRY_TYPE.normal) continue;
    const change = tryConfChange(entry);
    if (change === undefined) return undefined;
    const problem = confChangeProblem(raft, asConfChangeV2(change));
    if (problem === undefined || raft.config.disableConfChangeValidation === true) {
      raft.pendingConfIndex = raft.log.lastIndex + i + 1;
      continue;
    }
    raft.logger.info?.(
      `${hex(raft.id)} ignoring conf change ${describeConfChange(change)} at config ` +
        `${describeConfiguration(raft.tracker.configuration)}: ${problem}`,
    );
    checked[i] = { term: 0, index: 0, type: ENTRY_TYPE.normal, data: EMPTY_BYTES };
  }
  return checked;
}

function tryConfChange(entry: Entry): ConfChange | ConfChangeV2 | undefined {
  try {
    return readConfChange(entry);
  } catch (error) {
    if (error instanceof ProtoError) return undefined;
    throw error;
  }
}

/** Why the change may not follow the configuration in force, as far as is known here. */
function confChangeProblem(raft: Raft, change: ConfChangeV2): string | undefined {
  const isJoint = raft.tracker.configuration.voters.outgoing.length > 0;
  const wantsLeave = change.changes.length === 0;
  if (raft.pendingConfIndex > raft.log.applied) {
    return (
      `possible unapplied conf change at index ${raft.pendingConfIndex} ` +
      `(applied to ${raft.log.applied})`
    );
  }
  if (isJoint && !wantsLeave) return "must transition out of joint config first";
  if (!isJoint && wantsLeave) return "not in joint state; refusing empty conf change";
  return undefined;
}

/** Steps down when no quorum was heard of since the last check. */
function checkQuorum(raft: Raft): void {
  if (!raft.tracker.quorumActive()) {
    raft.logger.warning?.(`${hex(raft.id)} stepped down to follower since quorum is not active`);
    raft.becomeFollower(raft.term, NONE);
  }
  for (const [, progress] of raft.others()) progress.recentActive = false;
}

function handleRejectedAppend(raft: Raft, m: Message, progress: Progress): void {
  raft.logger.debug?.(
    `${hex(raft.id)} received MsgAppResp(rejected, hint: (index ${m.rejectHint}, ` +
      `term ${m.logTerm})) from ${hex(m.from)} for index ${m.index}`,
  );
  // The follower has `logTerm` at the hint, so entries of ours with a higher term up to there
  // cannot be in its log: no need to probe each. Members of old versions send no term.
  const hint =
    m.logTerm > 0 ? raft.log.findConflictByTerm(m.rejectHint, m.logTerm).index : m.rejectHint;
  if (!progress.maybeDecrease(m.index, hint)) return;
  raft.logger.debug?.(
    `${hex(raft.id)} decreased progress of ${hex(m.from)} to [${describeProgress(progress)}]`,
  );
  if (progress.state === "replicate") progress.becomeProbe();
  maybeSendAppend(raft, m.from, progress, { empty: true });
}

function handleAcceptedAppend(raft: Raft, m: Message, progress: Progress): void {
  const isNews = progress.maybeUpdate(m.index);
  // A probe may confirm what was known, and thereby that the logs meet there.
  if (!isNews && !(progress.state === "probe" && progress.match === m.index)) return;
  resumeReplication(raft, m, progress);
  if (raft.maybeCommit()) {
    releaseWaitingReads(raft);
    broadcastAppend(raft);
  } else if (m.from !== raft.id && progress.canBumpCommit(raft.log.committed)) {
    maybeSendAppend(raft, m.from, progress, { empty: true });
  }
  if (m.from === raft.id) return;
  while (maybeSendAppend(raft, m.from, progress, { empty: false }));
  if (m.from === raft.leadTransferee && progress.match === raft.log.lastIndex) {
    raft.logger.info?.(
      `${hex(raft.id)} sent MsgTimeoutNow to ${hex(m.from)} after received MsgAppResp`,
    );
    raft.send(message({ type: MESSAGE_TYPE.timeoutNow, to: m.from }));
  }
}

function resumeReplication(raft: Raft, m: Message, progress: Progress): void {
  if (progress.state === "probe") {
    progress.becomeReplicate();
  } else if (progress.state === "replicate") {
    progress.inflights.freeTo(m.index);
  } else if (progress.match + 1 >= raft.log.firstIndex) {
    // Whatever brought the member so far, the log suffices from here.
    raft.logger.debug?.(
      `${hex(raft.id)} recovered from needing snapshot, resumed sending replication messages ` +
        `to ${hex(m.from)} [${describeProgress(progress)}]`,
    );
    progress.becomeProbe();
    progress.becomeReplicate();
  }
}

function handleHeartbeatResponse(raft: Raft, m: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.paused = false;
  if (progress.match < raft.log.lastIndex || progress.state === "probe") {
    maybeSendAppend(raft, m.from, progress, { empty: true });
  }
  if (raft.config.readOnly === "leaseBased" || m.context.length === 0) return;
  raft.reads.acknowledge(m.from, m.context);
  const confirmed = raft.reads.takeConfirmed(raft.tracker.configuration.voters);
  for (const { request, index } of confirmed) answerRead(raft, request, index);
}

function handleSnapshotStatus(raft: Raft, m: Message, progress: Progress): void {
  if (progress.state !== "snapshot") return;
  if (m.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  raft.logger.debug?.(
    `${hex(raft.id)} snapshot ${m.reject ? "failed" : "succeeded"}, resumed sending replication ` +
      `messages to ${hex(m.from)} [${describeProgress(progress)}]`,
  );
  // After success wait for the member to say that it has the snapshot, after failure for the next
  // heartbeat.
  progress.paused = true;
}

function handleUnreachable(raft: Raft, m: Message, progress: Progress): void {
  // What was sent without waiting is probably lost.
  if (progress.state === "replicate") progress.becomeProbe();
  raft.logger.debug?.(
    `${hex(raft.id)} failed to send message to ${hex(m.from)} because it is unreachable ` +
      `[${describeProgress(progress)}]`,
  );
}

function transferLeader(raft: Raft, to: bigint, progress: Progress): void {
  if (!admitTransfer(raft, to, progress)) return;
  const { logger, id, term } = raft;
  logger.info?.(`${hex(id)} [term ${term}] starts to transfer leadership to ${hex(to)}`);
  // The transfer has one election timeout from now.
  raft.electionElapsed = 0;
  raft.leadTransferee = to;
  if (progress.match === raft.log.lastIndex) {
    raft.send(message({ type: MESSAGE_TYPE.timeoutNow, to }));
    logger.info?.(
      `${hex(id)} sends MsgTimeoutNow to ${hex(to)} immediately ` +
        `as ${hex(to)} already has up-to-date log`,
    );
  } else {
    maybeSendAppend(raft, to, progress, { empty: true });
  }
}

function admitTransfer(raft: Raft, to: bigint, progress: Progress): boolean {
  const { logger, id, term, leadTransferee } = raft;
  if (progress.isLearner) {
    logger.debug?.(`${hex(id)} is learner. Ignored transferring leadership`);
    return false;
  }
  if (leadTransferee === to) {
    logger.info?.(
      `${hex(id)} [term ${term}] transfer leadership to ${hex(to)} is in progress, ` +
        `ignores request to same node ${hex(to)}`,
    );
    return false;
  }
  if (leadTransferee !== NONE) {
    raft.leadTransferee = NONE;
    logger.info?.(
      `${hex(id)} [term ${term}] abort previous transferring leadership to ${hex(leadTransferee)}`,
    );
  }
  if (to === id) {
    logger.debug?.(`${hex(id)} is already leader. Ignored transferring leadership to self`);
    return false;
  }
  return true;
}

function handleReadIndex(raft: Raft, m: Message): void {
  if (raft.tracker.isSingleton) {
    answerRead(raft, m, raft.log.committed);
  } else if (committedInTerm(raft)) {
    startRead(raft, m);
  } else if (raft.waitingReads.length < WAITING_READS_MAX) {
    raft.waitingReads.push(m);
  }
}

/** Until then the commit index may be behind what an earlier leader has told its clients. */
function committedInTerm(raft: Raft): boolean {
  return raft.log.term(raft.log.committed) === raft.term;
}

function releaseWaitingReads(raft: Raft): void {
  if (raft.waitingReads.length === 0 || !committedInTerm(raft)) return;
  const waiting = raft.waitingReads;
  raft.waitingReads = [];
  for (const m of waiting) startRead(raft, m);
}

function startRead(raft: Raft, m: Message): void {
  if (raft.config.readOnly === "leaseBased") {
    answerRead(raft, m, raft.log.committed);
    return;
  }
  raft.reads.add(m, raft.log.committed);
  raft.reads.acknowledge(raft.id, raft.reads.heartbeatContext());
  broadcastHeartbeat(raft);
}

function answerRead(raft: Raft, request: Message, index: number): void {
  const { from, entries } = request;
  if (from !== NONE && from !== raft.id) {
    raft.send(message({ type: MESSAGE_TYPE.readIndexResp, to: from, index, entries }));
    return;
  }
  raft.readStates.push({ index, context: entries[0]?.data ?? EMPTY_BYTES });
}
