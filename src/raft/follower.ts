import { describeConfState, roleName } from "./describe.ts";
import { handleVoteResponse, maybeCampaign } from "./election.ts";
import type { Raft } from "./raft.ts";
import {
  hex,
  MESSAGE_TYPE,
  type Message,
  message,
  NONE,
  PROPOSAL_DROPPED,
  type Refusal,
  type Snapshot,
} from "./types.ts";

/** What a follower, candidate or pre-candidate does with a message of its own term. */

export function stepFollower(raft: Raft, m: Message): Refusal | undefined {
  switch (m.type) {
    case MESSAGE_TYPE.prop:
      return forwardProposal(raft, m);
    case MESSAGE_TYPE.app:
    case MESSAGE_TYPE.heartbeat:
    case MESSAGE_TYPE.snap:
      raft.electionElapsed = 0;
      raft.lead = m.from;
      handleFromLeader(raft, m);
      return undefined;
    case MESSAGE_TYPE.transferLeader:
      forwardOrDrop(raft, m, "leader transfer msg");
      return undefined;
    case MESSAGE_TYPE.readIndex:
      forwardOrDrop(raft, m, "index reading msg");
      return undefined;
    case MESSAGE_TYPE.forgetLeader:
      forgetLeader(raft);
      return undefined;
    case MESSAGE_TYPE.timeoutNow:
      takeOver(raft, m);
      return undefined;
    case MESSAGE_TYPE.readIndexResp:
      handleReadIndexResponse(raft, m);
      return undefined;
    default:
      return undefined;
  }
}

/** A candidate that hears of a leader of its own term has lost. */
export function stepCandidate(raft: Raft, m: Message): Refusal | undefined {
  const response = raft.role === "preCandidate" ? MESSAGE_TYPE.preVoteResp : MESSAGE_TYPE.voteResp;
  switch (m.type) {
    case MESSAGE_TYPE.prop:
      return dropWithoutLeader(raft);
    case MESSAGE_TYPE.app:
    case MESSAGE_TYPE.heartbeat:
    case MESSAGE_TYPE.snap:
      raft.becomeFollower(m.term, m.from);
      handleFromLeader(raft, m);
      return undefined;
    case response:
      handleVoteResponse(raft, m);
      return undefined;
    case MESSAGE_TYPE.timeoutNow:
      raft.logger.debug?.(
        `${hex(raft.id)} [term ${raft.term} state ${roleName(raft.role)}] ` +
          `ignored MsgTimeoutNow from ${hex(m.from)}`,
      );
      return undefined;
    default:
      return undefined;
  }
}

function handleFromLeader(raft: Raft, m: Message): void {
  if (m.type === MESSAGE_TYPE.app) handleAppend(raft, m);
  else if (m.type === MESSAGE_TYPE.heartbeat) handleHeartbeat(raft, m);
  else if (m.snapshot !== undefined) handleSnapshot(raft, m.from, m.snapshot);
}

function dropWithoutLeader(raft: Raft): Refusal {
  const { logger, id, term } = raft;
  logger.info?.(`${hex(id)} no leader at term ${term}; dropping proposal`);
  return PROPOSAL_DROPPED;
}

function forwardProposal(raft: Raft, m: Message): Refusal | undefined {
  if (raft.lead === NONE) return dropWithoutLeader(raft);
  raft.send({ ...m, to: raft.lead });
  return undefined;
}

function forwardOrDrop(raft: Raft, m: Message, what: string): void {
  if (raft.lead !== NONE) raft.send({ ...m, to: raft.lead });
  else raft.logger.info?.(`${hex(raft.id)} no leader at term ${raft.term}; dropping ${what}`);
}

