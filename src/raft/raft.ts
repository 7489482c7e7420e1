import { EMPTY_BYTES } from "../base/index.ts";
import { Changer, restoreMembership } from "./confchange.ts";
import { checkConfig, type RaftConfig } from "./config.ts";
import { describeConfiguration } from "./describe.ts";
import { payloadBytes } from "./entries.ts";
import { RaftLog } from "./log.ts";
import type { Progress } from "./progress.ts";
import { ReadQueue } from "./read-index.ts";
import { type Membership, Tracker } from "./tracker.ts";
import {
  type ConfChangeV2,
  type ConfState,
  ENTRY_TYPE,
  type Entry,
  type HardState,
  hex,
  type Logger,
  MESSAGE_TYPE,
  type Message,
  message,
  NONE,
  panic,
  type ReadState,
  type Role,
  type SoftState,
} from "./types.ts";

const SILENT: Logger = {};
const EMPTY_ENTRY: Entry = { term: 0, index: 0, type: ENTRY_TYPE.normal, data: EMPTY_BYTES };

/**
 * The state of one member and the transitions between its roles. What the member does with a
 * message or a tick stands beside it: `step.ts` for all roles, `election.ts`, `leader.ts`,
 * `follower.ts`, `replicate.ts`.
 */
export class Raft {
  readonly id: bigint;
  readonly config: RaftConfig;
  readonly logger: Logger;
  readonly log: RaftLog;
  tracker: Tracker;

  term = 0;
  vote = NONE;
  role: Role = "follower";
  lead = NONE;
  isLearner = false;
  /** The member that leadership is being handed to. */
  leadTransferee = NONE;

  /** Messages to others that may leave at once. */
  messages: Message[] = [];
  /**
   * Answers that promise something durable, to others and to itself: they must wait until all that
   * is unstable now has been written. A vote that is heard of and then forgotten in a crash could
   * be given twice, an entry acknowledged and then lost could be uncommitted again (thesis §3.8).
   */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  /**
   * No configuration change is proposed until this index is applied: only one may be pending, since
   * the next one could need another quorum.
   */
  pendingConfIndex = 0;
  /** Bytes of data proposed and not applied: an estimate, never above the truth. */
  #uncommittedBytes = 0;

  reads = new ReadQueue();
  /** Reads that came before the leader had committed an entry of its own term. */
  waitingReads: Message[] = [];

  /** Ticks since the last election timeout, or since the leader was last heard of. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Ticks after which this member campaigns: drawn anew at every change of role. */
  electionTimeout = 0;

  constructor(config: RaftConfig) {
    checkConfig(config);
    const { storage, messageBytesMax, inflightMessagesMax, inflightBytesMax } = config;
    this.id = config.id;
    this.config = config;
    this.logger = config.logger ?? SILENT;
    this.log = new RaftLog(storage, this.logger, config.committedBytesMax ?? messageBytesMax);
    this.tracker = new Tracker({
      messagesMax: inflightMessagesMax,
      bytesMax: inflightBytesMax ?? Infinity,
    });
    const { hardState, confState } = storage.initialState();
    this.restoreConfiguration(confState);
    if (hardState !== undefined) this.#loadState(hardState);
    if (config.applied !== undefined && config.applied > 0) this.log.appliedTo(config.applied, 0);
    this.becomeFollower(this.term, NONE);
    this.#logStart();
  }

