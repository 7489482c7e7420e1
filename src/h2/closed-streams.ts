import { CLOSED_STREAMS_REMEMBERED } from "./limits.ts";

/**
 * How the latest streams ended. Frames for a stream that we reset may still be under way and are
 * ignored; frames for one that the peer itself has ended are a mistake.
 */
export class ClosedStreams {
  /** Stream ids, negative for those that this side reset. */
  readonly #ids: number[] = [];
  #next = 0;

  add(id: number, how: { resetByUs: boolean }): void {
    this.#ids[this.#next] = how.resetByUs ? -id : id;
    this.#next = (this.#next + 1) % CLOSED_STREAMS_REMEMBERED;
  }

  wasResetByUs(id: number): boolean {
    return this.#ids.includes(-id);
  }

  /** Ended by the peer, with END_STREAM or a reset, and still remembered. */
  wasEndedByPeer(id: number): boolean {
    return this.#ids.includes(id);
  }
}
