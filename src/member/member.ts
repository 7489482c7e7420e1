import type { Applied, State } from "../apply/index.ts";
import { assert, deferred, textToBytes } from "../base/index.ts";
import type { Db } from "../bolt/index.ts";
import type { Slices } from "../mvcc/index.ts";
import {
  api,
  encodeMessage,
  ENTRY_TYPE,
  type Entry,
  type Failure,
  fail,
  REQUEST,
} from "../proto/index.ts";
import type { MemoryStorage, RawNode, Ready, SoftState } from "../raft/index.ts";
import { type AutoCompactionMode, AutoCompactor } from "./auto-compactor.ts";
import { Compactor } from "./compactor.ts";
import { Image } from "./image.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { Meters } from "./meters.ts";
import { LogMeter } from "./log-meter.ts";
import { PageKeeper } from "./page-keeper.ts";
import type { Ports } from "./ports.ts";
import { Proposals, type ProposalWaiter } from "./proposals.ts";
import { Reads, type ReadWaiter } from "./reads.ts";
import { Slicer } from "./slices.ts";
import { SpaceKeeper } from "./space-keeper.ts";

export interface MemberConfig {
  readonly tickMs: number;
  readonly electionMs: number;
  readonly requestBytesMax: number;
  readonly batchOperationsMax: number;
  readonly batchIntervalMs: number;
  readonly snapshotEntries: number;
  readonly snapshotCatchUpEntries: number;
  readonly compactionPauseMs: number;
  readonly warningApplyMs: number;
  /** Bytes of entries after which the log gets a snapshot record, and that are kept behind it. */
  readonly snapshotBytes: number;
  readonly snapshotCatchUpBytes: number;
  /** History that is kept by itself, see `AutoCompactor`; 0: nothing is compacted by itself. */
  readonly autoCompactionMode: AutoCompactionMode;
  readonly autoCompactionRetention: number;
  /** Whether NOSPACE is cleared by itself when space is back. */
  readonly autoDisarmNoSpace: boolean;
  /** Whether revokes of leases are still taken when others are refused for being too many. */
  readonly prioritizesRevokes: boolean;
}

export interface MemberOptions {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly config: MemberConfig;
  readonly node: RawNode;
  readonly storage: MemoryStorage;
  readonly state: State;
  readonly db: Db;
  readonly ports: Ports;
  /** Where request sequences begin, see `Proposals`. */
  readonly firstSequence: number;
  /** Index of the newest snapshot record of the log. */
  readonly snapshotIndex: number;
  /** What a `.snap` file carries for readers of the old store. */
  readonly snapshotData: () => Uint8Array;
  /** Replies have been written: let them leave. */
  readonly flush: () => void;
  /** Nothing can be trusted any more: the process must stop, and say why. */
  readonly onFatal: (error: unknown) => void;
  /** What the disk measures goes there, too. */
  readonly meters?: Meters;
}

/** Interval at which expired leases are looked for (etcd: `lessor.runLoop`). */
const LEASE_LOOK_MS = 500;

/** Interval at which the page file's size is compared to the quota while the alarm stands. */
const SPACE_LOOK_MS = 1000;

/** Committed entries that may wait to be applied; with more, proposals are refused, as in etcd. */
const APPLY_GAP_MAX = 5000;
const APPLY_GAP_PRIORITY_MAX = 2 * APPLY_GAP_MAX;

/** What the member tells the cluster of itself is said again after this, when it was refused. */
const PROPOSE_AGAIN_MS = 50;

/** Reads that raft has not confirmed are asked for again after this (etcd: `readIndexRetryTime`). */
const READ_RETRY_MS = 500;

/**
 * The ready loop and what hangs on it. One turn: take what has gathered, hand it to raft, do what
 * raft asks. Only the loop writes: to the log, to the state, to the page file.
 */
