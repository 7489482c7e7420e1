import { EMPTY_BYTES, equalBytes, textToBytes } from "../base/index.ts";
import { messageName } from "./describe.ts";
import type { Raft } from "./raft.ts";
import { broadcastAppend } from "./replicate.ts";
import { type EntryId, hex, MESSAGE_TYPE, type Message, message, NONE } from "./types.ts";

/** In vote requests of a member that the leader itself has asked to take over. */
const TRANSFER = textToBytes("CampaignTransfer");

export type Campaign = "preElection" | "election" | "transfer";

/** Campaigns, unless this member leads already or must not lead. */
export function maybeCampaign(raft: Raft, campaign: Campaign): void {
  const { logger, id, term } = raft;
  if (raft.role === "leader") {
    logger.debug?.(`${hex(id)} ignoring MsgHup because already leader`);
  } else if (!raft.isPromotable) {
    logger.warning?.(`${hex(id)} is unpromotable and can not campaign`);
  } else if (raft.log.hasUnappliedConfChange()) {
    // Who may vote is about to change, so the quorum asked now could be a wrong one.
    logger.warning?.(
      `${hex(id)} cannot campaign at term ${term} ` +
        "since there are still pending configuration changes to apply",
    );
  } else {
    logger.info?.(`${hex(id)} is starting a new election at term ${term}`);
    startCampaign(raft, campaign);
  }
}

function startCampaign(raft: Raft, campaign: Campaign): void {
  const isPreElection = campaign === "preElection";
  if (isPreElection) raft.becomePreCandidate();
  else raft.becomeCandidate();
  // A pre-candidate asks about the term that it would campaign for.
  const term = isPreElection ? raft.term + 1 : raft.term;
  const type = isPreElection ? MESSAGE_TYPE.preVote : MESSAGE_TYPE.vote;
  const context = campaign === "transfer" ? TRANSFER : EMPTY_BYTES;
  const last = raft.log.lastEntry();
  for (const to of raft.tracker.voters) {
    if (to === raft.id) {
      // Its own vote counts like any other: when it is durable.
      raft.send(message({ type: voteResponse(type), to, term }));
      continue;
    }
    raft.logger.info?.(
      `${hex(raft.id)} [logterm: ${last.term}, index: ${last.index}] ` +
        `sent ${messageName(type)} request to ${hex(to)} at term ${raft.term}`,
    );
    raft.send(message({ type, to, term, index: last.index, logTerm: last.term, context }));
  }
}

function voteResponse(type: number): number {
  return type === MESSAGE_TYPE.vote ? MESSAGE_TYPE.voteResp : MESSAGE_TYPE.preVoteResp;
}

export function isTransfer(m: Message): boolean {
  return equalBytes(m.context, TRANSFER);
}

/** A vote or pre-vote request of this term or, for a pre-vote, a later one. */
export function handleVoteRequest(raft: Raft, m: Message): void {
  const mayVote =
    raft.vote === m.from ||
    (raft.vote === NONE && raft.lead === NONE) ||
    (m.type === MESSAGE_TYPE.preVote && m.term > raft.term);
  const theirs = { term: m.logTerm, index: m.index };
  // Learners vote too. A member may have been made a voter by an entry that it does not have yet,
  // and without its vote those who know could be too few to elect anyone.
  if (mayVote && raft.log.isUpToDate(theirs)) grantVote(raft, m, theirs);
  else rejectVote(raft, m);
}

function grantVote(raft: Raft, m: Message, theirs: EntryId): void {
  raft.logger.info?.(
    `${describeVoter(raft)} cast ${messageName(m.type)} for ${hex(m.from)} ` +
      `[logterm: ${theirs.term}, index: ${theirs.index}] at term ${raft.term}`,
  );
  // The term of the request: a pre-candidate ahead of us would ignore an answer from the past.
  raft.send(message({ type: voteResponse(m.type), to: m.from, term: m.term }));
  if (m.type !== MESSAGE_TYPE.vote) return;
  raft.electionElapsed = 0;
  raft.vote = m.from;
}

export function rejectVote(raft: Raft, m: Message): void {
  raft.logger.info?.(
    `${describeVoter(raft)} rejected ${messageName(m.type)} from ${hex(m.from)} ` +
      `[logterm: ${m.logTerm}, index: ${m.index}] at term ${raft.term}`,
  );
  const type = voteResponse(m.type);
  raft.send(message({ type, to: m.from, term: raft.term, reject: true }));
}

export function describeVoter(raft: Raft): string {
  const last = raft.log.lastEntry();
  return `${hex(raft.id)} [logterm: ${last.term}, index: ${last.index}, vote: ${hex(raft.vote)}]`;
}

/** An answer to the campaign that this candidate or pre-candidate runs. */
export function handleVoteResponse(raft: Raft, m: Message): void {
  const name = messageName(m.type);
  const kind = m.reject ? `${name} rejection` : name;
  raft.logger.info?.(`${hex(raft.id)} received ${kind} from ${hex(m.from)} at term ${raft.term}`);
  raft.tracker.recordVote(m.from, !m.reject);
  const { granted, rejected, result } = raft.tracker.tally();
  raft.logger.info?.(
    `${hex(raft.id)} has received ${granted} ${name} votes and ${rejected} vote rejections`,
  );
  if (result === "lost") {
    // Not the term of the message: that of a pre-vote is one that nobody has entered.
    raft.becomeFollower(raft.term, NONE);
  } else if (result === "won" && raft.role === "preCandidate") {
    startCampaign(raft, "election");
  } else if (result === "won") {
    raft.becomeLeader();
    broadcastAppend(raft);
  }
}
