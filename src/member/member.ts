import type { MemberChange, State } from "../apply/index.ts";
import { deferred } from "../base/index.ts";
import type { Db } from "../bolt/index.ts";
import { idToHex } from "../cluster/index.ts";
import {
  api,
  type ConfChange,
  encodeMessage,
  type Failure,
  fail,
  REQUEST,
} from "../proto/index.ts";
import type { MemoryStorage, RawNode, SoftState } from "../raft/index.ts";
import { Applier } from "./applier.ts";
import { type AutoCompactionMode, AutoCompactor } from "./auto-compactor.ts";
import { ClusterLines } from "./cluster-lines.ts";
import { Beats } from "./beats.ts";
import { Compactor } from "./compactor.ts";
import { CorruptionChecker } from "./corruption.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { HashedImage, PinnedImage } from "./image.ts";
import { Inbox } from "./inbox.ts";
import { Leadership } from "./leadership.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LogKeeper, type SnapshotData } from "./log-keeper.ts";
import { type ChangeWaiter, MemberChanges } from "./member-changes.ts";
import { Membership } from "./membership.ts";
import { Meters } from "./meters.ts";
import { PageKeeper } from "./page-keeper.ts";
import { Peers } from "./peers.ts";
import type { NetworkPort, Ports } from "./ports.ts";
import { Proposals, type ProposalWaiter } from "./proposals.ts";
import { ReadRounds } from "./read-rounds.ts";
import type { ReadWaiter } from "./reads.ts";
import { ReceivedSnapshots } from "./received-snapshots.ts";
import { Renewals } from "./renewals.ts";
import { Replica } from "./replica.ts";
import { SentSnapshots } from "./sent-snapshots.ts";
import { Slicer } from "./slices.ts";
import { SpaceKeeper } from "./space-keeper.ts";
import { requestTimeoutMs } from "./timeouts.ts";
import { VersionMonitor } from "./version-monitor.ts";

export interface MemberConfig {
  readonly tickMs: number;
  readonly electionMs: number;
  readonly preVote: boolean;
  /** Whether a member that restarts may campaign sooner (`--initial-election-tick-advance`). */
  readonly electionTickAdvance: boolean;
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
  /** How often a leader compares the members' stores; 0: never. */
  readonly corruptCheckMs: number;
  /** The same by the hashes of compactions, where that is asked for. */
  readonly compactHashCheckMs: number;
  readonly checksCompactHashes: boolean;
  /** Whether NOSPACE is cleared by itself when space is back. */
  readonly autoDisarmNoSpace: boolean;
  /** Whether changes of the members that could cost the cluster its quorum are refused. */
  readonly checksReconfiguration: boolean;
  /** Between two looks whether a downgrade has come to its end; 0: never. */
  readonly downgradeCheckMs: number;
  /** Whether revokes of leases are still taken when others are refused for being too many. */
  readonly prioritizesRevokes: boolean;
  /** See `Renewals`; unless given, it is so. */
  readonly renewsFast?: boolean;
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
  readonly snapshotData: SnapshotData;
  /** This member was removed from the cluster for good: the process must stop. */
  readonly onRemoved?: () => void;
  /** The state became that of a snapshot, and is ahead of the revisions that were told. */
  readonly onRestored?: () => void;
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

/** A removed member goes on for this long, so that others hear what it has (etcd: 1 s). */
const REMOVED_MS = 1000;

/**
 * One member: its parts, what the services call, its beginning and its end. `Replica` runs raft and
 * the log, `Applier` takes what is committed into the state; `Proposals` and `Reads` hold who waits
 * for either. Only these change the log, the state and the page file.
 */
export class Member {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly state: State;
  readonly db: Db;
  /** For the long work of requests. */
  readonly slicer: Slicer;
  /** For applying, and whatever must not wait for the work of requests. */
  readonly #own: Slicer;
  readonly meters: Meters;
  readonly network: NetworkPort;
  readonly leadership: Leadership;
  readonly membership: Membership;
  readonly versions: VersionMonitor;
  readonly leases: LeaseKeeper;
  readonly renewals: Renewals;
  readonly space: SpaceKeeper;
  readonly corruption: CorruptionChecker;
  readonly #config: MemberConfig;
  readonly #node: RawNode;
  readonly #ports: Ports;
  readonly #options: MemberOptions;
  readonly #proposals: Proposals;
  readonly #changes: MemberChanges;
  readonly #reads: ReadRounds;
  readonly #pages: PageKeeper;
  readonly #compactor: Compactor;
  readonly #logKeeper: LogKeeper;
  readonly #replica: Replica;
  readonly #applier: Applier;
  readonly #heartbeats: HeartbeatWatch;
  readonly #sentSnapshots: SentSnapshots;
  readonly #receivedSnapshots: ReceivedSnapshots;
  readonly #clusterLines: ClusterLines;
  readonly #peers: Peers;
  readonly #beats: Beats;
  readonly requestTimeoutMs: number;
  #isStarted = false;
  #wakeScheduled = false;
  #stopped = false;

