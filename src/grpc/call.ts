import type { Ownership } from "../h2/index.ts";
import type { Metadata } from "./metadata.ts";
import type { GrpcStatus } from "./status.ts";

/** An encoded message, in one piece or in parts that belong back to back. */
export type Message = Uint8Array | readonly Uint8Array[];

/** Why a call is over before the application ended it. */
export type CancelReason = "reset by client" | "deadline exceeded" | "connection lost" | "refused";

/**
 * One call, as the application serves it. The application sets the callbacks while the call is
 * handed to it; they are told the call again, so that one function can serve all calls.
 */
export interface ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  /** Absolute, in the clock of the `nowMs` that the connection is given; undefined for none. */
  readonly deadlineMs: number | undefined;
  /** False once the call has ended, in whatever way. */
  readonly isOpen: boolean;
  /** Bytes of this call that wait for the client to read. */
  readonly bufferedBytes: number;
  /** For the application's own use. */
  context: unknown;

  /** A request message, valid during the call. */
  onMessage: (message: Uint8Array, call: ServerCall) => void;
  /** The client has sent all its messages. */
  onHalfClose: (call: ServerCall) => void;
  /** The call is over early; nothing can be sent any more. Not called after `reply` or `end`. */
  onCancel: (reason: CancelReason, call: ServerCall) => void;
  /** `send` had returned false, and there is room again. */
  onDrain: (call: ServerCall) => void;

  /** Answers a unary call: headers, one message and the OK status in one go. */
  reply(message: Message, ownership?: Ownership): void;
  /** Sends one of many messages. False: above the bound, wait for `onDrain`. */
  send(message: Message, ownership?: Ownership): boolean;
  /** Ends the call. */
  end(status: GrpcStatus, trailers?: Iterable<readonly [string, string]>): void;
}

/** Called once the request's header list has come and has been checked. */
export type CallHandler = (call: ServerCall) => void;

/** A request over HTTP/2 that is not gRPC's. */
export interface PlainCall {
  readonly method: string;
  readonly path: string;
  /** All fields, pseudo-fields included. Values are byte strings. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  readonly isOpen: boolean;
  readonly bufferedBytes: number;

  /** Part of the body, valid during the call. */
  onData: (bytes: Uint8Array) => void;
  onEnd: () => void;
  onCancel: () => void;
  onDrain: () => void;

  /** The head of the answer. With `last` there is no body. */
  respond(
    status: number,
    fields: Iterable<readonly [string, string]>,
    options?: { last: boolean },
  ): void;
  /** Part of the body. False: above the bound, wait for `onDrain`. */
  write(bytes: Uint8Array, ownership?: Ownership): boolean;
  end(): void;
}

export type PlainHandler = (call: PlainCall) => void;
