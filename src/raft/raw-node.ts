import { asConfChangeV2 } from "./confchange.ts";
import type { RaftConfig } from "./config.ts";
import { entriesBytes } from "./entries.ts";
import { Raft } from "./raft.ts";
import { applyConfChange, step, tick } from "./step.ts";
import type { Configuration, ProgressMap } from "./tracker.ts";
import {
  CONF_CHANGE_TYPE,
  type ConfChange,
  type ConfChangeV2,
  type ConfState,
  ENTRY_TYPE,
  type Entry,
  encodeConfChange,
  encodeConfChangeV2,
  type HardState,
  hex,
  isLocalTarget,
  isLocalType,
  isResponseType,
  LOCAL_APPEND,
  LOCAL_APPLY,
  LOCAL_MESSAGE,
  MESSAGE_TYPE,
  type Message,
  message,
  NONE,
  panic,
  PEER_NOT_FOUND,
  type ReadState,
  type Refusal,
  type Snapshot,
  type SoftState,
} from "./types.ts";

/** What is to be done now, in the order of the fields that matter: see `RawNode.ready`. */
export interface Ready {
  /** Leader and role, when one of them changed. Need not be kept. */
  readonly softState: SoftState | undefined;
  /** To be saved with the entries. */
  readonly hardState: HardState | undefined;
  /** To be appended to the log; the first may replace what is there at its index and behind. */
  readonly entries: readonly Entry[];
  /** To be saved before the entries. */
  readonly snapshot: Snapshot | undefined;
  /** May be sent at once. */
  readonly messages: readonly Message[];
  /** To be sent only when hard state, entries and snapshot are durable. */
  readonly messagesAfterAppend: readonly Message[];
  /** To be applied, after the entries are appended: it may name some of them. */
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
  /** Whether the append must be synced; without it only the commit index moved. */
  readonly mustSync: boolean;
}

export interface Status {
  readonly id: bigint;
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
  readonly lastIndex: number;
  readonly softState: SoftState;
  readonly applied: number;
  readonly leadTransferee: bigint;
  /** Ticks in which a follower has heard nothing of its leader. */
  readonly electionElapsed: number;
  readonly configuration: Configuration;
  /** What the leader knows of each member; empty elsewhere. To be read, not kept or changed. */
  readonly progress: ProgressMap;
}

const NO_PROGRESS: ProgressMap = new Map();

/**
 * One member of a raft group. Inputs change it; `ready` says what follows from them. It has no
 * clock, no disk and no network: whoever owns it brings ticks and messages in and carries out each
 * Ready, then calls `advance` and looks for the next.
 *
 * Bytes given to it (proposals, entries of messages) are not copied and must not change until the
 * entry is durable and applied.
 */
export class RawNode {
  readonly #raft: Raft;
  readonly #isAsync: boolean;
  #previousSoft: SoftState;
  #previousHard: HardState;
  /** What the member tells itself once the last Ready is carried out. */
  #onAdvance: Message[] = [];

  /** A new member, or one that restarts from what its storage has. Throws on a bad config. */
  constructor(config: RaftConfig) {
    this.#raft = new Raft(config);
    this.#isAsync = config.asyncStorageWrites ?? false;
    this.#previousSoft = this.#raft.softState;
    this.#previousHard = this.#raft.hardState;
  }

  /**
   * Writes the first entries of a new group into an empty log: one per member, as if committed in
   * term 1. All founding members must do so with the same list.
   */
  bootstrap(peers: readonly { readonly id: bigint; readonly context: Uint8Array }[]): void {
    const raft = this.#raft;
    if (peers.length === 0) throw new Error("must provide at least one peer to Bootstrap");
    if (raft.log.storage.lastIndex !== 0) throw new Error("can't bootstrap a nonempty Storage");
    this.#previousHard = { term: 0, vote: NONE, commit: 0 };
    raft.becomeFollower(1, NONE);
    const changes = peers.map(({ id, context }) => ({
      id: 0n,
      type: CONF_CHANGE_TYPE.addNode,
      nodeId: id,
      context,
    }));
    const entries = changes.map((change, i) => ({
      term: 1,
      index: i + 1,
      type: ENTRY_TYPE.confChange,
      data: encodeConfChange(change),
    }));
    raft.log.append(entries);
    raft.log.committed = entries.length;
    // They take effect now, so that the member can campaign, and once more when they are applied.
    for (const change of changes) this.applyConfChange(change);
  }

