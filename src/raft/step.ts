import { EMPTY_BYTES } from "../base/index.ts";
import { describeConfiguration, messageName } from "./describe.ts";
import {
  describeVoter,
  handleVoteRequest,
  isTransfer,
  maybeCampaign,
  rejectVote,
} from "./election.ts";
import { entriesBytes, payloadBytes } from "./entries.ts";
import { stepCandidate, stepFollower } from "./follower.ts";
import { propose, stepLeader } from "./leader.ts";
import type { Raft } from "./raft.ts";
import { broadcastAppend, maybeSendAppend } from "./replicate.ts";
import {
  type ConfChangeV2,
  type ConfState,
  ENTRY_TYPE,
  hex,
  MESSAGE_TYPE,
  type Message,
  message,
  NONE,
  type Refusal,
} from "./types.ts";

/** Takes a message. Local ones have term 0. Messages are not changed, and may come again. */
export function step(raft: Raft, m: Message): Refusal | undefined {
  if (m.term > raft.term && !admitNewerTerm(raft, m)) return undefined;
  if (m.term < raft.term && m.term !== 0) {
    handleOlderTerm(raft, m);
    return undefined;
  }
  switch (m.type) {
    case MESSAGE_TYPE.hup:
      maybeCampaign(raft, raft.config.preVote === true ? "preElection" : "election");
      return undefined;
    case MESSAGE_TYPE.storageAppendResp:
      handleStorageAppendResponse(raft, m);
      return undefined;
    case MESSAGE_TYPE.storageApplyResp:
      handleStorageApplyResponse(raft, m);
      return undefined;
    case MESSAGE_TYPE.vote:
    case MESSAGE_TYPE.preVote:
      handleVoteRequest(raft, m);
      return undefined;
    default:
      return stepRole(raft, m);
  }
}

function stepRole(raft: Raft, m: Message): Refusal | undefined {
  if (raft.role === "leader") return stepLeader(raft, m);
  return raft.role === "follower" ? stepFollower(raft, m) : stepCandidate(raft, m);
}

/** A message from a later term: follow it there, unless it must not disturb. */
function admitNewerTerm(raft: Raft, m: Message): boolean {
  const { type } = m;
  const isRequest = type === MESSAGE_TYPE.vote || type === MESSAGE_TYPE.preVote;
  if (isRequest && inLease(raft) && !isTransfer(m)) {
    const ticks = raft.config.electionTicks - raft.electionElapsed;
    raft.logger.info?.(
      `${describeVoter(raft)} ignored ${messageName(type)} from ${hex(m.from)} ` +
        `[logterm: ${m.logTerm}, index: ${m.index}] at term ${raft.term}: ` +
        `lease is not expired (remaining ticks: ${ticks})`,
    );
    return false;
  }
  // Nobody has entered the term of a pre-vote. A refused one carries the term of who refused.
  if (type === MESSAGE_TYPE.preVote) return true;
  if (type === MESSAGE_TYPE.preVoteResp && !m.reject) return true;
  raft.logger.info?.(
    `${hex(raft.id)} [term: ${raft.term}] received a ${messageName(type)} message with higher ` +
      `term from ${hex(m.from)} [term: ${m.term}]`,
  );
  const isLeader =
    type === MESSAGE_TYPE.app || type === MESSAGE_TYPE.heartbeat || type === MESSAGE_TYPE.snap;
  raft.becomeFollower(m.term, isLeader ? m.from : NONE);
  return true;
}

/** Whether a leader was heard of so lately that no other one can be wanted (thesis §4.2.3). */
function inLease(raft: Raft): boolean {
  const { checkQuorum, electionTicks } = raft.config;
  return checkQuorum === true && raft.lead !== NONE && raft.electionElapsed < electionTicks;
}

function handleOlderTerm(raft: Raft, m: Message): void {
  const { type } = m;
  const { checkQuorum, preVote } = raft.config;
  const isFromLeader = type === MESSAGE_TYPE.heartbeat || type === MESSAGE_TYPE.app;
  if (isFromLeader && (checkQuorum === true || preVote === true)) {
    // This member is ahead in term, perhaps after it was cut off, and its votes are ignored by
    // those who have a leader. Tell that leader the term, else the member never gets back in.
    raft.send(message({ type: MESSAGE_TYPE.appResp, to: m.from }));
  } else if (type === MESSAGE_TYPE.preVote) {
    // An answer, not silence: a candidate with a lower term and more log must learn the term.
    rejectVote(raft, m);
  } else if (type === MESSAGE_TYPE.storageAppendResp) {
    handleStaleStorageResponse(raft, m);
  } else {
    raft.logger.info?.(
      `${hex(raft.id)} [term: ${raft.term}] ignored a ${messageName(type)} message with lower ` +
        `term from ${hex(m.from)} [term: ${m.term}]`,
    );
  }
}

