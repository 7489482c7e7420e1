import { copyBytes } from "../base/index.ts";
import { type FlowWindows, INITIAL_WINDOW_BYTES } from "./flow.ts";
import {
  ConnectionError,
  ErrorCode,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES,
  Flag,
  FrameType,
  violation,
} from "./frames.ts";
import { type EncodedField, HpackEncoder } from "./hpack.ts";
import { CONNECTION_QUEUE_BYTES, OUTPUT_BYTES_SOFT, STREAM_QUEUE_BYTES } from "./limits.ts";
import { type OutputBuffer, writeFrameHeader } from "./output.ts";
import { PIECE_BYTES } from "./send-queue.ts";
import type { Stream } from "./stream.ts";

/** What becomes of the bytes of a message that cannot leave at once. */
export type Ownership = "copy" | "owned";

export interface SenderEvents<Owner> {
  /** END_STREAM has gone into the output. */
  sentEnd(stream: Stream<Owner>): void;
  /** There is room again for a producer that was told to wait. */
  writable(stream: Stream<Owner>): void;
  sentData(bytes: number): void;
}

/**
 * The sending half of a connection: writes frames into the output as far as flow control and the
 * output's bound permit, and keeps the rest in the queues of the streams. Streams that could send
 * stand in a line and send one frame each in turn.
 */
export class Sender<Owner> {
  readonly #out: OutputBuffer;
  readonly #windows: FlowWindows;
  readonly #events: SenderEvents<Owner>;
  readonly #encoder = new HpackEncoder();
  readonly #waiting = new Set<Stream<Owner>>();
  #line: Stream<Owner>[] = [];
  /** Bytes in the queues of all streams. */
  queuedBytes = 0;
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  initialWindowBytes = INITIAL_WINDOW_BYTES;

  constructor(out: OutputBuffer, windows: FlowWindows, events: SenderEvents<Owner>) {
    this.#out = out;
    this.#windows = windows;
    this.#events = events;
  }

  limitHeaderTable(bytesMax: number): void {
    this.#encoder.limitTable(bytesMax);
  }

  /** Whether `pump` would put something into an empty output. */
  get canPump(): boolean {
    return this.#line.length > 0 && this.#windows.sendBytes > 0;
  }

  headers(stream: Stream<Owner>, fields: readonly EncodedField[], last: boolean): void {
    const out = this.#out;
    const at = out.extend(FRAME_HEADER_BYTES);
    this.#encoder.encode(out, fields);
    const length = out.length - at - FRAME_HEADER_BYTES;
    const end = last ? Flag.endStream : 0;
    if (length > FRAME_PAYLOAD_BYTES) this.#splitHeaders(at, stream.id, end);
    else {
      writeFrameHeader(out.bytes, at, length, FrameType.headers, end | Flag.endHeaders, stream.id);
    }
    if (last) this.#events.sentEnd(stream);
  }

  /** Trailers, after everything queued before them. */
  trailers(stream: Stream<Owner>, fields: readonly EncodedField[]): void {
    if (stream.queuedBytes === 0) this.headers(stream, fields, true);
    else stream.trailers = fields;
  }

  /** The bytes of `head`, then those of `body`. `head` is always copied. */
  data(stream: Stream<Owner>, head: Uint8Array, body: Uint8Array, ownership: Ownership): void {
    const length = head.length + body.length;
    if (this.#mayWrite(stream, length)) {
      this.#writeData(stream, length, 0);
      this.#out.append(head);
      this.#out.append(body);
      return;
    }
    const queue = stream.ensureQueue();
    queue.push(head);
    if (ownership === "owned") queue.pushUncopied(body, "given");
    else if (body.length <= PIECE_BYTES) queue.push(body);
    else queue.pushUncopied(body, "lent");
    this.queuedBytes += length;
    this.#standInLine(stream);
    this.#move();
    // Most of a large message leaves at once; only the rest needs to be copied.
    queue.returnLent();
    this.#wake();
  }

  /** The last piece of a body that has no trailers; may be empty. */
  lastData(stream: Stream<Owner>, head: Uint8Array, body: Uint8Array, ownership: Ownership): void {
    const length = head.length + body.length;
    if (this.#mayWrite(stream, length)) {
      this.#writeData(stream, length, Flag.endStream);
      this.#out.append(head);
      this.#out.append(body);
      this.#events.sentEnd(stream);
      return;
    }
    stream.trailers = NO_FIELDS;
    this.data(stream, head, body, ownership);
  }

  /** Moves queued bytes into the output, and tells the producers that wait for it. */
  pump(): void {
    this.#move();
    this.#wake();
  }

  /** A WINDOW_UPDATE for a stream; false when its window is too large now. */
  grow(stream: Stream<Owner>, bytes: number): boolean {
    if (!stream.windows.grow(bytes)) return false;
    this.#standInLine(stream);
    this.pump();
    return true;
  }

