import { assert } from "../base/index.ts";
import {
  type Entry,
  type HardState,
  MESSAGE_TYPE,
  type Message,
  type Snapshot,
} from "../proto/index.ts";
import type { MemoryStorage, RawNode, ReadState, Ready, SoftState } from "../raft/index.ts";
import { Acknowledged, compacted } from "./outgoing.ts";
import type { LogPort, NetworkPort, TimePort } from "./ports.ts";

/** What other members sent since the last turn; more is dropped, and raft sends it again. */
const ARRIVED_MAX = 10_000;
const ARRIVED_BYTES_MAX = 64 * 1024 * 1024;

/** Messages and bytes that one turn takes in: more would hold the loop for long. */
const TURN_MESSAGES_MAX = 1000;
const TURN_BYTES_MAX = 2 * 1024 * 1024;

/**
 * Proposals of other members that wait here, for an election timeout, until it is known who leads;
 * more are dropped.
 */
const HELD_MAX = 1000;
const HELD_BYTES_MAX = 16 * 1024 * 1024;

/** How long the commit index waits for other messages to a member that does not wait for it. */
const COMMIT_WAITS_MS = 1;

export interface ReplicaOptions {
  readonly id: bigint;
  readonly electionMs: number;
  readonly node: RawNode;
  readonly storage: MemoryStorage;
  readonly log: LogPort;
  readonly network: NetworkPort;
  /** Told of every Ready that names another leader or role, before its entries are applied. */
  readonly onSoftState: (state: SoftState) => void;
  readonly onReadStates: (states: readonly ReadState[]) => void;
  /** Another member asks for a read index. False: raft is to see to it. */
  readonly onReadIndex: (message: Message) => boolean;
  readonly onAppended: (entries: readonly Entry[]) => void;
  /** A heartbeat leaves for a member. */
  readonly onHeartbeat: (to: bigint) => void;
  /** Applies committed entries, in order; `done` is to be called when all of them are. */
  readonly apply: (entries: readonly Entry[], done: () => void) => void;
  /** Offers what gathered to `propose`, if now is the time for it. */
  readonly feed: () => void;
  /** Sends a `snap` message with what belongs to it. */
  readonly sendSnapshot: (message: Message) => void;
  /**
   * Makes a snapshot of the leader durable, with the hard state that commits it, and the state and
   * `storage` what it says.
   */
  readonly install: (snapshot: Snapshot, hardState: HardState) => Promise<void>;
  /** There is more to do than one turn should. */
  readonly wake: () => void;
  readonly time: Pick<TimePort, "now" | "sleep">;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Raft with its log and its network. Storage is asynchronous, as raft's own documentation of it
 * describes: a Ready's entries are on their way to the disk while messages go on being taken, sent
 * and answered and entries being applied. What promises something durable waits for its write.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #node: RawNode;
  #arrived: Message[] = [];
  #arrivedBytes = 0;
  #held: { readonly message: Message; readonly until: number }[] = [];
  #heldBytes = 0;
  /** Messages that leave before the next write begins, or at the end of the turn. */
  #outbox: Message[] = [];
  /** Between which indices is what members have proposed and not heard the end of. */
  readonly #awaited = new Map<bigint, { from: number; readonly to: number }>();
  #isPatient = false;
  readonly #acknowledged: Acknowledged;
  /** Appends that are not durable yet. */
  #writes = 0;
  #written: Promise<void> = Promise.resolve();
  #installing: Promise<void> | undefined;
  #isTurning = false;
  #isStopped = false;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#node = options.node;
    this.#acknowledged = new Acknowledged(() => options.time.now());
  }

  /** Whether the log is being written. */
  get isWriting(): boolean {
    return this.#writes > 0;
  }

  get hasWork(): boolean {
    return this.#arrived.length > 0 || this.#node.hasReady;
  }

  /** A message of another member waits for the next turn. False: there is no room for it. */
  receive(m: Message): boolean {
    const bytes = sizeOf(m);
    if (this.#isStopped || this.#arrived.length >= ARRIVED_MAX) return false;
    if (this.#arrivedBytes + bytes > ARRIVED_BYTES_MAX && this.#arrived.length > 0) return false;
    this.#arrived.push(m);
    this.#arrivedBytes += bytes;
    return true;
  }

  /** One turn: takes what arrived and gathered, and does what raft makes of it. */
  turn(): void {
    if (this.#isTurning || this.#isStopped) return;
    this.#isTurning = true;
    try {
      this.#deliver();
      this.#options.feed();
      while (this.#node.hasReady && !this.#isStopped) {
        this.#obey(this.#node.ready());
        this.#options.feed();
      }
      this.#flush();
    } finally {
      this.#isTurning = false;
    }
  }

  #deliver(): void {
    if (this.#arrived.length === 0) return;
    for (const m of this.#takeArrived()) this.#step(m);
    if (this.#arrived.length > 0) this.#options.wake();
  }

  /** The oldest of what arrived: at least one message, and no more than is good for a turn. */
  #takeArrived(): readonly Message[] {
    let count = 0;
    let bytes = 0;
    for (const m of this.#arrived) {
      const size = sizeOf(m);
      if (count > 0 && (count >= TURN_MESSAGES_MAX || bytes + size > TURN_BYTES_MAX)) break;
      bytes += size;
      count++;
    }
    this.#arrivedBytes -= bytes;
    if (count < this.#arrived.length) return this.#arrived.splice(0, count);
    const all = this.#arrived;
    this.#arrived = [];
    return all;
  }

  #step(m: Message): void {
    if (m.type === MESSAGE_TYPE.readIndex && this.#options.onReadIndex(m)) return;
    if (m.type !== MESSAGE_TYPE.prop) {
      this.#node.step(m);
      return;
    }
    const before = this.#node.lastIndex;
    const refusal = this.#node.step(m);
    if (refusal !== undefined) this.#hold(m);
    else if (this.#node.lastIndex > before) {
      const from = this.#awaited.get(m.from)?.from ?? before + 1;
      this.#awaited.set(m.from, { from, to: this.#node.lastIndex });
    }
  }

  /**
   * While leadership is on its way to another, its proposals had better wait than be lost. Not for
   * long: they must not come over what their clients have written since.
   */
  #hold(m: Message): void {
    const { time, electionMs } = this.#options;
    const now = time.now();
    while (this.#held.length > 0 && this.#held[0]!.until < now) {
      this.#heldBytes -= sizeOf(this.#held.shift()!.message);
    }
    const bytes = sizeOf(m);
    if (this.#held.length >= HELD_MAX || this.#heldBytes + bytes > HELD_BYTES_MAX) return;
    this.#held.push({ message: m, until: now + electionMs });
    this.#heldBytes += bytes;
  }

  /** Tries once more what waited for a leader. */
  releaseHeld(): void {
    const now = this.#options.time.now();
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { message, until } of held) if (until >= now) this.#step(message);
  }

  #obey(ready: Ready): void {
    const { softState, readStates } = ready;
    let append: Message | undefined;
    let apply: Message | undefined;
    for (const m of ready.messages) {
      if (m.type === MESSAGE_TYPE.storageAppend) append = m;
      else if (m.type === MESSAGE_TYPE.storageApply) apply = m;
      else if (m.type === MESSAGE_TYPE.snap) this.#options.sendSnapshot(m);
      else this.#outbox.push(m);
      if (m.type === MESSAGE_TYPE.heartbeat) this.#options.onHeartbeat(m.to);
    }
    // Others work on them while this member writes and applies.
    if (append !== undefined || apply !== undefined) this.#flush();
    if (append !== undefined) this.#append(append, ready);
    if (softState !== undefined) this.#options.onSoftState(softState);
    if (readStates.length > 0) this.#options.onReadStates(readStates);
    if (apply !== undefined) this.#apply(apply);
  }

  /** Sends a message with the others of this turn. */
  send(m: Message): void {
    this.#outbox.push(m);
    if (!this.#isTurning) this.#flush();
  }

  /**
   * Sends what is in the outbox. A commit index that nobody waits for stays, to leave with the next
   * message to that member: one moment later it often need not be sent at all.
   */
  #flush(): void {
    if (this.#outbox.length === 0) return;
    const messages = compacted(this.#outbox).filter((m) => this.#acknowledged.isNews(m));
    const urgent = new Set<bigint>();
    for (const m of messages) if (!this.#canWait(m)) urgent.add(m.to);
    this.#outbox = messages.filter(({ to }) => !urgent.has(to));
    if (this.#outbox.length > 0) this.#flushLater();
    if (urgent.size === 0) return;
    this.#options.network.send(messages.filter(({ to }) => urgent.has(to)));
  }

  #canWait({ type, to, entries, commit }: Message): boolean {
    if (type !== MESSAGE_TYPE.app) return false;
    const awaited = this.#awaited.get(to);
    const isAwaited = awaited !== undefined && commit >= awaited.from;
    if (isAwaited && commit >= awaited.to) this.#awaited.delete(to);
    else if (isAwaited) awaited.from = commit + 1;
    return entries.length === 0 && !isAwaited;
  }

  #flushLater(): void {
    if (this.#isPatient) return;
    this.#isPatient = true;
    void this.#options.time.sleep(COMMIT_WAITS_MS).then(() => {
      this.#isPatient = false;
      const messages = this.#outbox;
      this.#outbox = [];
      if (messages.length > 0 && !this.#isStopped) this.#options.network.send(messages);
    });
  }

  /** Begins to write what raft wants durable. Writes end in the order in which they began. */
  #append(m: Message, ready: Ready): void {
    const { snapshot, hardState } = ready;
    this.#writes++;
    if (snapshot !== undefined) {
      assert(hardState !== undefined, "a snapshot is committed");
      // A leader may send a newer one while the one before is being installed.
      this.#installing = this.#written.then(() => this.#options.install(snapshot, hardState));
    }
    const installing = this.#installing;
    const written =
      installing === undefined ? this.#write(ready) : installing.then(() => this.#write(ready));
    if (snapshot !== undefined) {
      void written.then(() => {
        if (this.#installing === installing) this.#installing = undefined;
      }, ignore);
    }
    this.#written = written.then(
      () => this.#onWritten(m),
      (error: unknown) => this.#fail(error),
    );
  }

  #write({ entries, hardState, mustSync }: Ready): Promise<void> {
    const { storage, log, onAppended } = this.#options;
    storage.append(entries);
    onAppended(entries);
    if (hardState !== undefined) storage.setHardState(hardState);
    if (entries.length === 0 && hardState === undefined && this.#writes === 1) return DONE;
    return log.append({ entries, hardState, mustSync });
  }

  #onWritten({ responses }: Message): void {
    this.#writes--;
    if (this.#isStopped) return;
    for (const m of responses) {
      if (m.to === this.#options.id) this.#node.step(m);
      else this.#outbox.push(m);
    }
    // They leave with the turn that follows; within one, as with a failed write, with its end.
    this.#goOn();
  }

  #apply({ entries, responses }: Message): void {
    this.#options.apply(entries, () => {
      for (const m of responses) this.#node.step(m);
      if (!this.#isTurning) this.#goOn();
    });
  }

  #goOn(): void {
    try {
      this.turn();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#isStopped = true;
    this.#options.onFatal(error);
  }

  /** Takes no more messages; resolves when the writes under way have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#written;
  }
}

const DONE = Promise.resolve();
const ignore = (): void => {};

function sizeOf({ entries, context }: Message): number {
  let bytes = 64 + context.length;
  for (const { data } of entries) bytes += 32 + data.length;
  return bytes;
}
