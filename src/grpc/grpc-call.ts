import { concatBytes, EMPTY_BYTES } from "../base/index.ts";
import {
  type Connection,
  EncodedField,
  type Ownership,
  type ResetOrigin,
  type Stream,
} from "../h2/index.ts";
import type { CancelReason, Message, ServerCall } from "./call.ts";
import { Expiring } from "./deadlines.ts";
import { type Exchange, ignore } from "./exchange.ts";
import {
  isOneMessage,
  MessageReader,
  type MessageSink,
  messagePrefix,
  PREFIX_BYTES,
} from "./message-reader.ts";
import { encodeMetadata, type Metadata } from "./metadata.ts";
import type { MethodStats } from "./method-stats.ts";
import { CONTENT_TYPE_GRPC, type RequestHead } from "./request-head.ts";
import type { GrpcServerConnection } from "./server.ts";
import { Code, encodeMessage, type GrpcStatus } from "./status.ts";

/** Larger replies go out as they are: compressing them would hold up everything else. */
const GZIP_BYTES_MAX = 1024 * 1024;
/** Unfinished request messages of one connection. More than that is no honest client. */
const PARTIAL_BYTES_MAX = 64 * 1024 * 1024;

const STATUS_200 = new EncodedField(":status", "200");
const GRPC_STATUS_OK = new EncodedField("grpc-status", "0", { recurring: true });
const ENCODING_GZIP = new EncodedField("grpc-encoding", "gzip", { recurring: true });

const HEAD = [STATUS_200, CONTENT_TYPE_GRPC];
const OK_TRAILERS = [GRPC_STATUS_OK];

/** The trailers that say how a call has ended. */
export function statusFields(status: GrpcStatus): EncodedField[] {
  const fields = [
    status.code === Code.ok
      ? GRPC_STATUS_OK
      : new EncodedField("grpc-status", status.code.toString()),
  ];
  if (status.message !== "") {
    fields.push(new EncodedField("grpc-message", encodeMessage(status.message)));
  }
  return fields;
}

export const DEADLINE_EXCEEDED: GrpcStatus = {
  code: Code.deadlineExceeded,
  message: "context deadline exceeded",
};

/** A gRPC call on its stream. */
export class GrpcCall extends Expiring implements ServerCall, Exchange, MessageSink {
  readonly #connection: GrpcServerConnection;
  readonly #http: Connection<Exchange>;
  readonly #stream: Stream<Exchange>;
  readonly #head: RequestHead;
  #reader: MessageReader | undefined = undefined;
  /** Bytes of a message whose end has not come, as the connection's account has them. */
  #partialBytes = 0;
  readonly #stats: MethodStats | undefined;
  readonly #begunAt: number;
  #headSent = false;
  #open = true;
  context: unknown = undefined;
  onMessage: (message: Uint8Array, call: ServerCall) => void = ignore;
  onHalfClose: (call: ServerCall) => void = ignore;
  onCancel: (reason: CancelReason, call: ServerCall) => void = ignore;
  onDrain: (call: ServerCall) => void = ignore;

  constructor(connection: GrpcServerConnection, stream: Stream<Exchange>, head: RequestHead) {
    super();
    this.#connection = connection;
    this.#http = connection.http;
    this.#stream = stream;
    this.#head = head;
    this.#stats = head.stats ??= connection.service.options.stats?.get(head.path);
    this.#begunAt = this.#stats === undefined ? 0 : this.#stats.begun();
  }

  get path(): string {
    return this.#head.path;
  }

  get metadata(): Metadata {
    return this.#head.metadata;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get bufferedBytes(): number {
    return this.#stream.queuedBytes;
  }

