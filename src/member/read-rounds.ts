import type { State } from "../apply/index.ts";
import { jsonNumber } from "../base/index.ts";
import { type Failure, fail, MESSAGE_TYPE, type Message } from "../proto/index.ts";
import { message, type RawNode, type ReadState } from "../raft/index.ts";
import type { Leadership } from "./leadership.ts";
import type { Meters } from "./meters.ts";
import type { LogLines, TextPort, TimePort } from "./ports.ts";
import { Reads, type ReadWaiter } from "./reads.ts";

/** What raft has not confirmed is asked for again after this (etcd: `readIndexRetryTime`). */
const RETRY_MS = 500;

export interface ReadRoundsOptions {
  readonly memberId: bigint;
  readonly state: State;
  readonly node: RawNode;
  readonly leadership: Leadership;
  readonly time: TimePort;
  readonly lines: LogLines;
  readonly text: TextPort;
  readonly meters: Meters;
  readonly timeoutMs: number;
  readonly nextId: () => bigint;
  readonly send: (message: Message) => void;
  /** Raft was asked: it may have work to hand out. */
  readonly asked: () => void;
  /** Readers went on: let their replies leave. */
  readonly flush: () => void;
  readonly isStopped: () => boolean;
}

/** Takes the rounds of linearizable reads to raft (thesis §6.4), its own and other members'. */
export class ReadRounds {
  readonly #options: ReadRoundsOptions;
  readonly #reads = new Reads();
  #isScheduled = false;
  #askedAt = 0;
  /** By which name raft was asked last. */
  #context = 0n;

  constructor(options: ReadRoundsOptions) {
    this.#options = options;
  }

  /** Tells the waiter when everything acknowledged before this call has been applied here. */
  linearizable(waiter: ReadWaiter): void {
    const refusal = this.#options.isStopped() ? fail("stopped") : this.#reads.add(waiter);
    if (refusal === undefined) this.#beginSoon();
    else waiter.fail(refusal);
  }

  /** Another member asks. Its rounds share the leader's: one heartbeat confirms all of them. */
  answer({ from, entries }: Message): boolean {
    const { leadership, node, memberId, send } = this.#options;
    if (!leadership.isEstablished) return false;
    this.#reads.addOther((index) => {
      const { term } = node.status();
      const type = MESSAGE_TYPE.readIndexResp;
      send(message({ type, to: from, from: memberId, term, index, entries }));
    });
    this.#beginSoon();
    return true;
  }

  /** All that arrives in this turn shares a round. */
  #beginSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.time.soon(() => {
      this.#isScheduled = false;
      this.#begin();
    });
  }

  #begin(): void {
    const { time, nextId, isStopped } = this.#options;
    if (!this.#reads.mayBegin || isStopped()) return;
    const context = nextId();
    this.#reads.begin(context, time.now());
    this.#ask(context);
  }

  /** The first entry of this leader's term is applied: it can be asked now. */
  termBegan(): void {
    if (!this.#reads.isAsking || this.#options.isStopped()) return;
    this.#options.lines.info("first commit in current term: resending ReadIndex request");
    this.askAgain();
  }

  /** Asks again for what raft dropped, as it does while it has no leader. */
  askAgain(): void {
    const { nextId, meters, isStopped } = this.#options;
    if (!this.#reads.isAsking || isStopped()) return;
    const context = nextId();
    meters.slowReadIndexes++;
    this.#reads.askAgain(context);
    this.#ask(context);
  }

  /**
   * A new leader does not know yet how far the terms before had committed: what was acknowledged
   * then may not be applied here. Reads wait for the first entry of its own term.
   */
  #ask(context: bigint): void {
    const { leadership, node, time, asked } = this.#options;
    this.#askedAt = time.now();
    this.#context = context;
    if (!leadership.isEstablished && leadership.isOwn) return;
    node.readIndex(contextBytes(context));
    // Alone, a leader confirms itself at once: no need to wait for the write under way.
    this.confirm(node.takeReadStates());
    asked();
  }

  /** Raft has confirmed rounds. */
  confirm(states: readonly ReadState[]): void {
    if (states.length === 0) return;
    for (const { context, index } of states) {
      if (!this.#reads.confirm(contextOf(context), index)) this.#ignored(contextOf(context));
    }
    this.release();
    this.#options.flush();
    this.#begin();
  }

  /** Nobody waits for this answer any more. */
  #ignored(context: bigint): void {
    const { lines, meters } = this.#options;
    meters.slowReadIndexes++;
    lines.warn(
      "ignored out-of-date read index response; local node read indexes queueing up and waiting " +
        "to be in sync with leader",
      { "received-request-id": jsonNumber(context) },
    );
  }

  /** More has been applied. */
  release(): void {
    this.#reads.release(this.#options.state.appliedIndex);
  }

  tick(): void {
    const { time, meters, lines, text, timeoutMs } = this.#options;
    const now = time.now();
    const wasAsking = this.#reads.isAsking;
    meters.readIndexesFailed += this.#reads.expire(now, timeoutMs);
    if (wasAsking && !this.#reads.isAsking)
      lines.warn(TIMED_OUT, { timeout: text.duration(timeoutMs) });
    if (now - this.#askedAt >= RETRY_MS) this.#retry();
    this.#begin();
  }

  #retry(): void {
    const { lines, text, isStopped } = this.#options;
    if (!this.#reads.isAsking || isStopped()) return;
    lines.warn("waiting for ReadIndex response took too long, retrying", {
      "sent-request-id": jsonNumber(this.#context),
      "retry-timeout": text.duration(RETRY_MS),
    });
    this.askAgain();
  }

  /**
   * Another member leads than the one that was asked: its answer may have got lost. Readers are
   * told so, as by etcd, and had better ask again.
   */
  failAsking(): void {
    if (this.#reads.failAsking(fail("leaderChanged"))) this.#options.meters.readIndexesFailed++;
  }

  failAll(failure: Failure): void {
    this.#reads.failAll(failure);
  }
}

const TIMED_OUT = "timed out waiting for read index response (local node might have slow network)";

/** Names of rounds are request ids, big-endian: no two lives of a member share one. */
function contextBytes(context: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, context);
  return bytes;
}

function contextOf(bytes: Uint8Array): bigint {
  if (bytes.length !== 8) return 0n;
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}