  constructor(options: MemberOptions) {
    const { config, ports, ids, node } = options;
    this.#options = options;
    this.ids = ids;
    this.state = options.state;
    this.db = options.db;
    this.meters = options.meters ?? new Meters();
    this.#config = config;
    this.#node = node;
    this.#ports = ports;
    this.requestTimeoutMs = requestTimeoutMs(config.electionMs);
    this.slicer = Slicer.shared(ports);
    this.#own = Slicer.alone(ports);
    this.network = ports.connect(new Inbox(ids, () => this.#inboxParts()));
    this.#clusterLines = new ClusterLines({ ids, members: this.state.members, lines: ports.lines });
    this.#peers = new Peers({ memberId: ids.memberId, state: this.state, network: this.network });
    this.#beats = new Beats({
      time: ports.time,
      isStopped: () => this.#stopped,
      spawn: (work) => this.spawn(work),
    });
    this.leadership = this.#newLeadership();
    this.#heartbeats = new HeartbeatWatch({
      ...ports,
      meters: this.meters,
      heartbeatMs: config.tickMs,
    });
    const waits = {
      timeoutMs: this.requestTimeoutMs,
      timeoutOf: (since: number) => this.leadership.timeoutOf(since),
    };
    this.#changes = new MemberChanges(waits);
    this.#proposals = new Proposals({
      ...waits,
      member: Number(ids.memberId & 0xffffn),
      firstSequence: options.firstSequence,
      requestBytesMax: config.requestBytesMax,
      meters: this.meters,
    });
    this.#reads = this.#newReadRounds();
    this.#pages = this.#newPageKeeper();
    this.#compactor = new Compactor({
      store: this.state.store,
      slicer: this.#own,
      time: ports.time,
      pauseMs: config.compactionPauseMs,
      meters: this.meters,
      wake: () => this.#applier.wake(),
    });
    this.leases = this.#newLeaseKeeper();
    this.renewals = this.#newRenewals();
    this.membership = this.#newMembership();
    this.versions = this.#newVersionMonitor();
    this.space = this.#newSpaceKeeper();
    this.corruption = this.#newCorruptionChecker();
    this.#sentSnapshots = this.#newSentSnapshots();
    this.#logKeeper = this.#newLogKeeper();
    this.#applier = this.#newApplier();
    this.#receivedSnapshots = this.#newReceivedSnapshots();
    this.#replica = this.#newReplica();
  }

  // ---- its parts

  #newLeadership(): Leadership {
    return new Leadership({
      ...this.#ports,
      ...this.#config,
      memberId: this.ids.memberId,
      state: this.state,
      node: this.#node,
      network: this.network,
      requestTimeoutMs: this.requestTimeoutMs,
      isStopped: () => this.#stopped,
      wake: () => this.#wake(),
    });
  }

  #newReadRounds(): ReadRounds {
    return new ReadRounds({
      memberId: this.ids.memberId,
      state: this.state,
      node: this.#node,
      leadership: this.leadership,
      ...this.#ports,
      meters: this.meters,
      timeoutMs: this.requestTimeoutMs,
      nextId: () => this.nextId(),
      send: (message) => this.#replica.send(message),
      asked: () => this.#replica.hasWork && this.#wake(),
      flush: this.#options.flush,
      isStopped: () => this.#stopped,
    });
  }

  #newPageKeeper(): PageKeeper {
    return new PageKeeper({
      db: this.db,
      state: this.state,
      file: this.#ports.pageFile,
      slicer: this.#own,
      operationsMax: this.#config.batchOperationsMax,
      meters: this.meters,
      now: () => this.now(),
      onFatal: (error: unknown) => this.#fatal(error),
    });
  }

  #newLeaseKeeper(): LeaseKeeper {
    return new LeaseKeeper({
      lessor: this.state.lessor,
      now: () => this.now(),
      lines: this.#ports.lines,
      // A revoke that another leader proposed could meet a lease that was renewed there.
      propose: (field, request, waiter) => this.#proposeAsLeader(field, request, waiter),
      retryMs: this.requestTimeoutMs,
    });
  }

  #newMembership(): Membership {
    return new Membership({
      ...this.#ports,
      ...this.#config,
      ...this.ids,
      state: this.state,
      node: this.#node,
      leadership: this.leadership,
      network: this.network,
      meters: this.meters,
      change: (change, waiter) => this.changeMembers(change, waiter),
      isStopped: () => this.#stopped,
    });
  }

  #newVersionMonitor(): VersionMonitor {
    return new VersionMonitor({
      ...this.#ports,
      ...this.#config,
      memberId: this.ids.memberId,
      state: this.state,
      storage: this.#options.storage,
      leadership: this.leadership,
      network: this.network,
      snapshotIndex: () => this.#logKeeper.snapshotIndex,
      propose: (field, request) => this.#proposeOnce(field, request),
      caughtUp: () => this.caughtUp(),
      change: (work) => this.#changeState(work),
      spawn: (work) => this.spawn(work),
      every: (ms, work) => this.every(ms, work),
    });
  }

  #newRenewals(): Renewals {
    return new Renewals({
      state: this.state,
      leases: this.leases,
      leadership: this.leadership,
      network: this.network,
      time: this.#ports.time,
      caughtUp: () => this.caughtUp(),
      isFast: this.#config.renewsFast ?? true,
    });
  }

  #newSpaceKeeper(): SpaceKeeper {
    const { lines, text } = this.#ports;
    return new SpaceKeeper({
      memberId: this.ids.memberId,
      state: this.state,
      lines,
      text,
      propose: this.propose.bind(this),
      disarms: this.#config.autoDisarmNoSpace,
    });
  }

  #newCorruptionChecker(): CorruptionChecker {
    return new CorruptionChecker({
      ...this.#ports,
      memberId: this.ids.memberId,
      store: this.state.store,
      slicer: this.slicer,
      network: this.network,
      requestTimeoutMs: this.requestTimeoutMs,
      members: () => this.state.members.list(),
      caughtUp: () => this.caughtUp(),
      propose: this.propose.bind(this),
    });
  }

  #newLogKeeper(): LogKeeper {
    const { config } = this.#options;
    return new LogKeeper({
      ...this.#options,
      ...config,
      ...this.#ports,
      meters: this.meters,
      catchUpEntries: config.snapshotCatchUpEntries,
      catchUpBytes: config.snapshotCatchUpBytes,
      committed: () => this.committed(),
      durableIndex: () => this.#pages.durable.index,
      heldIndex: () => this.#sentSnapshots.heldIndex,
      isStopped: () => this.#stopped,
      spawn: (work) => this.spawn(work),
    });
  }

  #newSentSnapshots(): SentSnapshots {
    return new SentSnapshots({
      ...this.#options,
      ...this.#ports,
      network: this.network,
      committed: () => this.committed(),
      durable: () => this.#pages.durable,
      isStopped: () => this.#stopped,
      failed: (to) => this.#node.reportSnapshot(to, "failed"),
      spawn: (work) => this.spawn(work),
    });
  }

  #newReceivedSnapshots(): ReceivedSnapshots {
    return new ReceivedSnapshots({
      ...this.#options,
      ...this.#ports,
      meters: this.meters,
      pages: this.#pages,
      compactor: this.#compactor,
      logKeeper: this.#logKeeper,
      applier: this.#applier,
      isStopped: () => this.#stopped,
      step: (message) => {
        this.#node.step(message);
        this.#wake();
        return this.#node.restoringIndex === message.snapshot!.meta.index;
      },
      onInstalled: () => this.#onInstalled(),
      spawn: (work) => this.spawn(work),
    });
  }

  #newApplier(): Applier {
    return new Applier({
      state: this.state,
      node: this.#node,
      proposals: this.#proposals,
      slicer: this.#own,
      space: this.space,
      meters: this.meters,
      time: this.#ports.time,
      warningApplyMs: this.#config.warningApplyMs,
      beginTerm: () => this.#beginTerm(),
      onMemberChange: (change) => this.#onMemberChange(change),
      onApplied: () => this.#onApplied(),
      between: () => this.#between(),
      hasMore: () => this.#compactor.isDue,
      flush: this.#options.flush,
      spawn: (work) => this.spawn(work),
      onFatal: (error) => this.#fatal(error),
    });
  }

  #newReplica(): Replica {
    return new Replica({
      id: this.ids.memberId,
      electionMs: this.#config.electionMs,
      node: this.#node,
      storage: this.#options.storage,
      log: this.#ports.log,
      network: this.network,
      onSoftState: (state) => this.#onSoftState(state),
      onReadStates: (states) => this.#reads.confirm(states),
      onReadIndex: (message) => this.#reads.answer(message),
      onAppended: (entries) => this.#logKeeper.add(entries),
      onHeartbeat: (to) => this.#heartbeats.sent(to),
      apply: (entries, done) => this.#applier.push(entries, done),
      feed: () => this.#feed(),
      sendSnapshot: (message) => this.#sentSnapshots.send(message),
      install: (snapshot, hardState) => this.#receivedSnapshots.install(snapshot, hardState),
      wake: () => this.#wake(),
      time: this.#ports.time,
      onFatal: (error) => this.#fatal(error),
    });
  }

  #inboxParts() {
    return {
      state: this.state,
      node: this.#node,
      replica: this.#replica,
      leadership: this.leadership,
      renewals: this.renewals,
      slicer: this.slicer,
      caughtUp: () => this.caughtUp(),
      sentSnapshots: this.#sentSnapshots,
      receivedSnapshots: this.#receivedSnapshots,
      promote: (learner: bigint) => this.membership.answerPromotion(learner),
      wake: () => this.#wake(),
    };
  }

  // ---- what the services call

  now(): number {
    return this.#ports.time.now();
  }

  nextId(): bigint {
    return this.#proposals.nextId();
  }

  get leader(): bigint {
    return this.leadership.leader;
  }

  get committedIndex(): number {
    return this.#node.status().commit;
  }

  raftStatus(): ReturnType<RawNode["status"]> {
    return this.#node.status();
  }

  get hasLeader(): boolean {
    return this.leadership.isKnown;
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
    this.#propose(field, request, waiter);
  }

  #proposeAsLeader(field: number, request: Uint8Array, waiter: ProposalWaiter): void {
    const term = this.#leadsIn();
    if (term === undefined) waiter.fail(fail("notLeader"));
    else this.#propose(field, request, waiter, term);
  }

  /** The term in which this member leads, if raft says so at this very moment. */
  #leadsIn(): number | undefined {
    const { term, softState } = this.#node.status();
    return softState.role === "leader" ? term : undefined;
  }

  #propose(field: number, request: Uint8Array, waiter: ProposalWaiter, ledIn?: number): void {
    if (this.#stopped) {
      waiter.fail(fail("stopped"));
      return;
    }
    const refusal = this.#isBehind(field)
      ? fail("tooManyRequests")
      : this.#proposals.add(field, request, waiter, this.now(), ledIn);
    if (refusal === undefined) this.#wake();
    else waiter.fail(refusal);
  }

  /** Whether what is committed waits for being applied so long already that no more is taken. */
  #isBehind(field: number): boolean {
    const gap = this.committedIndex - this.state.appliedIndex;
    const isPriority = this.#config.prioritizesRevokes && field === REQUEST.leaseRevoke;
    return gap > (isPriority ? APPLY_GAP_PRIORITY_MAX : APPLY_GAP_MAX);
  }

  /** Takes a change of the members through the log. */
  changeMembers(change: Omit<ConfChange, "id">, waiter: ChangeWaiter): void {
    const refusal = this.#stopped
      ? fail("stopped")
      : this.#changes.add({ ...change, id: this.nextId() }, waiter, this.now());
    if (refusal === undefined) this.#wake();
    else waiter.fail(refusal);
  }

  /** Tells the waiter when everything acknowledged before this call has been applied here. */
  linearizable(waiter: ReadWaiter): void {
    this.#reads.linearizable(waiter);
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
    await this.#commitUntil(() => this.#pages.durable.index >= index);
  }

  /** Commits without waiting for the beat. */
  async #commitUntil(isDone: () => boolean): Promise<void> {
    while (!isDone() && !this.#stopped) {
      this.#pages.beat();
      this.#applier.wake();
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
  async openSnapshot(): Promise<HashedImage> {
    await this.committed();
    const image = new PinnedImage(this.db.pin(), this.#ports.pageFile.open());
    return new HashedImage(image.hold(), this.#ports.sha256());
  }

  /** Lets work run on its own; a failure in it is a failure of the process. */
  spawn(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#fatal(error));
  }

  // ---- beginning and end

  /** Compares this member with the others before it starts; answers why it must not. */
  checkInitially(): Promise<string | undefined> {
    this.#peers.follow();
    return this.corruption.checkInitially();
  }

  /** Starts the loop and the timers. */
  start(): void {
    this.#isStarted = true;
    this.#clusterLines.recovered();
    this.#peers.follow();
    this.leadership.ticked();
    this.every(this.#config.tickMs, () => this.#tick());
    this.every(this.#config.batchIntervalMs, () => this.#pages.beat() && this.#applier.wake());
    this.every(LEASE_LOOK_MS, () => this.leases.look());
    if (this.#config.autoDisarmNoSpace) this.every(SPACE_LOOK_MS, () => this.space.look());
    if (this.#config.autoCompactionRetention > 0) this.#startAutoCompactor();
    this.#startCorruptionChecks();
    this.versions.start();
    this.spawn(this.leadership.advanceElection());
    this.#wake();
  }

  /** The state is that of a snapshot. */
  #onInstalled(): void {
    this.#clusterLines.recovered();
    this.#peers.follow();
    this.#options.onRestored?.();
    this.#onApplied();
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
        return this.leadership.isOwn ? "leading" : "following";
      },
      compact: (revision) => this.#compact(revision),
      lines,
      text,
    });
    this.spawn(compactor.run());
  }

  #startCorruptionChecks(): void {
    const { corruptCheckMs, compactHashCheckMs, checksCompactHashes } = this.#config;
    const { lines, text } = this.#ports;
    const { corruption } = this;
    if (corruptCheckMs > 0) {
      lines.info("enabled corruption checking", {
        "local-member-id": idToHex(this.ids.memberId),
        interval: text.duration(corruptCheckMs),
      });
      this.spawn(this.#whenLeading(corruptCheckMs, () => corruption.checkNow()));
    }
    if (!checksCompactHashes) return;
    this.spawn(this.#whenLeading(compactHashCheckMs, () => corruption.checkCompactions()));
  }

  /** Repeats work with a pause before each time, while this member leads. */
  async #whenLeading(pauseMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await this.#ports.time.sleep(pauseMs);
      if (this.#stopped || !this.leadership.isOwn) continue;
      await work().catch((error: unknown) => {
        // What goes on while the files are being closed is nobody's concern.
        if (!this.#stopped) throw error;
      });
    }
  }

  #compact(revision: number): Promise<Failure | undefined> {
    return this.#proposeOnce(
      REQUEST.compaction,
      encodeMessage(api.CompactionRequest, { revision }),
    );
  }

  /** Changes the state beside the log, with nothing being applied meanwhile. */
  #changeState(work: () => void): Promise<void> {
    return this.#applier.alone(() => this.#own.retry(work));
  }

  /** Tells the cluster the own name and client URLs; resolves when that has been applied. */
  async publish(attributes: { name: string; clientUrls: readonly string[] }): Promise<void> {
    const request = encodeMessage(api.ClusterMemberAttrSetRequest, {
      memberID: this.ids.memberId,
      memberAttributes: attributes,
    });
    const timeout = this.#ports.text.duration(this.requestTimeoutMs);
    const told = (failure?: Failure) =>
      this.#clusterLines.published({ attributes, timeout }, failure);
    await this.#proposeUntilApplied(REQUEST.clusterMemberAttrSet, request, told);
    if (!this.#stopped) told();
  }

  /** Resolves when the cluster has a version: its first leader sees to it. */
  versionKnown(): Promise<void> {
    return this.versions.known();
  }

  /** Takes a request through the log. Resolves to undefined when it was applied. */
  #proposeOnce(field: number, request: Uint8Array): Promise<Failure | undefined> {
    const { promise, resolve } = deferred<Failure | undefined>();
    this.propose(field, request, {
      settle: ({ error }) => resolve(error === undefined ? undefined : fail(error)),
      fail: resolve,
    });
    return promise;
  }

  async #proposeUntilApplied(
    field: number,
    request: Uint8Array,
    onFailure: (failure: Failure) => void,
  ): Promise<void> {
    for (;;) {
      const failure = await this.#proposeOnce(field, request);
      if (failure === undefined || this.#stopped) return;
      if (failure !== fail("tooManyRequests")) onFailure(failure);
      // A refusal may come at once, as while a long log is applied again: that needs time to go on.
      await this.#ports.time.sleep(PROPOSE_AGAIN_MS);
    }
  }

  /** Hands the lead to another voter, where there is one. To be called before a stop. */
  handOver(): Promise<void> {
    return this.leadership.handOver();
  }

  /** Ends the loop, commits what was applied and closes the files. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#replica.stop();
    await this.#applier.stop();
    this.#failAll(fail("stopped"));
    this.#options.flush();
    await this.network.stop();
    await this.#receivedSnapshots.stop();
    await this.#logKeeper.settled();
    await this.#pages.flush();
    await this.#ports.log.close();
    await this.#ports.pageFile.close();
  }

  #failAll(failure: Failure): void {
    this.#proposals.failAll(failure);
    this.#changes.failAll(failure);
    this.#reads.failAll(failure);
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
    this.#beats.every(ms, work);
  }

  #tick(): void {
    this.#node.tick();
    this.leadership.ticked();
    const now = this.now();
    this.#proposals.expire(now);
    this.#changes.expire(now);
    this.leases.settle();
    this.#reads.tick();
    if (this.#replica.hasWork || this.#canFeed()) this.#wake();
  }

  // ---- the loop

  #wake(): void {
    if (this.#wakeScheduled || this.#stopped || !this.#isStarted) return;
    this.#wakeScheduled = true;
    this.#ports.time.soon(() => {
      this.#wakeScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#stopped) return;
    try {
      this.#replica.turn();
    } catch (error) {
      this.#fatal(error);
    }
  }

  /**
   * Without a leader requests wait: for one, or for their timeout. While the log is being written
   * they gather, and share the next write.
   */
  #canFeed(): boolean {
    if (!this.#proposals.hasGathered && !this.#changes.hasGathered) return false;
    // As raft knows it: an election may have begun since the last Ready.
    const { softState, leadTransferee } = this.#node.status();
    return softState.lead !== 0n && leadTransferee === 0n;
  }

  #feed(): void {
    if (!this.leadership.isKnown) this.leadership.electAlone();
    if (!this.#canFeed()) return;
    this.#changes.offer((change) => this.#node.proposeConfChange(change));
    if (!this.#proposals.hasGathered || this.#replica.isWriting) return;
    this.#proposals.offer(this.#leadsIn(), (datas) => this.#node.propose(datas));
  }

  #onSoftState(soft: SoftState): void {
    this.#node.logLeader(this.leadership.leader);
    const { isOther, isNew } = this.leadership.change(soft);
    const { lessor } = this.state;
    if (soft.role !== "leader" && lessor.isPrimary) lessor.demote();
    if (isNew) {
      this.meters.leaderChanges++;
      this.#heartbeats.restart();
    }
    if (isOther) this.#reads.failAsking();
    if (!isNew) return;
    this.#replica.releaseHeld();
    this.#reads.askAgain();
    this.#wake();
  }

  /** The first entry of this leader's term is committed: from now on it rules over the leases. */
  async #beginTerm(): Promise<void> {
    const { lessor } = this.state;
    if (!lessor.isPrimary) {
      await this.#own.run(lessor.promote(this.now(), this.#config.electionMs));
    }
    if (this.leadership.role !== "leader") {
      // Another one rules by now.
      lessor.demote();
      return;
    }
    this.leadership.isEstablished = true;
    this.versions.look();
    this.#ports.time.soon(() => this.#reads.termBegan());
  }

  #onMemberChange(change: MemberChange): void {
    const { id, error, set, removed } = change;
    this.#clusterLines.changed(change);
    this.#changes.settle(id, error);
    if (set !== undefined) this.#peers.set(set);
    if (removed === undefined) return;
    // One that was removed itself goes on for a moment, so that the others hear what it has.
    if (removed.id !== this.ids.memberId) this.#peers.remove(removed.id);
    else void this.#ports.time.sleep(REMOVED_MS).then(() => this.#options.onRemoved?.());
  }

  #onApplied(): void {
    this.#clusterLines.applied();
    this.versions.applied();
    this.#reads.release();
    this.leases.settle();
  }

  #between(): Promise<void> | undefined {
    this.#logKeeper.maybeSave();
    if (!this.#pages.isDue && !this.#compactor.isDue) return undefined;
    return this.#keepPages();
  }

  async #keepPages(): Promise<void> {
    await this.#pages.maybeCommit(this.#options.flush);
    if (this.#compactor.isDue) await this.#compactor.step(this.#options.flush);
  }
}