  tick(): void {
    tick(this.#raft);
  }

  campaign(): void {
    step(this.#raft, message({ type: MESSAGE_TYPE.hup, to: NONE }));
  }

  /** Proposes entries, all or none. A follower hands them to the leader it knows. */
  propose(datas: readonly Uint8Array[]): Refusal | undefined {
    const entries = datas.map((data) => ({ term: 0, index: 0, type: ENTRY_TYPE.normal, data }));
    return this.#propose(entries);
  }

  proposeConfChange(change: ConfChange | ConfChangeV2): Refusal | undefined {
    const isV2 = "changes" in change;
    const type = isV2 ? ENTRY_TYPE.confChangeV2 : ENTRY_TYPE.confChange;
    const data = isV2 ? encodeConfChangeV2(change) : encodeConfChange(change);
    return this.#propose([{ term: 0, index: 0, type, data }]);
  }

  #propose(entries: readonly Entry[]): Refusal | undefined {
    const from = this.#raft.id;
    return step(this.#raft, message({ type: MESSAGE_TYPE.prop, to: NONE, from, entries }));
  }

  /**
   * To be called for each committed change, in order; with node id 0 in place of those that the
   * application refuses. Returns the configuration from now on.
   */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    return applyConfChange(this.#raft, asConfChangeV2(change));
  }

  /** Takes a message from another member, or in asynchronous mode from local storage. */
  step(m: Message): Refusal | undefined {
    if (!isLocalTarget(m.from)) {
      if (isLocalType(m.type)) return LOCAL_MESSAGE;
      if (isResponseType(m.type) && !this.#raft.tracker.progress.has(m.from)) {
        return PEER_NOT_FOUND;
      }
    }
    return step(this.#raft, m);
  }

  /** Asks for a read index: a ReadState with this context follows, or nothing (then ask again). */
  readIndex(context: Uint8Array): void {
    const entries = [{ term: 0, index: 0, type: ENTRY_TYPE.normal, data: context }];
    step(this.#raft, message({ type: MESSAGE_TYPE.readIndex, to: NONE, entries }));
  }

  transferLeader(to: bigint): void {
    step(this.#raft, message({ type: MESSAGE_TYPE.transferLeader, to: NONE, from: to }));
  }

  /** Makes a follower forget its leader, so that it will vote for another at once. */
  forgetLeader(): void {
    step(this.#raft, message({ type: MESSAGE_TYPE.forgetLeader, to: NONE }));
  }

  /** The last message to this member could not be sent. */
  reportUnreachable(id: bigint): void {
    step(this.#raft, message({ type: MESSAGE_TYPE.unreachable, to: NONE, from: id }));
  }

  /** Index of the snapshot that the member took and that is not durable yet; 0: there is none. */
  get restoringIndex(): number {
    return this.#raft.log.unstable.snapshot?.meta.index ?? 0;
  }

  /** How the sending of a snapshot ended. Must be told for every snapshot message. */
  reportSnapshot(id: bigint, outcome: "finished" | "failed"): void {
    const reject = outcome === "failed";
    step(this.#raft, message({ type: MESSAGE_TYPE.snapStatus, to: NONE, from: id, reject }));
  }

  /**
   * Read states confirmed by now, which the next Ready then lacks. A leader alone confirms a read
   * at once, and its readers need not wait for the write under way.
   */
  takeReadStates(): readonly ReadState[] {
    const states = this.#raft.readStates;
    this.#raft.readStates = [];
    return states;
  }

  /** Index of the last entry of the log, durable or not. */
  get lastIndex(): number {
    return this.#raft.log.lastIndex;
  }

  get hasReady(): boolean {
    const { log, messages, messagesAfterAppend, readStates } = this.#raft;
    return (
      messages.length > 0 ||
      messagesAfterAppend.length > 0 ||
      log.unstable.hasNextEntries ||
      log.hasNextCommitted(!this.#isAsync) ||
      readStates.length > 0 ||
      log.unstable.nextSnapshot() !== undefined ||
      this.#changedSoftState() !== undefined ||
      this.#changedHardState() !== undefined
    );
  }

  /**
   * What is to be done now. It counts as begun: the next call does not return it again. The order:
   * send `messages` (at any time); save snapshot, then entries and hard state; send
   * `messagesAfterAppend`; append the entries to the storage that raft reads; apply `committed`;
   * `advance`. There is one Ready at a time.
   */
  ready(): Ready {
    const { unstable } = this.#raft.log;
    const hardState = this.#changedHardState();
    const entries = unstable.nextEntries();
    const ready = {
      softState: this.#changedSoftState(),
      hardState,
      entries,
      snapshot: unstable.nextSnapshot(),
      messages: this.#raft.messages,
      messagesAfterAppend: this.#raft.messagesAfterAppend,
      committed: this.#raft.log.nextCommitted(!this.#isAsync),
      readStates: this.#raft.readStates,
      mustSync: entries.length > 0 || this.#changesVote(hardState),
    };
    return this.#isAsync ? this.#acceptAsync(ready) : this.#accept(ready);
  }

  #changedSoftState(): SoftState | undefined {
    const { lead, role } = this.#raft;
    const { lead: oldLead, role: oldRole } = this.#previousSoft;
    return lead === oldLead && role === oldRole ? undefined : { lead, role };
  }

  #changedHardState(): HardState | undefined {
    const { term, vote, log } = this.#raft;
    const old = this.#previousHard;
    const isSame = term === old.term && vote === old.vote && log.committed === old.commit;
    return isSame ? undefined : { term, vote, commit: log.committed };
  }

  #changesVote(state: HardState | undefined): boolean {
    const { term, vote } = this.#previousHard;
    return state !== undefined && (state.term !== term || state.vote !== vote);
  }

  #accept(ready: Ready): Ready {
    if (this.#onAdvance.length > 0) panic("two accepted Ready structs without call to Advance");
    const { id } = this.#raft;
    const steps = ready.messagesAfterAppend.filter((m) => m.to === id);
    if (this.#needsAppendResponse(ready)) steps.push(this.#appendResponse(ready));
    if (ready.committed.length > 0) steps.push(this.#applyResponse(ready.committed));
    this.#onAdvance = steps;
    this.#begin(ready);
    return { ...ready, messagesAfterAppend: ready.messagesAfterAppend.filter((m) => m.to !== id) };
  }

  /** In asynchronous mode the work of a Ready travels as messages to the local storage. */
  #acceptAsync(ready: Ready): Ready {
    const messages = [...ready.messages];
    if (this.#needsAppend(ready)) messages.push(this.#appendRequest(ready));
    if (ready.committed.length > 0) messages.push(this.#applyRequest(ready.committed));
    this.#begin(ready);
    return { ...ready, messages, messagesAfterAppend: [] };
  }

  #begin(ready: Ready): void {
    const raft = this.#raft;
    this.#previousSoft = ready.softState ?? this.#previousSoft;
    this.#previousHard = ready.hardState ?? this.#previousHard;
    raft.readStates = [];
    raft.messages = [];
    raft.messagesAfterAppend = [];
    raft.log.unstable.acceptInProgress();
    const last = ready.committed.at(-1);
    if (last === undefined) return;
    raft.log.acceptApplying(last.index, entriesBytes(ready.committed), !this.#isAsync);
  }

  #needsAppend(ready: Ready): boolean {
    return (
      ready.entries.length > 0 ||
      ready.hardState !== undefined ||
      ready.snapshot !== undefined ||
      ready.messagesAfterAppend.length > 0
    );
  }

  #needsAppendResponse(ready: Ready): boolean {
    return this.#raft.log.unstable.entries.length > 0 || ready.snapshot !== undefined;
  }

  #appendRequest(ready: Ready): Message {
    const { entries, hardState, snapshot } = ready;
    const responses = [...ready.messagesAfterAppend];
    // Last, so that the member counts its own copy while the entries are still at hand.
    if (this.#needsAppendResponse(ready)) responses.push(this.#appendResponse(ready));
    return message({
      type: MESSAGE_TYPE.storageAppend,
      to: LOCAL_APPEND,
      from: this.#raft.id,
      entries,
      ...hardState,
      snapshot,
      responses,
    });
  }

  /**
   * Tells the member what is durable, when it is. Under a later term it will not count for the
   * entries: those of the same place and term may by then have been replaced and be on their way to
   * storage once more, behind the ones that this is about. So that none stays unstable forever, it
   * names the end of the log even when the Ready itself has no entries.
   */
  #appendResponse(ready: Ready): Message {
    const { id, term, log } = this.#raft;
    const last = log.unstable.entries.at(-1);
    return message({
      type: MESSAGE_TYPE.storageAppendResp,
      to: id,
      from: LOCAL_APPEND,
      term,
      index: last?.index ?? 0,
      logTerm: last?.term ?? 0,
      snapshot: ready.snapshot,
    });
  }

  #applyRequest(entries: readonly Entry[]): Message {
    return message({
      type: MESSAGE_TYPE.storageApply,
      to: LOCAL_APPLY,
      from: this.#raft.id,
      entries,
      responses: [this.#applyResponse(entries)],
    });
  }

  #applyResponse(entries: readonly Entry[]): Message {
    const { id } = this.#raft;
    return message({ type: MESSAGE_TYPE.storageApplyResp, to: id, from: LOCAL_APPLY, entries });
  }

  /** The last Ready is carried out: durable and applied. Not in asynchronous mode. */
  advance(): void {
    if (this.#isAsync) panic("Advance must not be called when using AsyncStorageWrites");
    const steps = this.#onAdvance;
    this.#onAdvance = [];
    for (const m of steps) step(this.#raft, m);
  }

  /** Tells the log whose leader is another than `before`: whoever runs a node does (`node.go`). */
  logLeader(before: bigint): void {
    const { id, lead, term, logger } = this.#raft;
    if (lead === before || logger.info === undefined) return;
    const node = `raft.node: ${hex(id)}`;
    if (lead === NONE) logger.info(`${node} lost leader ${hex(before)} at term ${term}`);
    else if (before === NONE) logger.info(`${node} elected leader ${hex(lead)} at term ${term}`);
    else {
      logger.info(`${node} changed leader from ${hex(before)} to ${hex(lead)} at term ${term}`);
    }
  }

  status(): Status {
    const { id, term, vote, log, softState, leadTransferee, tracker, role } = this.#raft;
    const { electionElapsed } = this.#raft;
    return {
      id,
      term,
      vote,
      commit: log.committed,
      lastIndex: log.lastIndex,
      softState,
      applied: log.applied,
      leadTransferee,
      electionElapsed,
      configuration: tracker.configuration,
      progress: role === "leader" ? tracker.progress : NO_PROGRESS,
    };
  }
}
