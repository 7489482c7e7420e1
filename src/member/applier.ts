import type { Applied, MemberChange, State } from "../apply/index.ts";
import { type Deferred, deferred } from "../base/index.ts";
import type { Slices } from "../mvcc/index.ts";
import { type ConfChange, ENTRY_TYPE, type Entry, fail } from "../proto/index.ts";
import type { RawNode } from "../raft/index.ts";
import type { Meters } from "./meters.ts";
import type { TimePort } from "./ports.ts";
import type { Proposals } from "./proposals.ts";
import type { Slicer } from "./slices.ts";
import type { SpaceKeeper } from "./space-keeper.ts";

/** Entries, or other work that must not run beside one. */
interface Batch {
  readonly entries: readonly Entry[];
  readonly work?: () => Promise<void>;
  readonly done: () => void;
}

export interface ApplierOptions {
  readonly state: State;
  readonly node: RawNode;
  readonly proposals: Proposals;
  readonly slicer: Slicer;
  readonly space: SpaceKeeper;
  readonly meters: Meters;
  readonly time: TimePort;
  readonly warningApplyMs: number;
  /** The first entry of the own term is about to be applied, by a leader. */
  readonly beginTerm: () => Promise<void>;
  readonly onMemberChange: (change: MemberChange) => void;
  /** A batch was applied. */
  readonly onApplied: () => void;
  /** What else changes the state or the page file, and so must not run beside an entry. */
  readonly between: () => Promise<void> | undefined;
  readonly hasMore: () => boolean;
  /** Replies have been written: let them leave. */
  readonly flush: () => void;
  readonly spawn: (work: Promise<unknown>) => void;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Takes committed entries into the state, in order, one after the other. Long ones run in slices;
 * raft goes on meanwhile, so that a member that has much to apply neither loses its leader nor its
 * lead. How much may wait here is bounded by raft (`committedBytesMax`).
 */
export class Applier {
  readonly #options: ApplierOptions;
  readonly #state: State;
  readonly #queue: Batch[] = [];
  #running = false;
  #idle: Deferred<void> | undefined;
  #isStopped = false;
  /** Whether the last entry did what it asked for. */
  #isApplied = true;
  /** Since when it has been at work in this turn. */
  #resumedAt = 0;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  push(entries: readonly Entry[], done: () => void): void {
    this.#queue.push({ entries, done });
    this.wake();
  }

  /** Runs work when all that was pushed is applied. Nothing else changes the state meanwhile. */
  alone(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = deferred<void>();
    this.#queue.push({ entries: [], work, done: resolve });
    this.wake();
    return promise;
  }