  growConnection(bytes: number): void {
    if (bytes === 0) violation("WINDOW_UPDATE of 0");
    if (!this.#windows.grow(bytes)) tooLarge();
    this.pump();
  }

  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE changes the windows of all streams (§6.9.2). */
  resize(streams: readonly Stream<Owner>[], initialBytes: number): void {
    const change = initialBytes - this.initialWindowBytes;
    this.initialWindowBytes = initialBytes;
    for (const stream of streams) {
      if (!stream.windows.grow(change)) tooLarge();
      this.#standInLine(stream);
    }
  }

  /** Whether a producer should wait; if so it hears `writable` later. */
  isFull(stream: Stream<Owner>): boolean {
    if (!this.#above(stream)) return false;
    this.#waiting.add(stream);
    return true;
  }

  forget(stream: Stream<Owner>): void {
    this.queuedBytes -= stream.queuedBytes;
    stream.queue = undefined;
    stream.trailers = undefined;
    this.#waiting.delete(stream);
    if (stream.inLine) this.#line = this.#line.filter((other) => other !== stream);
    stream.inLine = false;
  }

  /** One frame of each stream in turn. */
  #move(): void {
    if (this.canPump) {
      const bytes = Math.min(this.queuedBytes, this.#windows.sendBytes, OUTPUT_BYTES_SOFT);
      this.#out.reserve(bytes);
    }
    while (this.canPump && this.#out.length < OUTPUT_BYTES_SOFT) {
      const stream = this.#line.shift()!;
      stream.inLine = false;
      if (stream.closed) continue;
      const count = this.#sendable(stream);
      if (count > 0) this.#sendQueued(stream, count);
      this.#standInLine(stream);
    }
  }

  #above(stream: Stream<Owner>): boolean {
    if (stream.queuedBytes > STREAM_QUEUE_BYTES) return true;
    return stream.queuedBytes > 0 && this.queuedBytes > CONNECTION_QUEUE_BYTES;
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    for (const stream of this.#waiting) {
      if (this.#above(stream)) continue;
      this.#waiting.delete(stream);
      this.#events.writable(stream);
    }
  }

  #mayWrite(stream: Stream<Owner>, length: number): boolean {
    return (
      stream.queuedBytes === 0 &&
      length <= FRAME_PAYLOAD_BYTES &&
      (length === 0 || length <= this.#windows.sendBytes) &&
      (length === 0 || length <= stream.windows.sendBytes) &&
      (length === 0 || this.#out.length < OUTPUT_BYTES_SOFT)
    );
  }

  #sendable(stream: Stream<Owner>): number {
    const window = Math.min(stream.windows.sendBytes, this.#windows.sendBytes);
    return Math.min(stream.queuedBytes, window, FRAME_PAYLOAD_BYTES);
  }

  #sendQueued(stream: Stream<Owner>, count: number): void {
    const queue = stream.ensureQueue();
    const trailers = stream.trailers;
    const endsHere = trailers === NO_FIELDS && queue.bytes === count;
    this.#writeData(stream, count, endsHere ? Flag.endStream : 0);
    queue.moveTo(this.#out, count);
    this.queuedBytes -= count;
    if (queue.bytes > 0) return;
    if (endsHere) this.#events.sentEnd(stream);
    else if (trailers !== undefined) this.headers(stream, trailers, true);
  }

  /** Only the header of a DATA frame: its payload must follow at once. */
  #writeData(stream: Stream<Owner>, length: number, flags: number): void {
    this.#out.frameHeader(length, FrameType.data, flags, stream.id);
    stream.windows.sendBytes -= length;
    this.#windows.sendBytes -= length;
    this.#events.sentData(length);
  }

  #standInLine(stream: Stream<Owner>): void {
    if (stream.inLine || stream.closed) return;
    if (stream.queuedBytes === 0 || stream.windows.sendBytes <= 0) return;
    stream.inLine = true;
    this.#line.push(stream);
  }

  /** Rewrites a header block that is too long for one frame as HEADERS and CONTINUATIONs. */
  #splitHeaders(at: number, streamId: number, end: number): void {
    const out = this.#out;
    const block = copyBytes(out.bytes.subarray(at + FRAME_HEADER_BYTES, out.length));
    out.length = at;
    for (let start = 0; start < block.length; start += FRAME_PAYLOAD_BYTES) {
      const stop = Math.min(block.length, start + FRAME_PAYLOAD_BYTES);
      const type = start === 0 ? FrameType.headers : FrameType.continuation;
      const last = stop === block.length ? Flag.endHeaders : 0;
      out.frameHeader(stop - start, type, (start === 0 ? end : 0) | last, streamId);
      out.appendRegion(block, start, stop);
    }
  }
}

/** Stands for trailers of a stream that ends without any. */
const NO_FIELDS: readonly EncodedField[] = [];

function tooLarge(): never {
  throw new ConnectionError(ErrorCode.flowControlError, "window too large");
}