export class Member {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly state: State;
  readonly db: Db;
  /** For the long work of requests. */
  readonly slicer: Slicer;
  /** For the ready loop. */
  readonly #own: Slicer;
  readonly meters: Meters;
  readonly #config: MemberConfig;
  readonly #node: RawNode;
  readonly #storage: MemoryStorage;
  readonly #ports: Ports;
  readonly #proposals: Proposals;
  readonly #reads = new Reads();
  readonly #pages: PageKeeper;
  readonly #compactor: Compactor;
  readonly leases: LeaseKeeper;
  readonly space: SpaceKeeper;
  readonly #logged = new LogMeter();
  readonly #options: MemberOptions;
  readonly #requestTimeoutMs: number;
  #running: Promise<void> | undefined;
  #wakeScheduled = false;
  #readsScheduled = false;
  #readsAskedAt = 0;
  #snapshotIndex: number;
  #snapshotting: Promise<void> | undefined;
  #stopped = false;
  #hasLeader = false;
  #knownLeader = 0n;
  /** This member leads, and has applied an entry of its own term. */
  #isEstablished = false;
  /** Whether the last entry did what it asked for. */
  #isApplied = true;

  constructor(options: MemberOptions) {
    const { config, ports } = options;
    this.#options = options;
    this.ids = options.ids;
    this.state = options.state;
    this.db = options.db;
    this.meters = options.meters ?? new Meters();
    this.#config = config;
    this.#node = options.node;
    this.#storage = options.storage;
    this.#ports = ports;
    this.#snapshotIndex = options.snapshotIndex;
    this.#requestTimeoutMs = 5000 + 2 * config.electionMs;
    this.slicer = Slicer.shared(ports);
    this.#own = Slicer.alone(ports);
    this.#proposals = new Proposals({
      member: Number(options.ids.memberId & 0xffffn),
      firstSequence: options.firstSequence,
      requestBytesMax: config.requestBytesMax,
      timeoutMs: this.#requestTimeoutMs,
      meters: this.meters,
    });
    const onFatal = (error: unknown) => this.#fatal(error);
    this.#pages = new PageKeeper({
      db: options.db,
      state: this.state,
      file: ports.pageFile,
      slicer: this.#own,
      operationsMax: config.batchOperationsMax,
      meters: this.meters,
      now: () => ports.time.now(),
      onFatal,
    });
    this.#compactor = new Compactor({
      store: this.state.store,
      slicer: this.#own,
      time: ports.time,
      pauseMs: config.compactionPauseMs,
      meters: this.meters,
      wake: () => this.#wake(),
    });
    const { lines, text } = ports;
    const propose = this.propose.bind(this);
    this.leases = new LeaseKeeper({
      lessor: this.state.lessor,
      now: () => this.now(),
      lines,
      propose,
      retryMs: this.#requestTimeoutMs,
    });
    this.space = new SpaceKeeper({
      memberId: options.ids.memberId,
      state: this.state,
      lines,
      text,
      propose,
      disarms: config.autoDisarmNoSpace,
    });
  }

  // ---- what the services call

  now(): number {
    return this.#ports.time.now();
  }

  nextId(): bigint {
    return this.#proposals.nextId();
  }

  get leader(): bigint {
    return this.#node.status().softState.lead;
  }

  get committedIndex(): number {
    return this.#node.status().commit;
  }

  raftStatus(): ReturnType<RawNode["status"]> {
    return this.#node.status();
  }

  get hasLeader(): boolean {
    return this.#hasLeader;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get pendingProposals(): number {
    return this.#proposals.pendingCount;
  }

  get failedProposals(): number {
    return this.#proposals.failed;
  }

  /** Takes a request through the log. `request` is copied. The waiter hears the outcome once. */
  propose(field: number, request: Uint8Array, waiter: ProposalWaiter): void {
    if (this.#stopped) {
      waiter.fail(fail("stopped"));
      return;
    }
    const refusal = this.#isBehind(field)
      ? fail("tooManyRequests")
      : this.#proposals.add(field, request, waiter, this.now());
    if (refusal === undefined) this.#wake();
    else waiter.fail(refusal);
  }

  /** Whether what is committed waits for being applied so long already that no more is taken. */
  #isBehind(field: number): boolean {
    const gap = this.committedIndex - this.state.appliedIndex;
    const isPriority = this.#config.prioritizesRevokes && field === REQUEST.leaseRevoke;
    return gap > (isPriority ? APPLY_GAP_PRIORITY_MAX : APPLY_GAP_MAX);
  }

  /** Tells the waiter when everything acknowledged before this call has been applied here. */
  linearizable(waiter: ReadWaiter): void {
    const refusal = this.#stopped ? fail("stopped") : this.#reads.add(waiter);
    if (refusal !== undefined) {
      waiter.fail(refusal);
      return;
    }
    if (this.#readsScheduled) return;
    this.#readsScheduled = true;
    this.#ports.time.soon(() => this.#beginReads());
  }

  /** The same as a promise: resolves to undefined, or to why it could not be known. */
  caughtUp(): Promise<Failure | undefined> {
    const { promise, resolve } = deferred<Failure | undefined>();
    this.linearizable({ ready: () => resolve(undefined), fail: resolve });
    return promise;
  }

  /** Resolves when the compaction to the revision has removed everything, durably. */
  async compacted(revision: number): Promise<void> {
    await this.#compactor.finished(revision);
    await this.committed();
  }

  /** Resolves when everything applied before this call is in the durable page file. */
  async committed(): Promise<void> {
    const index = this.state.appliedIndex;
    this.#pages.beat();
    await this.#commitUntil(() => this.#pages.durableIndex >= index);
  }

  /** Commits without waiting for the beat. */
  async #commitUntil(isDone: () => boolean): Promise<void> {
    while (!isDone() && !this.#stopped) {
      this.#pages.beat();
      this.#wake();
      await this.#ports.time.sleep(1);
    }
  }

  /** Gives back the free pages of the file; resolves when moving pages can gain no more. */
  async defragment(): Promise<void> {
    await this.committed();
    this.db.defragment();
    await this.#commitUntil(() => !this.db.isDefragmenting);
    await this.#pages.written();
  }

  /** An image of everything applied before this call, to be closed by the caller. */
  async openSnapshot(): Promise<Image> {
    await this.committed();
    const pin = this.db.pin();
    return new Image({ pin, file: this.#ports.pageFile, hash: this.#ports.sha256() });
  }

  /** Lets work run on its own; a failure in it is a failure of the process. */
  spawn(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#fatal(error));
  }

  // ---- beginning and end

  /** Starts the loop and the timers. */
  start(): void {
    this.every(this.#config.tickMs, () => this.#tick());
    this.every(this.#config.batchIntervalMs, () => this.#pages.beat() && this.#wake());
    this.every(LEASE_LOOK_MS, () => this.leases.look());
    if (this.#config.autoDisarmNoSpace) this.every(SPACE_LOOK_MS, () => this.space.look());
    if (this.#config.autoCompactionRetention > 0) this.#startAutoCompactor();
    this.#wake();
  }

  #startAutoCompactor(): void {
    const { autoCompactionMode: mode, autoCompactionRetention: retention } = this.#config;
    const { time, lines, text } = this.#ports;
    const compactor = new AutoCompactor({
      mode,
      retention,
      now: () => time.now(),
      sleep: (ms) => time.sleep(ms),
      revision: () => this.state.store.currentRevision,
      state: () => {
        if (this.#stopped) return "stopped";
        return this.leader === this.ids.memberId ? "leading" : "following";
      },
      compact: (revision) => this.#compact(revision),
      lines,
      text,
    });
    this.spawn(compactor.run());
  }

  #compact(revision: number): Promise<Failure | undefined> {
    const { promise, resolve } = deferred<Failure | undefined>();
    const request = encodeMessage(api.CompactionRequest, { revision });
    this.propose(REQUEST.compaction, request, {
      settle: ({ error }) => resolve(error === undefined ? undefined : fail(error)),
      fail: resolve,
    });
    return promise;
  }

  /** Tells the cluster the own name and client URLs; resolves when that has been applied. */
  async publish(attributes: { name: string; clientUrls: readonly string[] }): Promise<void> {
    const request = encodeMessage(api.ClusterMemberAttrSetRequest, {
      memberID: this.ids.memberId,
      memberAttributes: attributes,
    });
    await this.#proposeUntilApplied(REQUEST.clusterMemberAttrSet, request);
  }

  async setClusterVersion(version: string): Promise<void> {
    const request = encodeMessage(api.ClusterVersionSetRequest, { ver: version });
    await this.#proposeUntilApplied(REQUEST.clusterVersionSet, request);
  }

  async #proposeUntilApplied(field: number, request: Uint8Array): Promise<void> {
    for (;;) {
      const { promise, resolve } = deferred<Failure | undefined>();
      this.propose(field, request, { settle: () => resolve(undefined), fail: resolve });
      if ((await promise) === undefined || this.#stopped) return;
      // A refusal may come at once, as while a long log is applied again: that needs time to go on.
      await this.#ports.time.sleep(PROPOSE_AGAIN_MS);
    }
  }

  /** Ends the loop, commits what was applied and closes the files. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#running;
    this.#proposals.failAll(fail("stopped"));
    this.#reads.failAll(fail("stopped"));
    this.#options.flush();
    await this.#snapshotting;
    await this.#pages.flush();
    await this.#ports.log.close();
    await this.#ports.pageFile.close();
  }

  #fatal(error: unknown): void {
    this.#stopped = true;
    this.#options.onFatal(error);
  }

  /** Runs sliced work from the next turn on. */
  runSoon(begin: () => Generator<unknown, void, void>): void {
    this.#ports.time.soon(() => this.spawn(this.slicer.run(begin())));
  }

  /** Repeats work until the member stops. */
  every(ms: number, work: () => void): void {
    const loop = async () => {
      while (!this.#stopped) {
        await this.#ports.time.sleep(ms);
        if (!this.#stopped) work();
      }
    };
    this.spawn(loop());
  }

  #tick(): void {
    this.#node.tick();
    const now = this.now();
    this.#proposals.expire(now);
    this.meters.readIndexesFailed += this.#reads.expire(now, this.#requestTimeoutMs);
    this.leases.settle();
    if (now - this.#readsAskedAt >= READ_RETRY_MS) this.#askAgain();
    if (this.#node.hasReady) this.#wake();
  }

  // ---- the loop

  #wake(): void {
    if (this.#wakeScheduled || this.#running !== undefined || this.#stopped) return;
    this.#wakeScheduled = true;
    this.#ports.time.soon(() => {
      this.#wakeScheduled = false;
      if (this.#running !== undefined || this.#stopped) return;
      this.#running = this.#run().catch((error: unknown) => this.#fatal(error));
    });
  }

  async #run(): Promise<void> {
    do {
      await this.#turn();
    } while (!this.#stopped && this.#hasWork());
    this.#running = undefined;
  }

  #hasWork(): boolean {
    return this.#canPropose() || this.#node.hasReady || this.#compactor.isDue;
  }

  /** Without a leader requests wait: for one, or for their timeout. */
  #canPropose(): boolean {
    return this.#hasLeader && this.#proposals.hasGathered;
  }

  async #turn(): Promise<void> {
    if (this.#canPropose()) this.#node.propose(this.#proposals.takeGathered());
    if (this.#node.hasReady) await this.#obey(this.#node.ready());
    await this.#pages.maybeCommit(this.#options.flush);
    if (!this.#hasLeader) this.#maybeCampaign();
    if (this.#compactor.isDue) await this.#compactor.step(this.#options.flush);
    this.#maybeSnapshot();
  }

  /** A member alone in its cluster elects itself as soon as it has applied who is in it. */
  #maybeCampaign(): void {
    const { applied, commit, softState } = this.#node.status();
    const isAlone = this.state.members.list().length === 1;
    if (isAlone && applied === commit && softState.role === "follower") this.#node.campaign();
  }

  /**
   * Does what raft asks. What is committed already is applied while the new entries are on their
   * way to the disk: the one is durable, the other not promised to anybody yet.
   */
  async #obey(ready: Ready): Promise<void> {
    const { entries, hardState } = ready;
    this.#ports.network.send(ready.messages);
    const appended =
      entries.length > 0 || hardState !== undefined ? this.#ports.log.append(ready) : undefined;
    // A rejected append is seen below; until then it must not count as unhandled.
    appended?.catch(() => {});
    this.#storage.append(entries);
    this.#logged.add(entries);
    if (hardState !== undefined) this.#storage.setHardState(hardState);
    if (ready.softState !== undefined) this.#onSoftState(ready.softState);
    for (const { context, index } of ready.readStates) this.#confirm(context, index);
    await this.#apply(ready.committed);
    await appended;
    this.#ports.network.send(ready.messagesAfterAppend);
    this.#node.advance();
  }

  #onSoftState({ lead, role }: SoftState): void {
    if (lead !== 0n && lead !== this.#knownLeader) this.meters.leaderChanges++;
    this.#knownLeader = lead;
    this.#hasLeader = lead !== 0n;
    if (role !== "leader") this.#isEstablished = false;
  }

  async #apply(entries: readonly Entry[]): Promise<void> {
    let begun = this.now();
    let resumedAt = begun;
    for (const entry of entries) {
      if (this.#ports.time.turnIsSpent(resumedAt)) {
        await this.#pause();
        begun = this.now();
        resumedAt = begun;
      }
      this.#proposals.nowMs = begun;
      const applying = this.#applyEntry(entry);
      if (applying !== undefined) await applying;
      begun = this.#measure(entry, begun);
    }
    this.#reads.release(this.state.appliedIndex);
    this.leases.settle();
    this.#options.flush();
  }

  /** Notes how long an entry took; answers the time it is now. */
  #measure(entry: Entry, begun: number): number {
    const now = this.now();
    if (entry.type !== ENTRY_TYPE.normal || entry.data.length === 0) return now;
    this.meters.applied.observe(this.state.request.field, this.#isApplied, now - begun);
    if (now - begun > this.#config.warningApplyMs) this.meters.slowApplies++;
    return now;
  }

  #applyEntry(entry: Entry): Promise<void> | undefined {
    if (entry.type !== ENTRY_TYPE.normal) {
      this.state.applyConfChange(entry, (change) => this.#node.applyConfChange(change));
      return undefined;
    }
    if (entry.data.length === 0 && this.#beginsOwnTerm(entry)) return this.#beginTerm(entry);
    const applied = this.state.apply(entry, this.#proposals);
    if ("next" in applied) return this.#applySlices(applied);
    this.#settle(applied);
    return undefined;
  }

  /** Short ones end in their first slice, without a promise. */
  #applySlices(slices: Slices<Applied>): Promise<void> | undefined {
    const step = slices.next();
    if (step.done !== true) {
      const { flush } = this.#options;
      return this.#own.resume(slices, step, flush).then((applied) => this.#settle(applied));
    }
    this.#settle(step.value);
    return undefined;
  }

  #settle(applied: Applied): void {
    this.#isApplied = applied.error === undefined;
    const { member, sequence } = this.state.request;
    if (applied.error === "noSpace" && !this.state.alarms.hasNoSpace) {
      const raised = this.space.raiseFor(fail("noSpace").message);
      this.spawn(raised.then(() => this.#proposals.settle(member, sequence, applied)));
    } else {
      this.#proposals.settle(member, sequence, applied);
    }
  }

  async #pause(): Promise<void> {
    this.#options.flush();
    await this.#ports.time.nextTurn();
  }

  /** The log replays the beginnings of earlier terms, too. */
  #beginsOwnTerm(entry: Entry): boolean {
    const { term, softState } = this.#node.status();
    return entry.term === term && softState.role === "leader";
  }

  /** The first entry of this leader's term is committed: from now on it rules over the leases. */
  async #beginTerm(entry: Entry): Promise<void> {
    const { lessor } = this.state;
    if (!lessor.isPrimary) {
      await this.#own.run(lessor.promote(this.now(), this.#config.electionMs));
    }
    this.state.apply(entry, this.#proposals);
    this.#isEstablished = true;
    this.#askAgain();
  }

  // ---- reads

  #beginReads(): void {
    this.#readsScheduled = false;
    if (!this.#reads.hasArriving || this.#stopped) return;
    this.#askFor([this.#reads.beginRound(this.now())]);
  }

  /** Asks again for what raft dropped, as it does while it has no leader. */
  #askAgain(): void {
    this.#readsAskedAt = this.now();
    const rounds = this.#reads.unconfirmed();
    this.meters.slowReadIndexes += rounds.length;
    this.#askFor(rounds);
  }

  /**
   * A new leader does not know yet how far the terms before had committed: what was acknowledged
   * then may not be applied here. Reads wait for the first entry of its own term.
   */
  #askFor(rounds: readonly number[]): void {
    if (!this.#isEstablished && this.leader === this.ids.memberId) return;
    for (const round of rounds) this.#node.readIndex(textToBytes(String(round)));
    // Alone, a leader confirms itself at once: no need to wait for the write under way.
    for (const state of this.#node.takeReadStates()) this.#confirm(state.context, state.index);
    this.#reads.release(this.state.appliedIndex);
    this.#options.flush();
    if (this.#node.hasReady) this.#wake();
  }

  #confirm(context: Uint8Array, index: number): void {
    let round = 0;
    for (const digit of context) round = round * 10 + digit - 48;
    this.#reads.confirm(round, index);
  }

  // ---- snapshots of the log

  /**
   * Every so many entries or bytes the log gets a snapshot record, so that a restart need not read
   * it from the beginning. It is made beside the requests.
   */
  #maybeSnapshot(): void {
    const { appliedIndex } = this.state;
    if (this.#snapshotting !== undefined) return;
    const { snapshotEntries, snapshotBytes } = this.#config;
    const isDue =
      appliedIndex - this.#snapshotIndex > snapshotEntries ||
      this.#logged.bytesAfter(this.#snapshotIndex) > snapshotBytes;
    if (!isDue || appliedIndex === this.#snapshotIndex) return;
    this.#snapshotting = this.#saveSnapshot(appliedIndex, this.state.appliedTerm);
    this.spawn(this.#snapshotting);
  }

  /** The page file must hold everything up to the snapshot, durably, before the log says so. */
  async #saveSnapshot(index: number, term: number): Promise<void> {
    await this.committed();
    if (this.#stopped) return;
    assert(this.#pages.durableIndex >= index, "the log is released behind the page file only");
    const data = this.#options.snapshotData();
    const snapshot = this.#storage.createSnapshot(index, undefined, data);
    assert(snapshot !== undefined, "snapshots go forward");
    const begun = this.now();
    await this.#ports.log.saveSnapshot({ ...snapshot.meta, index, term }, data);
    this.meters.snapshotSave.observe((this.now() - begun) / 1000);
    await this.#ports.log.release(index);
    this.#storage.compact(Math.max(1, this.#catchUpFrom(index)));
    this.#snapshotIndex = index;
    this.#logged.release(index);
    this.#snapshotting = undefined;
    this.#ports.lines.info("saved snapshot", { "snapshot-index": index });
  }

  /** The entries behind this one stay in memory, for members that are a little behind. */
  #catchUpFrom(snapshotIndex: number): number {
    const { snapshotCatchUpEntries, snapshotCatchUpBytes } = this.#config;
    const within = this.#logged.indexWithin(snapshotCatchUpBytes);
    return Math.min(snapshotIndex, Math.max(snapshotIndex - snapshotCatchUpEntries, within));
  }
}
