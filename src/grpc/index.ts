/**
 * gRPC over HTTP/2: message framing, statuses, metadata, deadlines and compression, with the
 * answers of grpc-go. `GrpcService` is what a server offers; each of its connections is a
 * `GrpcServerConnection`, fed with bytes. `GrpcClientConnection` is the other end. No sockets.
 */
export type {
  CallHandler,
  CancelReason,
  Message,
  PlainCall,
  PlainHandler,
  ServerCall,
} from "./call.ts";
export { GrpcClientConnection, type GrpcClientOptions } from "./client.ts";
export type { ClientCallEvents, ClientCallOptions, GrpcClientCall } from "./client-call.ts";
export { Metadata } from "./metadata.ts";
export { type CallType, MethodStats } from "./method-stats.ts";
export { GrpcServerConnection } from "./server.ts";
export { GrpcService, type GrpcServiceOptions, type Gzip } from "./service.ts";
export { Code, codeName, type GrpcStatus, OK } from "./status.ts";
export { TIMEOUT_UNIT_MS } from "./timeout.ts";
