import type { Socket } from "node:net";
import { resetConnection } from "../net/index.ts";
import { type Message, Writer } from "../proto/index.ts";
import type { Encoder } from "./encoders.ts";

/** Messages that wait for a socket that takes no more (etcd: `streamBufSize`). */
export const STREAM_MESSAGES_MAX = 4096;
/** Their bytes, together with those that the socket has and the kernel does not. */
export const STREAM_BYTES_MAX = 16 * 1024 * 1024;

/** A chunk that has become so large does not wait for the others of its turn. */
const CHUNK_BYTES = 1024 * 1024;
/** A buffer that grew larger is given back. */
const BUFFER_BYTES = 64 * 1024;
/** One write is not larger, so that a slow link shows progress in time. */
const WRITE_BYTES = 256 * 1024;

/** `00000000\r\n` before a chunk; HTTP lets its length have zeros in front. */
const CHUNK_HEAD_BYTES = 10;
const CHUNK_END = Uint8Array.of(13, 10);
const HEX = new TextEncoder().encode("0123456789abcdef");

/** How long the end of a stream may take to leave. */
const CLOSE_MS = 500;

export interface StreamWriterOptions {
  readonly encoder: Encoder;
  /** How long a write may wait for the peer. */
  readonly timeoutMs: number;
}

export interface StreamWriterEvents {
  /** Bytes that the socket has taken. */
  sent(bytes: number): void;
  /** The connection is gone. */
  lost(reason: string): void;
}

/**
 * The writing end of a stream: the body, without end, of a response to a peer's GET. What is
 * written until `flush` leaves as one chunk in one write.
 */
export class StreamWriter {
  readonly #socket: Socket;
  readonly #encoder: Encoder;
  readonly #timeoutMs: number;
  readonly #events: StreamWriterEvents;
  /** Monotonic milliseconds. */
  readonly openedAt = performance.now();
  /** The chunk being gathered, after room for its head. */
  #out = new Writer(BUFFER_BYTES / 8);
  #messages = 0;
  /** A chunk, of which the socket has not been given all yet. */
  #rest: Uint8Array | undefined;
  #blockedSince: number | undefined;
  #isClosed = false;

  /** The head of the response must have left. */
  constructor(
    socket: Socket,
    { encoder, timeoutMs }: StreamWriterOptions,
    events: StreamWriterEvents,
  ) {
    this.#socket = socket;
    this.#encoder = encoder;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
    this.#out.length = CHUNK_HEAD_BYTES;
    socket.on("drain", this.#onDrain);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** False: there is no room, and the message is not sent. */
  write(m: Message): boolean {
    if (this.#isClosed || this.#isFull()) return false;
    this.#encoder.encode(this.#out, m);
    this.#messages++;
    if (this.#out.length >= CHUNK_BYTES) this.flush();
    return true;
  }

  flush(): void {
    const out = this.#out;
    if (this.#blockedSince !== undefined || out.length === CHUNK_HEAD_BYTES) return;
    this.#rest = this.#closeChunk();
    this.#messages = 0;
    this.#events.sent(this.#rest.length);
    this.#pump();
    // Written through to the kernel: nobody holds the buffer any more.
    const isFree = this.#rest === undefined && this.#socket.writableLength === 0;
    if (!isFree || out.bytes.length > BUFFER_BYTES) this.#out = new Writer(BUFFER_BYTES / 8);
    this.#out.length = CHUNK_HEAD_BYTES;
  }

  /** To be called every now and then: keeps the link alive and ends one that is stuck. */
  tick(now: number): void {
    if (this.#isClosed) return;
    if (this.#blockedSince === undefined) {
      this.#encoder.heartbeat(this.#out);
      this.flush();
    } else if (now - this.#blockedSince >= this.#timeoutMs) this.#lose("i/o timeout");
  }

  /** Another connection takes its place, or the peer is not wanted any more. */
  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    this.#detach();
    if (this.#blockedSince !== undefined) this.#socket.destroy();
    else this.#socket.end("0\r\n\r\n");
    // A peer that reads no more would keep it open.
    setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref();
  }

  /** Ends the connection so that the peer learns of it at once, whatever is still on its way. */
  reset(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#detach();
    resetConnection(this.#socket);
  }

  /** Whether messages would be lost with the connection. */
  get hasMessages(): boolean {
    return this.#messages > 0 || this.#rest !== undefined;
  }

  #isFull(): boolean {
    const queued = (this.#rest?.length ?? 0) + this.#socket.writableLength + this.#out.length;
    return this.#messages >= STREAM_MESSAGES_MAX || queued >= STREAM_BYTES_MAX;
  }

  #closeChunk(): Uint8Array {
    const out = this.#out;
    let length = out.length - CHUNK_HEAD_BYTES;
    for (let i = CHUNK_HEAD_BYTES - 3; i >= 0; i--, length >>>= 4) out.bytes[i] = HEX[length & 15]!;
    out.bytes[CHUNK_HEAD_BYTES - 2] = 13;
    out.bytes[CHUNK_HEAD_BYTES - 1] = 10;
    out.raw(CHUNK_END);
    return out.view();
  }

  /** Gives the socket what it takes. */
  #pump(): void {
    while (this.#rest !== undefined && this.#blockedSince === undefined) {
      const rest = this.#rest;
      this.#rest = rest.length > WRITE_BYTES ? rest.subarray(WRITE_BYTES) : undefined;
      const takesMore = this.#socket.write(rest.subarray(0, WRITE_BYTES));
      if (!takesMore) this.#blockedSince = performance.now();
    }
  }

  #onDrain = (): void => {
    this.#blockedSince = undefined;
    this.#pump();
    this.flush();
  };

  #onError = (error: Error): void => this.#lose(error.message);
  #onClose = (): void => this.#lose("connection closed");

  #lose(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#detach();
    this.#socket.destroy();
    this.#events.lost(reason);
  }

  #detach(): void {
    this.#socket.off("drain", this.#onDrain);
    this.#socket.off("error", this.#onError);
    this.#socket.off("close", this.#onClose);
    this.#socket.on("error", () => {});
  }
}