function forgetLeader(raft: Raft): void {
  // Leases rest on followers who keep to the leader they know.
  if (raft.config.readOnly === "leaseBased") {
    raft.logger.error?.("ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
  } else if (raft.lead !== NONE) {
    raft.logger.info?.(`${hex(raft.id)} forgetting leader ${hex(raft.lead)} at term ${raft.term}`);
    raft.lead = NONE;
  }
}

/** The leader hands over. No pre-vote: that there is a leader is known, and it agrees. */
function takeOver(raft: Raft, m: Message): void {
  raft.logger.info?.(
    `${hex(raft.id)} [term ${raft.term}] received MsgTimeoutNow from ${hex(m.from)} ` +
      "and starts an election to get leadership.",
  );
  maybeCampaign(raft, "transfer");
}

function handleReadIndexResponse(raft: Raft, m: Message): void {
  const [entry] = m.entries;
  if (entry === undefined || m.entries.length > 1) {
    raft.logger.error?.(
      `${hex(raft.id)} invalid format of MsgReadIndexResp from ${hex(m.from)}, ` +
        `entries count: ${m.entries.length}`,
    );
    return;
  }
  raft.readStates.push({ index: m.index, context: entry.data });
}

function handleAppend(raft: Raft, m: Message): void {
  const { log } = raft;
  const type = MESSAGE_TYPE.appResp;
  const to = m.from;
  if (m.index < log.committed) {
    raft.send(message({ type, to, index: log.committed }));
    return;
  }
  const previous = { index: m.index, term: m.logTerm };
  const index = log.maybeAppend({ previous, entries: m.entries }, m.commit);
  if (index !== undefined) {
    raft.send(message({ type, to, index }));
    return;
  }
  raft.logger.debug?.(
    `${hex(raft.id)} [logterm: ${log.term(m.index) ?? 0}, index: ${m.index}] rejected MsgApp ` +
      `[logterm: ${m.logTerm}, index: ${m.index}] from ${hex(to)}`,
  );
  // Entries whose term is above that of the refused one cannot be in the leader's log up to
  // there: say where ours fall to it, and the leader skips them all at once.
  const hint = log.findConflictByTerm(Math.min(m.index, log.lastIndex), m.logTerm);
  raft.send(
    message({
      type,
      to,
      index: m.index,
      reject: true,
      rejectHint: hint.index,
      logTerm: hint.term,
    }),
  );
}

function handleHeartbeat(raft: Raft, m: Message): void {
  raft.log.commitTo(m.commit);
  raft.send(message({ type: MESSAGE_TYPE.heartbeatResp, to: m.from, context: m.context }));
}

function handleSnapshot(raft: Raft, to: bigint, snapshot: Snapshot): void {
  const { log } = raft;
  const { index, term } = snapshot.meta;
  const restored = maybeRestore(raft, snapshot);
  const verb = restored ? "restored" : "ignored";
  raft.logger.info?.(
    `${hex(raft.id)} [commit: ${log.committed}] ${verb} snapshot ` +
      `[index: ${index}, term: ${term}]`,
  );
  const answer = restored ? log.lastIndex : log.committed;
  raft.send(message({ type: MESSAGE_TYPE.appResp, to, index: answer }));
}

/** Replaces log and configuration by the snapshot, unless the log has all of it already. */
function maybeRestore(raft: Raft, snapshot: Snapshot): boolean {
  const { log, logger } = raft;
  const { index, term, confState } = snapshot.meta;
  if (index <= log.committed) return false;
  const { voters, learners, votersOutgoing } = confState;
  if (![voters, learners, votersOutgoing].some((ids) => ids.includes(raft.id))) {
    logger.warning?.(
      `${hex(raft.id)} attempted to restore snapshot but it is not in the ConfState ` +
        `${describeConfState(confState)}; should never happen`,
    );
    return false;
  }
  if (log.matches({ index, term })) {
    logger.info?.(
      `${describeEnd(raft)} fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  raft.restoreConfiguration(confState);
  logger.info?.(`${describeEnd(raft)} restored snapshot [index: ${index}, term: ${term}]`);
  return true;
}

function describeEnd(raft: Raft): string {
  const last = raft.log.lastEntry();
  return (
    `${hex(raft.id)} [commit: ${raft.log.committed}, lastindex: ${last.index}, ` +
    `lastterm: ${last.term}]`
  );
}
