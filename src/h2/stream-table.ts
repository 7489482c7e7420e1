import { ClosedStreams } from "./closed-streams.ts";
import { FlowWindows } from "./flow.ts";
import { STREAM_WINDOW_BYTES } from "./limits.ts";
import { Stream } from "./stream.ts";

export type Role = "client" | "server";

/** The streams of a connection: those that are open, and what is known of the others. */
export class StreamTable<Owner> {
  readonly #role: Role;
  readonly #open = new Map<number, Stream<Owner>>();
  readonly closed = new ClosedStreams();
  /** The highest id that the client has used; only clients open streams. */
  lastId = -1;
  /** Streams above this are not served, because GOAWAY has said so. */
  #lastServedId = Number.POSITIVE_INFINITY;

  constructor(role: Role) {
    this.#role = role;
  }

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream<Owner> | undefined {
    return this.#open.get(id);
  }

  /** The open streams as they are now, whatever happens to them meanwhile. */
  snapshot(): Stream<Owner>[] {
    return Array.from(this.#open.values());
  }

  /** Opens the stream `id`, with what the peer permits to be sent. */
  add(id: number, sendBytes: number): Stream<Owner> {
    const windows = new FlowWindows({ sendBytes, receiveBytes: STREAM_WINDOW_BYTES });
    const stream = new Stream<Owner>(id, windows);
    this.#open.set(id, stream);
    return stream;
  }

  remove(stream: Stream<Owner>, how: { resetByUs: boolean }): void {
    stream.closed = true;
    this.#open.delete(stream.id);
    this.closed.add(stream.id, how);
  }

  /** Whether the stream has never been used (§5.1.1). Servers open none, for push is off. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.lastId;
  }

  /** The streams that the client has opened so far are the last ones. */
  serveNoMore(): void {
    this.#lastServedId = this.lastId;
  }

  isServed(id: number): boolean {
    return id <= this.#lastServedId;
  }

  /** Whether frames for a stream that is not open are left-overs to be ignored. */
  isLeftOver(id: number): boolean {
    return this.#role === "client" || !this.isServed(id) || this.closed.wasResetByUs(id);
  }
}