  #loadState({ term, vote, commit }: HardState): void {
    if (term === 0 && vote === NONE && commit === 0) return;
    const { committed, lastIndex } = this.log;
    if (commit < committed || commit > lastIndex) {
      panic(`${hex(this.id)} state.commit ${commit} is out of range [${committed}, ${lastIndex}]`);
    }
    this.log.committed = commit;
    this.term = term;
    this.vote = vote;
  }

  #logStart(): void {
    const peers = this.tracker.voters.map(hex).join(",");
    const { committed, applied } = this.log;
    const last = this.log.lastEntry();
    this.logger.info?.(
      `newRaft ${hex(this.id)} [peers: [${peers}], term: ${this.term}, commit: ${committed}, ` +
        `applied: ${applied}, lastindex: ${last.index}, lastterm: ${last.term}]`,
    );
  }

  get softState(): SoftState {
    return { lead: this.lead, role: this.role };
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Queues a message. The sender and, but for votes, the term are filled in. */
  send(m: Message): void {
    const from = m.from === NONE ? this.id : m.from;
    switch (m.type) {
      case MESSAGE_TYPE.vote:
      case MESSAGE_TYPE.preVote:
        this.messages.push({ ...m, from });
        return;
      case MESSAGE_TYPE.voteResp:
      case MESSAGE_TYPE.preVoteResp:
        this.messagesAfterAppend.push({ ...m, from });
        return;
      case MESSAGE_TYPE.appResp:
        this.messagesAfterAppend.push({ ...m, from, term: this.term });
        return;
      case MESSAGE_TYPE.prop:
      case MESSAGE_TYPE.readIndex:
        // Handed on to the leader of whatever term it is.
        this.messages.push({ ...m, from });
        return;
      default:
        this.messages.push({ ...m, from, term: this.term });
    }
  }

  #reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    const { electionTicks, random } = this.config;
    this.electionTimeout = electionTicks + random(electionTicks);
    this.leadTransferee = NONE;
    this.tracker.votes.clear();
    this.tracker.resetProgress(this.log.lastIndex + 1);
    const own = this.tracker.progress.get(this.id);
    if (own !== undefined) own.match = this.log.lastIndex;
    this.pendingConfIndex = 0;
    this.#uncommittedBytes = 0;
    this.reads = new ReadQueue();
  }

  becomeFollower(term: number, lead: bigint): void {
    this.#reset(term);
    this.lead = lead;
    this.role = "follower";
    this.logger.info?.(`${hex(this.id)} became follower at term ${this.term}`);
  }

  becomeCandidate(): void {
    if (this.role === "leader") panic("invalid transition [leader -> candidate]");
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = "candidate";
    this.logger.info?.(`${hex(this.id)} became candidate at term ${this.term}`);
  }

  /** Neither the term nor the vote changes before others have said that an election makes sense. */
  becomePreCandidate(): void {
    if (this.role === "leader") panic("invalid transition [leader -> pre-candidate]");
    this.tracker.votes.clear();
    this.lead = NONE;
    this.role = "preCandidate";
    this.logger.info?.(`${hex(this.id)} became pre-candidate at term ${this.term}`);
  }

  becomeLeader(): void {
    if (this.role === "follower") panic("invalid transition [follower -> leader]");
    this.#reset(this.term);
    this.lead = this.id;
    this.role = "leader";
    const own = this.tracker.progress.get(this.id);
    if (own !== undefined) {
      own.becomeReplicate();
      own.recentActive = true;
    }
    // The end of the log may hold a configuration change; to look would cost more than to wait.
    this.pendingConfIndex = this.log.lastIndex;
    // Entries of earlier terms commit only behind one of this term (§5.4.2).
    this.appendEntries([EMPTY_ENTRY]);
    this.logger.info?.(`${hex(this.id)} became leader at term ${this.term}`);
  }

  /** Appends proposals to the leader's log. False when too much is uncommitted already. */
  appendEntries(proposals: readonly Entry[]): boolean {
    const { term } = this;
    let index = this.log.lastIndex;
    if (!this.#reserveUncommitted(payloadBytes(proposals))) {
      this.logger.warning?.(
        `${hex(this.id)} appending new entries to log would exceed uncommitted entry size ` +
          "limit; dropping proposal",
      );
      return false;
    }
    this.log.append(proposals.map(({ type, data }) => ({ term, index: ++index, type, data })));
    // The leader counts its own copy too, once it is durable.
    this.send(message({ type: MESSAGE_TYPE.appResp, to: this.id, index }));
    return true;
  }

  /** Entries without data always pass: a new leader's first one, and leaving a joint state. */
  #reserveUncommitted(bytes: number): boolean {
    const limit = this.config.uncommittedBytesMax ?? Infinity;
    const total = this.#uncommittedBytes + bytes;
    if (this.#uncommittedBytes > 0 && bytes > 0 && total > limit) return false;
    this.#uncommittedBytes = total;
    return true;
  }

  releaseUncommitted(bytes: number): void {
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - bytes);
  }

  /** Commits what a quorum of the configuration now has. */
  maybeCommit(): boolean {
    return this.log.maybeCommit({ term: this.term, index: this.tracker.committed() });
  }

  /** Whether this member may campaign: a voter that is not waiting for a snapshot. */
  get isPromotable(): boolean {
    const own = this.tracker.progress.get(this.id);
    return own !== undefined && !own.isLearner && this.log.unstable.snapshot === undefined;
  }

  /** Computes the configuration after a change. Throws when it cannot follow the current one. */
  changed(change: ConfChangeV2): Membership {
    const { tracker, log } = this;
    return new Changer(tracker, log.lastIndex, tracker.limits).change(change);
  }

  /** Starts over with the configuration of a snapshot or of the storage. */
  restoreConfiguration(state: ConfState): void {
    this.tracker = new Tracker(this.tracker.limits);
    this.useMembership(restoreMembership(state, this.log.lastIndex, this.tracker.limits));
  }

  useMembership(membership: Membership): void {
    this.tracker.use(membership);
    this.logger.info?.(
      `${hex(this.id)} switched to configuration ` +
        describeConfiguration(membership.configuration),
    );
    this.isLearner = membership.progress.get(this.id)?.isLearner ?? false;
  }

  /** The other members with what is known of their logs, ascending. */
  *others(): Generator<[bigint, Progress]> {
    for (const entry of this.tracker.progress) {
      if (entry[0] !== this.id) yield entry;
    }
  }
}
