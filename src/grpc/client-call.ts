import { allocBytes, EMPTY_BYTES } from "../base/index.ts";
import {
  EncodedField,
  ErrorCode,
  errorName,
  type HeaderList,
  type Ownership,
  type ResetOrigin,
  type Stream,
} from "../h2/index.ts";
import type { GrpcClientConnection } from "./client.ts";
import { Expiring } from "./deadlines.ts";
import {
  isOneMessage,
  MessageReader,
  type MessageSink,
  messagePrefix,
  PREFIX_BYTES,
} from "./message-reader.ts";
import { encodeMetadata, Metadata } from "./metadata.ts";
import { readResponse } from "./response-head.ts";
import { Code, type GrpcStatus } from "./status.ts";
import { formatTimeout } from "./timeout.ts";

/** What a call tells its caller. `onEnd` comes once, and last. */
export interface ClientCallEvents {
  /** A response message, valid during the call. */
  onMessage(message: Uint8Array): void;
  onEnd(status: GrpcStatus, trailers: Metadata): void;
  /** `send` had returned false, and there is room again. */
  onDrain?(): void;
}

export interface ClientCallOptions {
  readonly metadata?: Iterable<readonly [string, string]> | undefined;
  /** Milliseconds from now until the call fails with DeadlineExceeded. */
  readonly timeoutMs?: number | undefined;
}

const NO_METADATA = new Metadata([]);

/** One call of a client. Messages may be sent at once, also while the call waits to be opened. */
export class GrpcClientCall extends Expiring implements MessageSink {
  readonly path: string;
  readonly #connection: GrpcClientConnection;
  readonly #options: ClientCallOptions;
  readonly #events: ClientCallEvents;
  #stream: Stream<GrpcClientCall> | undefined = undefined;
  /** What was sent before the call could be opened, framed. */
  #early: Uint8Array[] = [];
  #halfClosed = false;
  #reader: MessageReader | undefined = undefined;
  #open = true;

