import { allocBytes, EMPTY_BYTES } from "../base/index.ts";
import { committedIndex, type Voters } from "./quorum.ts";
import type { Message } from "./types.ts";

interface PendingRead {
  readonly request: Message;
  /** The commit index when the request came: what the reader must have applied. */
  readonly index: number;
}

const POSITION_BYTES = 8;

/**
 * Reads that wait until a quorum has confirmed that this member still leads (thesis §6.4).
 *
 * Reads are numbered in the order they came. Every heartbeat carries the number of the latest, and
 * who answers it has acknowledged that and all earlier reads; so a read is confirmed exactly as a
 * log entry is committed, and the same quorum function tells.
 *
 * The queue has no bound of its own: it lives no longer than the leadership, which ends when no
 * quorum answers, and a member asks for one read at a time on behalf of all its clients.
 */
export class ReadQueue {
  readonly #acks = new Map<bigint, number>();
  #waiting: PendingRead[] = [];
  /** Reads confirmed so far; the first waiting one has the number after it. */
  #confirmed = 0;

  add(request: Message, index: number): void {
    this.#waiting.push({ request, index });
  }

  /** What a heartbeat carries to get every waiting read confirmed: 8 bytes, little endian. */
  heartbeatContext(): Uint8Array {
    if (this.#waiting.length === 0) return EMPTY_BYTES;
    const position = this.#confirmed + this.#waiting.length;
    const bytes = allocBytes(POSITION_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, POSITION_BYTES);
    view.setUint32(0, position >>> 0, true);
    view.setUint32(4, Math.floor(position / 0x1_0000_0000), true);
    return bytes;
  }

  /** A member answered a heartbeat. A context that no heartbeat can have carried is ignored. */
  acknowledge(from: bigint, context: Uint8Array): void {
    if (context.length < POSITION_BYTES) return;
    const view = new DataView(context.buffer, context.byteOffset, POSITION_BYTES);
    const position = view.getUint32(0, true) + view.getUint32(4, true) * 0x1_0000_0000;
    if (position > this.#confirmed + this.#waiting.length) return;
    this.#acks.set(from, Math.max(position, this.#acks.get(from) ?? 0));
  }

  /** Takes the reads that a quorum has confirmed since the last call. */
  takeConfirmed(voters: Voters): PendingRead[] {
    const confirmed = committedIndex(voters, (id) => this.#acks.get(id));
    if (confirmed <= this.#confirmed) return [];
    const taken = this.#waiting.splice(0, confirmed - this.#confirmed);
    this.#confirmed = confirmed;
    return taken;
  }
}