  /** Sees to whatever is due. */
  wake(): void {
    if (this.#running || this.#isStopped) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      this.#isStopped = true;
      this.#options.onFatal(error);
    });
  }

  /** Resolves when all that was pushed is applied, and nothing else is under way. */
  idle(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    this.#idle ??= deferred<void>();
    return this.#idle.promise;
  }

  /** Ends with the entry that is being applied. */
  stop(): Promise<void> {
    this.#isStopped = true;
    return this.idle();
  }

  async #run(): Promise<void> {
    this.#resumedAt = this.#options.time.now();
    do {
      const batch = this.#queue.shift();
      if (batch !== undefined) {
        const applying = batch.work?.() ?? this.#apply(batch.entries);
        if (applying !== undefined) await applying;
        batch.done();
      }
      const other = this.#options.between();
      if (other !== undefined) await other;
    } while (!this.#isStopped && (this.#queue.length > 0 || this.#options.hasMore()));
    this.#running = false;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** What does not pause is done at once, without a promise. */
  #apply(entries: readonly Entry[]): Promise<void> | undefined {
    const { proposals, time } = this.#options;
    let begun = time.now();
    for (let i = 0; i < entries.length; i++) {
      if (time.turnIsSpent(this.#resumedAt)) return this.#applyLater(entries, i, undefined, begun);
      proposals.nowMs = begun;
      const entry = entries[i]!;
      const applying = this.#applyEntry(entry);
      if (applying !== undefined) return this.#applyLater(entries, i + 1, applying, begun);
      begun = this.#measure(entry, begun);
    }
    this.#end();
    return undefined;
  }

  /** Goes on at `from`, when the entry before it is done; without one, in the next turn. */
  async #applyLater(
    entries: readonly Entry[],
    from: number,
    applying: Promise<void> | undefined,
    begunAt: number,
  ): Promise<void> {
    if (applying === undefined) await this.#pause();
    else {
      await applying;
      this.#measure(entries[from - 1]!, begunAt);
      this.#resumedAt = this.#options.time.now();
    }
    await this.#rest(entries, from);
  }

  async #rest(entries: readonly Entry[], from: number): Promise<void> {
    const { proposals, time } = this.#options;
    let begun = time.now();
    for (const entry of entries.slice(from)) {
      if (this.#isStopped) return;
      if (time.turnIsSpent(this.#resumedAt)) {
        await this.#pause();
        begun = time.now();
      }
      proposals.nowMs = begun;
      const applying = this.#applyEntry(entry);
      if (applying !== undefined) await applying;
      begun = this.#measure(entry, begun);
    }
    this.#end();
  }

  #end(): void {
    this.#options.onApplied();
    this.#options.flush();
  }

  async #pause(): Promise<void> {
    const { time, flush } = this.#options;
    flush();
    await time.nextTurn();
    this.#resumedAt = time.now();
  }

  /** Notes how long an entry took; answers the time it is now. */
  #measure(entry: Entry, begun: number): number {
    const { time, meters, warningApplyMs } = this.#options;
    const now = time.now();
    if (entry.type !== ENTRY_TYPE.normal || entry.data.length === 0) return now;
    meters.applied.observe(this.#state.request.field, this.#isApplied, now - begun);
    if (now - begun > warningApplyMs) meters.slowApplies++;
    return now;
  }

  #applyEntry(entry: Entry): Promise<void> | undefined {
    const { node, proposals, slicer, onMemberChange } = this.#options;
    if (entry.type !== ENTRY_TYPE.normal) {
      const toRaft = (change: ConfChange) => node.applyConfChange(change);
      const changed = this.#state.applyConfChange(entry, toRaft);
      if ("next" in changed) return slicer.run(changed).then(onMemberChange);
      onMemberChange(changed);
      return undefined;
    }
    if (entry.data.length === 0 && this.#beginsOwnTerm(entry)) return this.#beginTerm(entry);
    const applied = this.#state.apply(entry, proposals);
    if ("next" in applied) return this.#applySlices(applied);
    this.#settle(applied);
    return undefined;
  }

  /** The log replays the beginnings of earlier terms, too. */
  #beginsOwnTerm(entry: Entry): boolean {
    const { term, softState } = this.#options.node.status();
    return entry.term === term && softState.role === "leader";
  }

  async #beginTerm(entry: Entry): Promise<void> {
    await this.#options.beginTerm();
    this.#state.apply(entry, this.#options.proposals);
  }

  /** Short ones end in their first slice, without a promise. */
  #applySlices(slices: Slices<Applied>): Promise<void> | undefined {
    const step = slices.next();
    if (step.done !== true) {
      const { slicer, flush } = this.#options;
      return slicer.resume(slices, step, flush).then((applied) => this.#settle(applied));
    }
    this.#settle(step.value);
    return undefined;
  }

  #settle(applied: Applied): void {
    this.#isApplied = applied.error === undefined;
    const { proposals, space, spawn } = this.#options;
    const { member, sequence } = this.#state.request;
    if (applied.error === "noSpace" && !this.#state.alarms.hasNoSpace) {
      const raised = space.raiseFor(fail("noSpace").message);
      spawn(raised.then(() => proposals.settle(member, sequence, applied)));
    } else {
      proposals.settle(member, sequence, applied);
    }
  }
}
