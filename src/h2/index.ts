/**
 * HTTP/2 (RFC 9113) and HPACK (RFC 7541) as a state machine over bytes, for both ends of a
 * connection. Feed a `Connection` what came from the socket; it calls its handler at once, and
 * gathers what is to be sent until `takeOutput`. No sockets, no clock.
 */
export { Connection } from "./connection.ts";
export { ErrorCode, errorName } from "./frames.ts";
export type {
  CloseReason,
  ConnectionHandler,
  ConnectionOptions,
  ResetOrigin,
} from "./handler.ts";
export { HeaderField, HeaderList } from "./headers.ts";
export { EncodedField } from "./hpack.ts";
export type { KeepaliveOptions, PingPolicy } from "./keepalive.ts";
export { BufferPool } from "./output.ts";
export type { Ownership } from "./sender.ts";
export type { Stream } from "./stream.ts";