  constructor(
    connection: GrpcClientConnection,
    path: string,
    options: ClientCallOptions,
    events: ClientCallEvents,
  ) {
    super();
    this.path = path;
    this.#connection = connection;
    this.#options = options;
    this.#events = events;
    if (options.timeoutMs !== undefined) this.deadlineMs = connection.nowMs + options.timeoutMs;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** False: above the bound, wait for `onDrain`. */
  send(message: Uint8Array, ownership: Ownership = "copy"): boolean {
    if (!this.#open || this.#halfClosed) return false;
    if (this.#stream === undefined) {
      this.#early.push(frame(message));
      return true;
    }
    this.#connection.http.sendData(
      this.#stream,
      messagePrefix(0, message.length),
      message,
      ownership,
    );
    return this.#connection.http.canSend(this.#stream);
  }

  /** Nothing more will be sent. */
  halfClose(): void {
    if (!this.#open) return;
    this.#halfClosed = true;
    if (this.#stream !== undefined) {
      this.#connection.http.sendLastData(this.#stream, EMPTY_BYTES, EMPTY_BYTES);
    }
  }

  /** The only message, or the last one. */
  sendLast(message: Uint8Array, ownership: Ownership = "copy"): void {
    if (!this.#open || this.#halfClosed) return;
    this.#halfClosed = true;
    if (this.#stream === undefined) this.#early.push(frame(message));
    else {
      const prefix = messagePrefix(0, message.length);
      this.#connection.http.sendLastData(this.#stream, prefix, message, ownership);
    }
  }

  /** Gives the call up; `onEnd` is told. */
  cancel(status: GrpcStatus = { code: Code.canceled, message: "context canceled" }): void {
    this.#giveUp(ErrorCode.cancel, status);
  }

  /** The caller is behind: the server may send only what the window still holds. */
  pause(): void {
    if (this.#stream !== undefined) this.#connection.http.pause(this.#stream);
  }

  resume(): void {
    if (this.#stream !== undefined) this.#connection.http.resume(this.#stream);
  }

  // --- For the connection ----------------------------------------------------------------------

  open(): void {
    const { http, nowMs } = this.#connection;
    const fields = this.#connection.requestFields(this);
    if (this.deadlineMs !== undefined) {
      fields.push(new EncodedField("grpc-timeout", formatTimeout(this.deadlineMs - nowMs)));
    }
    if (this.#options.metadata !== undefined)
      fields.push(...encodeMetadata(this.#options.metadata));
    const stream = http.open(fields, false);
    stream.owner = this;
    this.#stream = stream;
    for (const message of this.#early) http.sendData(stream, EMPTY_BYTES, message, "owned");
    this.#early = [];
    if (this.#halfClosed) http.sendLastData(stream, EMPTY_BYTES, EMPTY_BYTES);
  }

  head(list: HeaderList, last: boolean): void {
    const response = readResponse(list, { first: true, last });
    if (response.status === undefined) return;
    if (last) this.#end(response.status, response.metadata);
    else this.#giveUp(ErrorCode.protocolError, response.status);
  }

  trailers(list: HeaderList): void {
    if (!this.#open) return;
    const response = readResponse(list, { first: false, last: true });
    if (this.#incomplete) this.#end(internal("unexpected EOF"), NO_METADATA);
    else this.#end(response.status ?? internal("missing status"), response.metadata);
  }

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (!this.#open) return;
    if (start < end) this.#read(bytes, start, end);
    if (last) this.#end(internal("server closed the stream without sending trailers"), NO_METADATA);
  }

  reset(code: number, origin: ResetOrigin): void {
    this.#end(this.#resetStatus(code, origin), NO_METADATA);
  }

  writable(): void {
    if (this.#open) this.#events.onDrain?.();
  }

  override expired(): void {
    this.cancel({ code: Code.deadlineExceeded, message: "context deadline exceeded" });
  }

  /** The call cannot be made. */
  fail(status: GrpcStatus): void {
    this.#end({ ...status, isUnprocessed: true }, NO_METADATA);
  }

  announced(length: number): boolean {
    const max = this.#connection.options.messageBytesMax;
    if (length <= max) return true;
    const message = `grpc: received message larger than max (${length} vs. ${max})`;
    this.#giveUp(ErrorCode.cancel, { code: Code.resourceExhausted, message });
    return false;
  }

  message(flag: number, bytes: Uint8Array): void {
    if (!this.#open) return;
    if (flag === 0) return this.#events.onMessage(bytes);
    // We never say that we accept compressed messages.
    const text = "grpc: compressed flag set with identity or empty encoding";
    this.#giveUp(ErrorCode.cancel, internal(text));
  }

  get #incomplete(): boolean {
    return this.#reader !== undefined && this.#reader.bufferedBytes > 0;
  }

  #read(bytes: Uint8Array, start: number, end: number): void {
    if (this.#reader === undefined && isOneMessage(bytes, start, end)) {
      if (!this.announced(end - start - PREFIX_BYTES)) return;
      this.message(bytes[start]!, bytes.subarray(start + PREFIX_BYTES, end));
      return;
    }
    this.#reader ??= new MessageReader();
    this.#reader.feed(bytes, start, end, this);
  }

  #giveUp(code: number, status: GrpcStatus): void {
    if (!this.#open) return;
    if (this.#stream !== undefined) this.#connection.http.reset(this.#stream, code);
    this.#end(status, NO_METADATA);
  }

  #resetStatus(code: number, origin: ResetOrigin): GrpcStatus {
    if (origin === "connection" && code !== ErrorCode.refusedStream) {
      return this.#connection.lostStatus();
    }
    if (origin === "connection") {
      const message = "the stream is rejected because server is draining the connection";
      return { code: Code.unavailable, message, isUnprocessed: true };
    }
    const { nowMs } = this.#connection;
    const late = this.deadlineMs !== undefined && this.deadlineMs <= nowMs;
    const status = RESET_CODES[code] ?? Code.unknown;
    const message = `stream terminated by RST_STREAM with error code: ${errorName(code)}`;
    return {
      code: late && status === Code.canceled ? Code.deadlineExceeded : status,
      message,
      isUnprocessed: code === ErrorCode.refusedStream,
    };
  }

  #end(status: GrpcStatus, trailers: Metadata): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reader?.stop();
    this.#connection.forget(this);
    this.#events.onEnd(status, trailers);
  }
}

function internal(message: string): GrpcStatus {
  return { code: Code.internal, message };
}

function frame(message: Uint8Array): Uint8Array {
  const framed = allocBytes(PREFIX_BYTES + message.length);
  framed.set(messagePrefix(0, message.length));
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** Status codes for HTTP/2 error codes, as grpc-go maps them. */
const RESET_CODES: readonly number[] = [
  Code.internal,
  Code.internal,
  Code.internal,
  Code.resourceExhausted,
  Code.internal,
  Code.internal,
  Code.internal,
  Code.unavailable,
  Code.canceled,
  Code.internal,
  Code.internal,
  Code.resourceExhausted,
  Code.permissionDenied,
  Code.internal,
];
