import { FlowWindows } from "./flow.ts";
import type { EncodedField } from "./hpack.ts";
import { SendQueue } from "./send-queue.ts";

/**
 * One stream of a connection. Open from its first HEADERS until both sides have ended it or one
 * side has reset it. `Owner` is what the layer above keeps with the stream.
 */
export class Stream<Owner> {
  readonly id: number;
  readonly windows: FlowWindows;
  owner: Owner | undefined = undefined;
  /** The peer's header list has come; a second one is its trailers. */
  headReceived = false;
  /** The peer has sent END_STREAM. */
  remoteEnded = false;
  /** END_STREAM has been asked for. It may still be in the queue. */
  localEnded = false;
  /** Neither side will hear of the stream again. */
  closed = false;
  /** Body bytes that the peer has declared but not sent, or -1. */
  bodyBytesLeft = -1;
  /** Body bytes that wait for the peer, when there are any. */
  queue: SendQueue | undefined = undefined;
  /** Trailers to send once the queue is empty. */
  trailers: readonly EncodedField[] | undefined = undefined;
  /** Stands in the line of streams that could send. */
  inLine = false;
  /** The consumer is behind: the peer gets no more room for now. */
  paused = false;

  constructor(id: number, windows: FlowWindows) {
    this.id = id;
    this.windows = windows;
  }

  get queuedBytes(): number {
    return this.queue === undefined ? 0 : this.queue.bytes;
  }

  ensureQueue(): SendQueue {
    this.queue ??= new SendQueue();
    return this.queue;
  }
}
