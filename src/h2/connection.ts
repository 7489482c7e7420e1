import { assert, bytesToText } from "../base/index.ts";
import { ControlFrames } from "./control-frames.ts";
import { Floods } from "./floods.ts";
import { FlowWindows, INITIAL_WINDOW_BYTES } from "./flow.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  ConnectionError,
  ErrorCode,
  Flag,
  FrameType,
  PREFACE,
  readUint32,
  requireLength,
  Setting,
  violation,
} from "./frames.ts";
import type { CloseReason, ConnectionHandler, ConnectionOptions } from "./handler.ts";
import type { EncodedField } from "./hpack.ts";
import { Keepalive, PingPolice, StallWatch } from "./keepalive.ts";
import {
  CONNECTION_QUEUE_BYTES_MAX,
  CONNECTION_WINDOW_BYTES,
  DRAIN_PING_TIMEOUT_MS,
  HEADER_LIST_BYTES,
  OUTPUT_BYTES_MAX,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";
import { OutputBuffer } from "./output.ts";
import { Receiver } from "./receiver.ts";
import { type Ownership, Sender } from "./sender.ts";
import type { Stream } from "./stream.ts";
import { checkSetting } from "./settings.ts";
import { type Role, StreamTable } from "./stream-table.ts";

/**
 * A graceful end has two steps, so that no stream which is under way gets lost: announce it with a
 * GOAWAY that still permits every stream, and name the last stream once the peer has seen that.
 */
type Drain = { kind: "none" } | { kind: "announced"; sinceMs: number } | { kind: "final" };

/** Marks the ping that tells when the first GOAWAY of a drain has been seen. */
const DRAIN_PING = Uint8Array.of(0x71, 0x75, 0x6f, 0x72, 0x64, 0x62, 0x79, 0x65);
const KEEPALIVE_PING = new Uint8Array(8);

const STREAM_ID_MAX = 0x7fff_ffff;

/**
 * One HTTP/2 connection (RFC 9113), either end, as a state machine over bytes. Bytes that have
 * come go to `receive`, which calls the handler; what is to be sent gathers until `takeOutput`.
 * Time is an argument. Nothing here waits, and nothing grows without a bound (see limits.ts).
 */
export class Connection<Owner> {
  readonly #role: Role;
  readonly #handler: ConnectionHandler<Owner>;
  readonly #out: OutputBuffer;
  readonly #reader: FrameReader;
  readonly #control: ControlFrames;
  readonly #receiver: Receiver<Owner>;
  readonly #sender: Sender<Owner>;
  readonly floods = new Floods();
  readonly #keepalive: Keepalive;
  readonly #stall = new StallWatch();
  readonly #pings: PingPolice | undefined;
  readonly #windows = new FlowWindows({
    sendBytes: INITIAL_WINDOW_BYTES,
    receiveBytes: CONNECTION_WINDOW_BYTES,
  });
  readonly #streams: StreamTable<Owner>;
  readonly #streamsMax: number;
  /** The time of the call that is being served. */
  nowMs: number;
  #settled = false;
  #peerStreamsMax = Number.POSITIVE_INFINITY;
  #drain: Drain = { kind: "none" };
  #goingAway: CloseReason | undefined = undefined;
  #closed: CloseReason | undefined = undefined;
  #flushAsked = false;
  /** Bytes of the output that acknowledge pings. */
  #pongBytes = 0;

  constructor(options: ConnectionOptions<Owner>) {
    this.#role = options.role;
    this.#handler = options.handler;
    this.#out = new OutputBuffer(options.pool);
    this.#control = new ControlFrames(this.#out);
    this.#streams = new StreamTable(this.#role);
    this.nowMs = options.nowMs;
    this.#streamsMax = options.streamsMax ?? Number.POSITIVE_INFINITY;
    this.#keepalive = new Keepalive(options.keepalive, options.nowMs);
    this.#pings = options.pingPolicy && new PingPolice(options.pingPolicy);
    this.#reader = new FrameReader(this, { expectPreface: this.#role === "server" });
    this.#sender = new Sender(this.#out, this.#windows, this);
    this.#receiver = new Receiver({
      role: this.#role,
      streams: this.#streams,
      windows: this.#windows,
      handler: options.handler,
      events: this,
    });
    this.#greet();
  }

  // --- State -------------------------------------------------------------------------------------

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  /** Set once the connection is over. Output may be left; send it, then end the socket. */
  get closeReason(): CloseReason | undefined {
    return this.#closed;
  }

  /** Set once no new stream may be opened, because the peer is going away. */
  get goingAway(): CloseReason | undefined {
    return this.#goingAway;
  }

  /** Whether the peer's first SETTINGS have come. */
  get isSettled(): boolean {
    return this.#settled;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Bytes that wait in the streams' queues for the peer to make room. */
  get queuedBytes(): number {
    return this.#sender.queuedBytes;
  }

  /** Clients: whether `open` is permitted now. */
  get canOpen(): boolean {
    return (
      this.isOpen &&
      this.#goingAway === undefined &&
      this.#streams.size < this.#peerStreamsMax &&
      this.#streams.lastId + 2 <= STREAM_ID_MAX
    );
  }

  // --- In ----------------------------------------------------------------------------------------

  /** Bytes have come. Never throws for anything that a peer can send. */
  receive(bytes: Uint8Array, nowMs: number): void {
    if (this.#closed !== undefined) return;
    this.nowMs = nowMs;
    this.#keepalive.heard(nowMs);
    try {
      this.#reader.feed(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.close(error.code, error.message);
    }
    this.#flushSoon();
  }

  /** Time passes: keepalive and drain. Call about once a second. */
  tick(nowMs: number): void {
    if (this.#closed !== undefined) return;
    this.nowMs = nowMs;
    const verdict = this.#keepalive.check(nowMs, this.#streams.size);
    if (verdict === "ping") this.#control.ping(KEEPALIVE_PING, 0);
    if (verdict === "dead") {
      this.#finish({ code: ErrorCode.noError, text: "keepalive ping not acked", byPeer: false });
    }
    if (this.#stall.isOver(nowMs, this.queuedBytes)) {
      this.close(ErrorCode.enhanceYourCalm, "output is not read");
    }
    const drain = this.#drain;
    if (drain.kind === "announced" && nowMs - drain.sinceMs >= DRAIN_PING_TIMEOUT_MS) {
      this.#nameLastStream();
    }
    this.#flushSoon();
  }

  /** The transport below is gone. Streams that are still open are told. */
  abort(text: string): void {
    this.#finish({ code: ErrorCode.noError, text, byPeer: true });
  }

  // --- Out ---------------------------------------------------------------------------------------

  get hasOutput(): boolean {
    return this.#out.length > 0 || this.#sender.canPump;
  }

  /** Nothing but acknowledged pings is to be sent: they may wait a while for company. */
  get canWait(): boolean {
    return this.#out.length === this.#pongBytes && !this.#sender.canPump;
  }

  /** Everything that may be sent now, as one run of bytes; may be empty. */
  takeOutput(): Uint8Array {
    this.#sender.pump();
    this.#flushAsked = false;
    this.#pongBytes = 0;
    return this.#out.take();
  }

  /** What `takeOutput` gave last is sent already, so its buffer is free again. */
  reuseOutput(): void {
    this.#out.reuse();
  }

  /** Clients: opens a stream with its header list. Call only when `canOpen`. */
  open(fields: readonly EncodedField[], last: boolean): Stream<Owner> {
    assert(this.#role === "client" && this.canOpen, "stream opened out of turn");
    this.#streams.lastId += 2;
    const stream = this.#streams.add(this.#streams.lastId, this.#sender.initialWindowBytes);
    this.sendHead(stream, fields, last);
    return stream;
  }

  sendHead(stream: Stream<Owner>, fields: readonly EncodedField[], last: boolean): void {
    if (stream.localEnded || stream.closed) return;
    stream.localEnded = last;
    this.#sender.headers(stream, fields, last);
    this.#pings?.entitle();
    this.#flushSoon();
  }

  sendTrailers(stream: Stream<Owner>, fields: readonly EncodedField[]): void {
    if (stream.localEnded || stream.closed) return;
    stream.localEnded = true;
    this.#sender.trailers(stream, fields);
    this.#pings?.entitle();
    this.#flushSoon();
  }

  /**
   * Sends a piece of the body, in two parts to spare the caller from joining them. What flow
   * control holds back is queued: as a copy, or the very bytes of `body` when it is "owned".
   */
  sendData(
    stream: Stream<Owner>,
    head: Uint8Array,
    body: Uint8Array,
    ownership: Ownership = "copy",
  ): void {
    if (stream.localEnded || stream.closed) return;
    this.#sender.data(stream, head, body, ownership);
    this.#flushSoon();
  }

  /** Ends this side's half with a last piece of the body, or an empty one, and no trailers. */
  sendLastData(
    stream: Stream<Owner>,
    head: Uint8Array,
    body: Uint8Array,
    ownership: Ownership = "copy",
  ): void {
    if (stream.localEnded || stream.closed) return;
    stream.localEnded = true;
    this.#sender.lastData(stream, head, body, ownership);
    this.#flushSoon();
  }

  /** False when the producer should wait for `writable`. */
  canSend(stream: Stream<Owner>): boolean {
    return !stream.closed && !this.#sender.isFull(stream);
  }

  /** The consumer cannot keep up: what the peer may send of this stream shrinks to nothing. */
  pause(stream: Stream<Owner>): void {
    stream.paused = true;
  }

  resume(stream: Stream<Owner>): void {
    if (!stream.paused) return;
    stream.paused = false;
    if (stream.closed || stream.remoteEnded) return;
    this.grant(stream.id, stream.windows.repay(STREAM_WINDOW_BYTES));
    this.#flushSoon();
  }

  /** Ends a stream at once. The handler is not told. */
  reset(stream: Stream<Owner>, code: number): void {
    if (stream.closed) return;
    this.#control.rstStream(stream.id, code);
    this.#remove(stream, { resetByUs: true });
    this.#flushSoon();
  }

  /** Servers: finishes the streams that are open, refuses new ones, then closes. */
  drain(): void {
    if (this.#closed !== undefined || this.#drain.kind !== "none") return;
    this.#drain = { kind: "announced", sinceMs: this.nowMs };
    this.#control.goaway(STREAM_ID_MAX, ErrorCode.noError, "");
    this.#control.ping(DRAIN_PING, 0);
    this.#flushSoon();
  }

  /** Says why with GOAWAY and ends everything. */
  close(code: number, text: string): void {
    if (this.#closed !== undefined) return;
    this.#control.goaway(this.#lastPeerId, code, text);
    this.#finish({ code, text, byPeer: false });
    this.#flushSoon();
  }

  // --- For the reader, the receiver and the sender -----------------------------------------------

  frame(
    type: number,
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (type === FrameType.continuation) {
      return this.#receiver.continuation(flags, id, bytes, start, end);
    }
    this.#receiver.requireWholeBlock();
    if (!this.#settled) this.#requireSettings(type, flags);
    switch (type) {
      case FrameType.data:
        return this.#receiver.data(flags, id, bytes, start, end);
      case FrameType.headers:
        return this.#receiver.headers(flags, id, bytes, start, end);
      case FrameType.priority:
        return this.#priority(id, bytes, start, end);
      case FrameType.rstStream:
        return this.#rstStream(id, bytes, start, end);
      case FrameType.settings:
        return this.#settings(flags, id, bytes, start, end);
      case FrameType.pushPromise:
        return violation("push is off");
      case FrameType.ping:
        return this.#pinged(flags, id, bytes, start, end);
      case FrameType.goaway:
        return this.#wentAway(id, bytes, start, end);
      case FrameType.windowUpdate:
        return this.#windowUpdate(id, bytes, start, end);
      default:
        return this.floods.unknown.count(this.nowMs);
    }
  }

  /** END_STREAM of ours is in the output (called by the sender). */
  sentEnd(stream: Stream<Owner>): void {
    if (stream.remoteEnded) this.#remove(stream, { resetByUs: false });
    // The answer is complete: what the client may still be sending is of no interest (§8.1).
    else if (this.#role === "server") this.reset(stream, ErrorCode.noError);
  }

  peerEnded(stream: Stream<Owner>): void {
    if (stream.closed) return;
    if (stream.localEnded && stream.queuedBytes === 0) this.#remove(stream, { resetByUs: false });
    else if (this.#role === "client") this.reset(stream, ErrorCode.noError);
  }

  get hasRoom(): boolean {
    const { size } = this.#streams;
    return size < this.#streamsMax && this.queuedBytes <= CONNECTION_QUEUE_BYTES_MAX;
  }

  get initialWindowBytes(): number {
    return this.#sender.initialWindowBytes;
  }

  writable(stream: Stream<Owner>): void {
    this.#handler.writable(stream);
  }

  sentData(bytes: number): void {
    this.#stall.sent(bytes);
    this.floods.sentData();
    this.#pings?.entitle();
  }

  /** The peer broke a rule of one stream. */
  fault(stream: Stream<Owner>, code: number): void {
    this.refuse(stream.id, code);
    this.#remove(stream, { resetByUs: true });
    this.#handler.reset(stream, code, "us");
  }

  /** Resets that mistakes provoke count like the peer's own: both make us work for nothing. */
  refuse(id: number, code: number): void {
    this.floods.resets.count(this.nowMs);
    if (this.#streams.get(id) === undefined) this.#streams.closed.add(id, { resetByUs: true });
    this.#control.rstStream(id, code);
  }

  grant(id: number, bytes: number): void {
    if (bytes > 0) this.#control.windowUpdate(id, bytes);
  }

  // --- Frames that are dealt with here -----------------------------------------------------------

  #priority(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0) violation("PRIORITY on stream 0");
    this.floods.priorities.count(this.nowMs);
    if (end - start !== 5) return this.#streamError(id, ErrorCode.frameSizeError);
    const dependsOn = readUint32(bytes, start) & 0x7fff_ffff;
    if (dependsOn === id) this.#streamError(id, ErrorCode.protocolError);
  }

  #rstStream(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0) violation("RST_STREAM on stream 0");
    requireLength(end - start, 4);
    if (this.#streams.isIdle(id)) violation("RST_STREAM on an idle stream");
    const code = readUint32(bytes, start);
    const stream = this.#streams.get(id);
    // Clients say NO_ERROR to stop an answered request. All other resets are work for nothing.
    const harmless = stream === undefined && code === ErrorCode.noError;
    if (this.#role === "server" && !harmless) this.floods.resets.count(this.nowMs);
    if (stream === undefined) return;
    this.#remove(stream, { resetByUs: false });
    this.#handler.reset(stream, code, "peer");
  }

  #settings(flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): void {
    if (streamId !== 0) violation("SETTINGS on a stream");
    if ((flags & Flag.ack) !== 0) return requireLength(end - start, 0);
    if ((end - start) % 6 !== 0) requireLength(end - start, 6);
    this.floods.settings.count(this.nowMs);
    for (let at = start; at < end; at += 6) {
      const id = readUint32(bytes, at) >>> 16;
      const value = readUint32(bytes, at + 2);
      checkSetting(id, value, this.#role);
      this.#applySetting(id, value);
    }
    this.#control.acknowledgeSettings(Flag.ack);
    this.#settled = true;
    this.#sender.pump();
    this.#handler.peerChanged();
  }

  #applySetting(id: number, value: number): void {
    if (id === Setting.headerTableSize) this.#sender.limitHeaderTable(value);
    if (id === Setting.maxConcurrentStreams) this.#peerStreamsMax = value;
    if (id === Setting.initialWindowSize) this.#sender.resize(this.#streams.snapshot(), value);
  }

  #pinged(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) violation("PING on a stream");
    requireLength(end - start, 8);
    if ((flags & Flag.ack) === 0) {
      if (this.#pings?.permits(this.nowMs, this.#streams.size) === false) {
        throw new ConnectionError(ErrorCode.enhanceYourCalm, "too_many_pings");
      }
      const before = this.#out.length;
      this.#control.ping(bytes.subarray(start, end), Flag.ack);
      this.#pongBytes += this.#out.length - before;
    } else if (this.#drain.kind === "announced" && startsWith(bytes, start, DRAIN_PING)) {
      this.#nameLastStream();
    }
  }

  #wentAway(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) violation("GOAWAY on a stream");
    if (end - start < 8) requireLength(end - start, 8);
    const lastId = readUint32(bytes, start) & 0x7fff_ffff;
    const text = bytesToText(bytes.subarray(start + 8, end));
    this.#goingAway = { code: readUint32(bytes, start + 4), text, byPeer: true };
    if (this.#role === "client") {
      for (const stream of this.#streams.snapshot()) {
        if (stream.id > lastId) this.#dropStream(stream, ErrorCode.refusedStream);
      }
    }
    this.#handler.peerChanged();
    this.#closeWhenDone();
  }

  #windowUpdate(id: number, bytes: Uint8Array, start: number, end: number): void {
    requireLength(end - start, 4);
    this.floods.windowUpdates.count(this.nowMs);
    const increment = readUint32(bytes, start) & 0x7fff_ffff;
    if (id === 0) return this.#sender.growConnection(increment);
    if (this.#streams.isIdle(id)) violation("WINDOW_UPDATE on an idle stream");
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (increment === 0) return this.fault(stream, ErrorCode.protocolError);
    if (!this.#sender.grow(stream, increment)) this.fault(stream, ErrorCode.flowControlError);
  }

  #requireSettings(type: number, flags: number): void {
    if (type !== FrameType.settings || (flags & Flag.ack) !== 0) {
      violation("first frame must be SETTINGS");
    }
  }

  // --- Ends --------------------------------------------------------------------------------------

  #remove(stream: Stream<Owner>, how: { resetByUs: boolean }): void {
    this.#streams.remove(stream, how);
    this.#sender.forget(stream);
    this.#closeWhenDone();
  }

  #streamError(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.fault(stream, code);
    else this.refuse(id, code);
  }

  /** The highest stream of the peer's that was looked at. */
  get #lastPeerId(): number {
    return this.#role === "server" ? Math.max(this.#streams.lastId, 0) : 0;
  }

  #nameLastStream(): void {
    this.#drain = { kind: "final" };
    this.#streams.serveNoMore();
    this.#control.goaway(this.#lastPeerId, ErrorCode.noError, "");
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#streams.size > 0 || this.#closed !== undefined) return;
    if (this.#drain.kind === "final")
      this.#finish({ code: ErrorCode.noError, text: "drained", byPeer: false });
    else if (this.#goingAway !== undefined) this.#finish(this.#goingAway);
  }

  #finish(reason: CloseReason): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    for (const stream of this.#streams.snapshot()) {
      this.#dropStream(stream, reason.code);
    }
    this.#askFlush();
  }

  #dropStream(stream: Stream<Owner>, code: number): void {
    this.#streams.remove(stream, { resetByUs: true });
    this.#sender.forget(stream);
    this.#handler.reset(stream, code, "connection");
  }

  // --- Writing -----------------------------------------------------------------------------------

  #greet(): void {
    const settings: [number, number][] = [
      [Setting.initialWindowSize, STREAM_WINDOW_BYTES],
      [Setting.maxHeaderListSize, HEADER_LIST_BYTES],
    ];
    if (this.#role === "client") {
      settings.push([Setting.enablePush, 0]);
      this.#out.append(PREFACE);
    }
    if (this.#streamsMax < 0xffff_ffff) {
      settings.push([Setting.maxConcurrentStreams, this.#streamsMax]);
    }
    this.#control.settings(settings);
    this.grant(0, CONNECTION_WINDOW_BYTES - INITIAL_WINDOW_BYTES);
  }

  #flushSoon(): void {
    if (this.#out.length > OUTPUT_BYTES_MAX && this.#closed === undefined) {
      this.close(ErrorCode.enhanceYourCalm, "output is not read");
    }
    if (this.#out.length > 0) this.#askFlush();
  }

  #askFlush(): void {
    if (this.#flushAsked) return;
    // Who lets it wait is asked again when there is more.
    this.#flushAsked = !this.canWait;
    this.#handler.wantsFlush();
  }
}

function startsWith(bytes: Uint8Array, start: number, pattern: Uint8Array): boolean {
  for (let i = 0; i < pattern.length; i++) if (bytes[start + i] !== pattern[i]) return false;
  return true;
}
