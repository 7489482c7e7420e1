import type { State } from "../apply/index.ts";
import { idToHex } from "../cluster/index.ts";
import { type Failure, fail } from "../proto/index.ts";
import { NONE, type RawNode, type Role, type SoftState } from "../raft/index.ts";
import type { LogLines, NetworkPort, TextPort, TimePort } from "./ports.ts";

/** Ticks without which a leader may have been stopped for long, and no leader any more (etcd: 3). */
const FRESH_TICKS = 3;

/** Pause between two attempts to reach the leader (etcd: as long). */
const RETRY_MS = 50;

/** How long a restarted member looks for two active peers, and how often (etcd: `adjustTicks`). */
const PEERS_LOOK_MS = 5000;
const PEERS_LOOK_EVERY_MS = 50;

/** A candidate that misses its leader tries so often before its usual time comes. */
const EARLY_CAMPAIGNS = 5;
/** Parts of the election timeout between those, and between two candidates' first. */
const EARLY_PARTS = 5;
const RANK_PARTS = 20;

/** Election timeouts that a member that stops waits for its successor (etcd: 7 s). */
const HAND_OVER_TIMEOUTS = 2;

export interface LeadershipOptions {
  readonly memberId: bigint;
  readonly state: State;
  readonly node: RawNode;
  readonly network: NetworkPort;
  readonly time: TimePort;
  readonly lines: LogLines;
  readonly text: TextPort;
  readonly tickMs: number;
  readonly electionMs: number;
  readonly preVote: boolean;
  /** Whether a member that restarts may campaign sooner (`--initial-election-tick-advance`). */
  readonly electionTickAdvance: boolean;
  readonly requestTimeoutMs: number;
  readonly isStopped: () => boolean;
  /** Raft was told something: it may have work to hand out. */
  readonly wake: () => void;
}