/** Entries written under an earlier term may be under replacement; a snapshot is true forever. */
function handleStaleStorageResponse(raft: Raft, m: Message): void {
  if (m.index !== 0) {
    raft.logger.info?.(
      `${hex(raft.id)} [term: ${raft.term}] ignored entry appends from a ` +
        `${messageName(m.type)} message with lower term [term: ${m.term}]`,
    );
  }
  if (m.snapshot !== undefined) appliedSnapshot(raft, m.snapshot.meta.index);
}

function handleStorageAppendResponse(raft: Raft, m: Message): void {
  if (m.index !== 0) raft.log.unstable.stableTo({ index: m.index, term: m.logTerm });
  if (m.snapshot !== undefined) appliedSnapshot(raft, m.snapshot.meta.index);
}

function appliedSnapshot(raft: Raft, index: number): void {
  raft.log.unstable.stableSnapshotTo(index);
  appliedTo(raft, index, 0);
}

function handleStorageApplyResponse(raft: Raft, m: Message): void {
  const last = m.entries.at(-1);
  if (last === undefined) return;
  appliedTo(raft, last.index, entriesBytes(m.entries));
  raft.releaseUncommitted(payloadBytes(m.entries));
}

function appliedTo(raft: Raft, index: number, bytes: number): void {
  const { log, tracker } = raft;
  const applied = Math.max(index, log.applied);
  log.appliedTo(applied, bytes);
  if (!tracker.configuration.autoLeave || raft.role !== "leader") return;
  if (applied >= raft.pendingConfIndex) leaveJoint(raft);
}

/** Proposes the empty change. If it is dropped it is tried again with the next applied entry. */
function leaveJoint(raft: Raft): void {
  const change = { term: 0, index: 0, type: ENTRY_TYPE.confChangeV2, data: EMPTY_BYTES };
  const configuration = describeConfiguration(raft.tracker.configuration);
  const refusal = propose(raft, [change]);
  if (refusal === undefined) {
    raft.logger.info?.(
      `initiating automatic transition out of joint configuration ${configuration}`,
    );
  } else {
    raft.logger.debug?.(
      "not initiating automatic transition out of joint configuration " +
        `${configuration}: ${refusal}`,
    );
  }
}

/** Makes a committed change of the configuration take effect. */
export function applyConfChange(raft: Raft, change: ConfChangeV2): ConfState {
  raft.useMembership(raft.changed(change));
  const state = raft.tracker.confState();
  if (raft.role === "leader") settleLeader(raft);
  return state;
}

/** The leader of a new configuration: is it still one, what is committed now, who is new. */
function settleLeader(raft: Raft): void {
  if (raft.isLearner || !raft.tracker.progress.has(raft.id)) {
    if (raft.config.stepDownOnRemoval === true) raft.becomeFollower(raft.term, NONE);
    return;
  }
  if (raft.maybeCommit()) {
    broadcastAppend(raft);
  } else {
    // Newcomers need not wait for the next heartbeat.
    for (const [to, progress] of raft.others()) {
      maybeSendAppend(raft, to, progress, { empty: false });
    }
  }
  if (!raft.tracker.isVoter(raft.leadTransferee)) raft.leadTransferee = NONE;
}

/** One tick of the clock has passed. */
export function tick(raft: Raft): void {
  if (raft.role === "leader") tickHeartbeat(raft);
  else tickElection(raft);
}

function tickElection(raft: Raft): void {
  raft.electionElapsed++;
  if (!raft.isPromotable || raft.electionElapsed < raft.electionTimeout) return;
  raft.electionElapsed = 0;
  step(raft, message({ type: MESSAGE_TYPE.hup, to: NONE, from: raft.id }));
}

function tickHeartbeat(raft: Raft): void {
  const { electionTicks, heartbeatTicks, checkQuorum } = raft.config;
  raft.heartbeatElapsed++;
  raft.electionElapsed++;
  if (raft.electionElapsed >= electionTicks) {
    raft.electionElapsed = 0;
    const from = raft.id;
    if (checkQuorum) step(raft, message({ type: MESSAGE_TYPE.checkQuorum, to: NONE, from }));
    raft.leadTransferee = NONE;
  }
  if (raft.role !== "leader" || raft.heartbeatElapsed < heartbeatTicks) return;
  raft.heartbeatElapsed = 0;
  step(raft, message({ type: MESSAGE_TYPE.beat, to: NONE, from: raft.id }));
}
