import type { HeaderList } from "./headers.ts";
import type { KeepaliveOptions, PingPolicy } from "./keepalive.ts";
import type { BufferPool } from "./output.ts";
import type { Stream } from "./stream.ts";
import type { Role } from "./stream-table.ts";

/** Who ended a stream before its time. */
export type ResetOrigin = "peer" | "us" | "connection";

/** What a connection tells the layer above, always from within one of its own calls. */
export interface ConnectionHandler<Owner> {
  /** The first header list of a stream. Servers: a new stream. */
  head(stream: Stream<Owner>, list: HeaderList, last: boolean): void;
  /** The final header list of a stream. */
  trailers(stream: Stream<Owner>, list: HeaderList): void;
  /** Part of a body: `bytes[start, end)`, valid during the call. May be empty when `last`. */
  data(stream: Stream<Owner>, bytes: Uint8Array, start: number, end: number, last: boolean): void;
  /** The stream has ended early; nothing more can be sent or will come. */
  reset(stream: Stream<Owner>, code: number, origin: ResetOrigin): void;
  /** `canSend` had been false and the stream has room again. */
  writable(stream: Stream<Owner>): void;
  /** There is output to take, or the connection has closed. Once for each time it is taken. */
  wantsFlush(): void;
  /** The peer's limits have become known or have changed, or it is going away. */
  peerChanged(): void;
}

export interface ConnectionOptions<Owner> {
  readonly role: Role;
  readonly handler: ConnectionHandler<Owner>;
  readonly pool: BufferPool;
  /** Milliseconds on any clock that only goes forward; the same clock in every call. */
  readonly nowMs: number;
  readonly keepalive: KeepaliveOptions;
  /** Servers: how often clients may ping. */
  readonly pingPolicy?: PingPolicy;
  /** Servers: streams open at a time; Infinity for no limit. */
  readonly streamsMax?: number;
}

/** Why a connection closed: an HTTP/2 error code, and a text. */
export interface CloseReason {
  readonly code: number;
  readonly text: string;
  /** Whether the peer said so. */
  readonly byPeer: boolean;
}