/** Who leads, as this member knows it; and how the lead passes on. */
export class Leadership {
  readonly #options: LeadershipOptions;
  /** 0 for nobody. */
  leader = NONE;
  role: Role = "follower";
  /** The last leader there was; 0 before the first. */
  lastLeader = NONE;
  /** When the leader before was lost, or this one was heard of first. */
  #ledSince: number | undefined;
  #tickedAt = 0;
  /** How often this member stood still, and of which times it knows that it went on leading. */
  #stops = 0;
  #stopsConfirmed = 0;
  #isBacked = false;
  /** This member leads, and has applied an entry of its own term. */
  isEstablished = false;
  #early = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get isKnown(): boolean {
    return this.leader !== NONE;
  }

  get isOwn(): boolean {
    return this.leader === this.#options.memberId;
  }

  /**
   * Whether a leader may trust that it still is one, without asking (etcd: `isActive`): it did not
   * stand still since it knew last, and a quorum was connected at the last tick. Without the latter
   * a successor need not wait for an election timeout.
   */
  get isFresh(): boolean {
    return this.#isBacked && this.#stops === this.#stopsConfirmed && !this.#standsStill;
  }

  get #standsStill(): boolean {
    const { time, tickMs } = this.#options;
    return time.now() - this.#tickedAt >= FRESH_TICKS * tickMs;
  }

  /** To be named to `confirmed`, once a quorum has said that this member leads. */
  get stops(): number {
    return this.#stops;
  }

  /** A quorum was asked after so many stops, and this member leads. */
  confirmed(stops: number): void {
    this.#stopsConfirmed = stops;
  }

  /** Raft has had its tick. */
  ticked(): void {
    const { node, time, tickMs, electionMs } = this.#options;
    // The first tick after a stop comes before anything that others have sent meanwhile.
    if (this.#standsStill) this.#stops++;
    this.#tickedAt = time.now();
    this.#isBacked = this.isOwn && this.#hasQuorum();
    const { electionElapsed } = node.status();
    // A tick later the others have noticed, too.
    if (electionElapsed === Math.floor(electionMs / tickMs)) {
      this.#replace(this.leader, "nothing was heard of the leader", tickMs);
    }
  }

  /** Takes a change in. Says whether another member leads than the one that led last. */
  change({ lead, role }: SoftState): { readonly isOther: boolean; readonly isNew: boolean } {
    const isNew = lead !== NONE && lead !== this.leader;
    const isOther = isNew && this.lastLeader !== NONE && lead !== this.lastLeader;
    if (isNew) {
      this.#ledSince = this.#options.time.now();
      this.lastLeader = lead;
    }
    this.leader = lead;
    this.role = role;
    if (role !== "leader") this.isEstablished = false;
    return { isOther, isNew };
  }

  /**
   * Why a request that began then was not answered in time (etcd: `parseProposeCtxErr`): it may
   * have got lost with the leader before, or on a connection that broke.
   */
  timeoutOf(since: number): Failure {
    const { electionMs } = this.#options;
    const ledSince = this.#ledSince ?? Number.NEGATIVE_INFINITY;
    const isAround = since > ledSince - 2 * electionMs && since < ledSince;
    if (isAround) return fail("timeoutDueToLeaderFail");
    if (!this.isKnown) return fail("timeout");
    const isConnected = this.isOwn
      ? this.#isConnectedToQuorumSince(since)
      : this.#isConnectedSince(this.leader, since);
    return fail(isConnected ? "timeout" : "timeoutDueToConnectionLost");
  }

  #isConnectedSince(id: bigint, since: number): boolean {
    const active = this.#options.network.activeSince(id);
    return active !== undefined && active < since;
  }

  #isConnectedToQuorumSince(since: number): boolean {
    const { state, memberId } = this.#options;
    const members = state.members.list();
    const connected = members.filter(
      ({ id }) => id === memberId || this.#isConnectedSince(id, since),
    );
    return connected.length >= Math.floor(members.length / 2) + 1;
  }

  /** Resolves to the leader, as soon as there is one; 0: none until then. */
  async known(until: number): Promise<bigint> {
    const { time, tickMs, isStopped } = this.#options;
    while (!this.isKnown && time.now() < until && !isStopped()) await time.sleep(tickMs);
    return this.leader;
  }

  /**
   * Tries with whoever leads, which may be this member, until there is an answer or the time of a
   * request is over. Undefined is no answer.
   */
  async reach<T>(
    attempt: (leader: bigint, timeoutMs: number) => Promise<T | Failure | undefined>,
  ): Promise<T | Failure> {
    const { time, requestTimeoutMs, isStopped } = this.#options;
    const until = time.now() + requestTimeoutMs;
    while (time.now() < until) {
      const leader = await this.known(until);
      if (isStopped()) return fail("stopped");
      if (leader === NONE) return fail("noLeader");
      const answer = await attempt(leader, until - time.now());
      if (answer !== undefined) return answer;
      await time.sleep(RETRY_MS);
    }
    return fail("timeout");
  }

  /**
   * Once two peers are reached, one that starts need not be silent for a whole election timeout
   * before it campaigns: if there is a leader, it is heard of at the next heartbeat.
   */
  async advanceElection(): Promise<void> {
    const { state, node, time, lines, text, wake, isStopped } = this.#options;
    const { memberId, electionTickAdvance, electionMs, tickMs } = this.#options;
    if (!electionTickAdvance) return;
    const until = time.now() + PEERS_LOOK_MS;
    const active = () => this.#connected(state.members.list().map(({ id }) => id)).length;
    while (active() < 2) {
      if (isStopped() || time.now() > until) return;
      await time.sleep(PEERS_LOOK_EVERY_MS);
    }
    const ticks = Math.floor(electionMs / tickMs) - 2;
    lines.info("initialized peer connections; fast-forwarding election ticks", {
      "local-member-id": idToHex(memberId),
      "forward-ticks": ticks,
      "forward-duration": text.duration(ticks * tickMs),
      "election-ticks": ticks + 2,
      "election-timeout": text.duration((ticks + 2) * tickMs),
      "active-remote-members": active(),
    });
    for (let tick = ticks; tick > 0; tick--) node.tick();
    wake();
  }

  /** A member alone in its cluster elects itself as soon as it has applied who is in it. */
  electAlone(): void {
    const { node, state } = this.#options;
    const { applied, commit, softState, configuration } = node.status();
    const isAlone = configuration.voters.incoming.length === 1;
    if (!isAlone || state.members.list().length !== 1) return;
    if (applied === commit && softState.role === "follower") node.campaign();
  }

  /** The process of a member is gone. */
  gone(id: bigint): void {
    if (id === this.leader) this.#replace(id, "the leader's process is gone", 0);
  }

  /**
   * There is no need to wait any longer for a leader that is gone, or has been silent for an
   * election timeout: this member asks the others whether they see it, too. Those that still hear
   * of it refuse (PreVote, CheckQuorum), and then nothing has happened. The candidates begin one
   * after the other, so that they do not take each other's votes. Without PreVote asking would
   * force a new term on a leader that lives.
   */
  #replace(leader: bigint, why: string, pauseMs: number): void {
    const { state, memberId, node, wake, lines, electionMs, preVote } = this.#options;
    if (leader === NONE || this.isOwn || !preVote) return;
    const others = state.members.list().filter(({ id, isLearner }) => !isLearner && id !== leader);
    const rank = others.findIndex(({ id }) => id === memberId);
    if (rank < 0) return;
    node.forgetLeader();
    wake();
    lines.info(`${why}; asking for an election`, {
      "local-member-id": idToHex(memberId),
      "lost-leader-member-id": idToHex(leader),
    });
    void this.#campaignEarly(pauseMs + (rank * electionMs) / RANK_PARTS, ++this.#early);
  }

  async #campaignEarly(pauseMs: number, run: number): Promise<void> {
    const { time, node, wake, electionMs, isStopped } = this.#options;
    await time.sleep(pauseMs);
    for (let tries = 0; tries < EARLY_CAMPAIGNS; tries++) {
      const { softState } = node.status();
      if (softState.lead !== NONE || run !== this.#early || isStopped()) return;
      if (softState.role !== "candidate") node.campaign();
      wake();
      await time.sleep(electionMs / EARLY_PARTS);
    }
  }

  /** Hands the lead to a member. Undefined: it has it. */
  async move(to: bigint, timeoutMs = this.#options.requestTimeoutMs): Promise<Failure | undefined> {
    const { state, node, time, lines, text, memberId, tickMs } = this.#options;
    const member = state.members.get(to);
    if (member === undefined || member.isLearner) return fail("badLeaderTransferee");
    const begun = time.now();
    const self = { "local-member-id": idToHex(memberId) };
    const before = idToHex(this.leader);
    lines.info("leadership transfer starting", {
      ...self,
      "current-leader-member-id": before,
      "transferee-member-id": idToHex(to),
    });
    node.transferLeader(to);
    this.#options.wake();
    while (this.leader !== to) {
      if (time.now() - begun > timeoutMs) return fail("timeoutLeaderTransfer");
      if (this.#options.isStopped()) return fail("stopped");
      await time.sleep(tickMs / 10);
    }
    lines.info("leadership transfer finished", {
      ...self,
      "old-leader-member-id": before,
      "new-leader-member-id": idToHex(to),
      took: text.duration(time.now() - begun),
    });
    return undefined;
  }

  /**
   * Before a stop: whoever has most of the log and is connected goes on leading. Raft gives a
   * transfer up after an election timeout; where all stop at once there is nobody to wait for.
   */
  async handOver(): Promise<void> {
    const { lines, memberId, requestTimeoutMs, electionMs } = this.#options;
    const ids = {
      "local-member-id": idToHex(memberId),
      "current-leader-member-id": idToHex(this.leader),
    };
    if (!this.isOwn) {
      lines.info("skipped leadership transfer; local server is not leader", ids);
      return;
    }
    if (this.#otherVoters().length === 0) {
      lines.info("skipped leadership transfer for single voting member cluster", ids);
      return;
    }
    const successor = this.#successor();
    const timeoutMs = Math.min(requestTimeoutMs, HAND_OVER_TIMEOUTS * electionMs);
    const failure =
      successor === undefined ? fail("unhealthy") : await this.move(successor, timeoutMs);
    if (failure === undefined) return;
    lines.warn("leadership transfer failed", {
      "local-member-id": idToHex(memberId),
      error: failure.message,
    });
  }

  #hasQuorum(): boolean {
    const others = this.#otherVoters();
    return this.#connected(others).length >= Math.ceil(others.length / 2);
  }

  #connected(ids: readonly bigint[]): bigint[] {
    return ids.filter((id) => this.#options.network.activeSince(id) !== undefined);
  }

  #otherVoters(): bigint[] {
    const { state, memberId } = this.#options;
    const voters = state.members
      .list()
      .filter(({ isLearner, id }) => !isLearner && id !== memberId);
    return voters.map(({ id }) => id);
  }

  #successor(): bigint | undefined {
    const { progress } = this.#options.node.status();
    const match = (id: bigint) => progress.get(id)?.match ?? 0;
    return this.#connected(this.#otherVoters()).sort((a, b) => match(b) - match(a))[0];
  }
}