  reply(message: Message, ownership: Ownership = "copy"): void {
    if (!this.#open) return;
    this.#sendMessage(message, ownership);
    this.#finish(Code.ok);
    this.#http.sendTrailers(this.#stream, OK_TRAILERS);
  }

  send(message: Message, ownership: Ownership = "copy"): boolean {
    if (!this.#open) return false;
    this.#sendMessage(message, ownership);
    return this.#http.canSend(this.#stream);
  }

  end(status: GrpcStatus, trailers?: Iterable<readonly [string, string]>): void {
    if (!this.#open) return;
    this.#finish(status.code);
    const fields = statusFields(status);
    if (trailers !== undefined) fields.push(...encodeMetadata(trailers));
    if (this.#headSent) this.#http.sendTrailers(this.#stream, fields);
    else this.#http.sendHead(this.#stream, [STATUS_200, this.#head.contentType, ...fields], true);
  }

  // --- Exchange --------------------------------------------------------------------------------

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (!this.#open) return;
    if (start < end) this.#read(bytes, start, end);
    if (last && this.#open) this.#halfClose();
  }

  reset(origin: ResetOrigin): void {
    if (!this.#open) return;
    this.#finish(Code.canceled);
    this.onCancel(
      origin === "peer" ? "reset by client" : origin === "us" ? "refused" : "connection lost",
      this,
    );
  }

  writable(): void {
    if (this.#open) this.onDrain(this);
  }

  override expired(): void {
    if (!this.#open) return;
    this.end(DEADLINE_EXCEEDED);
    this.onCancel("deadline exceeded", this);
  }

  // --- Messages --------------------------------------------------------------------------------

  announced(length: number): boolean {
    const max = this.#connection.service.options.messageBytesMax;
    if (length <= max) return true;
    const message = `grpc: received message larger than max (${length} vs. ${max})`;
    this.end({ code: Code.resourceExhausted, message });
    return false;
  }

  message(flag: number, bytes: Uint8Array): void {
    if (!this.#open) return;
    if (this.#stats !== undefined) this.#stats.messagesReceived++;
    if (flag === 0) this.onMessage(bytes, this);
    else this.#compressedMessage(flag, bytes);
  }

  #read(bytes: Uint8Array, start: number, end: number): void {
    if (this.#reader === undefined && isOneMessage(bytes, start, end)) {
      if (!this.announced(end - start - PREFIX_BYTES)) return;
      this.message(bytes[start]!, bytes.subarray(start + PREFIX_BYTES, end));
      return;
    }
    this.#reader ??= new MessageReader();
    this.#reader.feed(bytes, start, end, this);
    this.#account(this.#reader.bufferedBytes);
    if (this.#open && this.#connection.partialBytes > PARTIAL_BYTES_MAX) {
      this.end({ code: Code.resourceExhausted, message: "grpc: too many unfinished messages" });
      this.onCancel("refused", this);
    }
  }

  #account(partialBytes: number): void {
    this.#connection.partialBytes += partialBytes - this.#partialBytes;
    this.#partialBytes = partialBytes;
  }

  #halfClose(): void {
    // As in grpc-go: an end within the prefix of a message passes for a proper one.
    if (this.#partialBytes >= PREFIX_BYTES) {
      this.end({ code: Code.unknown, message: "unexpected EOF" });
      this.onCancel("refused", this);
    } else this.onHalfClose(this);
  }

  #compressedMessage(flag: number, bytes: Uint8Array): void {
    const expanded = this.#expand(flag, bytes);
    if (expanded instanceof Uint8Array) return this.onMessage(expanded, this);
    this.end(expanded);
    this.onCancel("refused", this);
  }

  #expand(flag: number, bytes: Uint8Array): Uint8Array | GrpcStatus {
    if (flag !== 1) return internal(`grpc: received unexpected payload format ${flag}`);
    if (this.#head.encoding === "") {
      return internal("grpc: compressed flag set with identity or empty encoding");
    }
    const { gzip, messageBytesMax } = this.#connection.service.options;
    const result = gzip.expand(bytes, messageBytesMax);
    if (result instanceof Uint8Array) return result;
    if (result.error !== "too large")
      return internal(`grpc: failed to decompress the message: ${result.error}`);
    const message = `grpc: received message after decompression larger than max ${messageBytesMax}`;
    return { code: Code.resourceExhausted, message };
  }

  #sendMessage(message: Message, ownership: Ownership): void {
    if (!this.#headSent) this.#sendHead();
    if (this.#stats !== undefined) this.#stats.messagesSent++;
    const length = lengthOf(message);
    if (this.#head.encoding !== "" && length > 0 && length <= GZIP_BYTES_MAX) {
      const whole = message instanceof Uint8Array ? message : concatBytes(message);
      const small = this.#connection.service.options.gzip.compress(whole);
      this.#http.sendData(this.#stream, messagePrefix(1, small.length), small, "owned");
    } else if (message instanceof Uint8Array) {
      this.#http.sendData(this.#stream, messagePrefix(0, length), message, ownership);
    } else {
      this.#http.sendData(this.#stream, messagePrefix(0, length), EMPTY_BYTES);
      for (const part of message) this.#http.sendData(this.#stream, EMPTY_BYTES, part, ownership);
    }
  }

  #sendHead(): void {
    this.#headSent = true;
    const { encoding, contentType } = this.#head;
    if (encoding === "" && contentType === CONTENT_TYPE_GRPC) {
      this.#http.sendHead(this.#stream, HEAD, false);
      return;
    }
    const fields = [STATUS_200, contentType];
    if (encoding !== "") fields.push(ENCODING_GZIP);
    this.#http.sendHead(this.#stream, fields, false);
  }

  #finish(code: number): void {
    this.#open = false;
    this.#stats?.ended(code, this.#begunAt);
    this.#connection.service.deadlines.remove(this);
    this.#reader?.stop();
    this.#account(0);
  }
}

function lengthOf(message: Message): number {
  if (message instanceof Uint8Array) return message.length;
  return message.reduce((length, part) => length + part.length, 0);
}

function internal(message: string): GrpcStatus {
  return { code: Code.internal, message };
}
