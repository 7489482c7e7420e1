import type { Floods } from "./floods.ts";
import type { FlowWindows } from "./flow.ts";
import { ConnectionError, ErrorCode, Flag, skipPadding, violation } from "./frames.ts";
import type { ConnectionHandler } from "./handler.ts";
import { HeaderBlocks } from "./header-blocks.ts";
import type { HeaderList } from "./headers.ts";
import { CONNECTION_WINDOW_BYTES, HEADER_LIST_BYTES, STREAM_WINDOW_BYTES } from "./limits.ts";
import type { Stream } from "./stream.ts";
import type { Role, StreamTable } from "./stream-table.ts";

export interface ReceiverEvents<Owner> {
  readonly nowMs: number;
  readonly floods: Floods;
  /** Whether one more stream may be opened. */
  readonly hasRoom: boolean;
  /** What the peer permits to be sent on a new stream. */
  readonly initialWindowBytes: number;
  /** The peer may send so much more on a stream, or on the connection (0). */
  grant(streamId: number, bytes: number): void;
  /** A stream that is not open gets an answer that it is not welcome. */
  refuse(streamId: number, code: number): void;
  /** The peer broke a rule of one stream. */
  fault(stream: Stream<Owner>, code: number): void;
  /** The peer has ended its half, and the handler knows. */
  peerEnded(stream: Stream<Owner>): void;
}

/**
 * The receiving half of a connection: header lists and bodies, checked against the state of their
 * stream (RFC 9113 §5.1, §8.1) and handed to the handler.
 */
export class Receiver<Owner> {
  readonly #role: Role;
  readonly #streams: StreamTable<Owner>;
  readonly #windows: FlowWindows;
  readonly #handler: ConnectionHandler<Owner>;
  readonly #events: ReceiverEvents<Owner>;
  readonly #blocks: HeaderBlocks;

  constructor(parts: {
    role: Role;
    streams: StreamTable<Owner>;
    windows: FlowWindows;
    handler: ConnectionHandler<Owner>;
    events: ReceiverEvents<Owner>;
  }) {
    this.#role = parts.role;
    this.#streams = parts.streams;
    this.#windows = parts.windows;
    this.#handler = parts.handler;
    this.#events = parts.events;
    this.#blocks = new HeaderBlocks({ listBytesMax: HEADER_LIST_BYTES });
  }

  /** Nothing but CONTINUATION may come before a header block is complete (§4.3). */
  requireWholeBlock(): void {
    if (this.#blocks.isPartial) violation("header block interrupted");
  }

  headers(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0) violation("HEADERS on stream 0");
    const list = this.#blocks.headers(flags, id, bytes, start, end);
    if (list !== undefined) this.#headerList(list);
    else if (start === end) this.#events.floods.empty.count(this.#events.nowMs);
  }

  continuation(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (start === end) this.#events.floods.empty.count(this.#events.nowMs);
    const list = this.#blocks.continuation(flags, id, bytes, start, end);
    if (list !== undefined) this.#headerList(list);
  }

  #headerList(list: HeaderList): void {
    const id = this.#blocks.streamId;
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#nextList(stream, list, this.#blocks.last);
    if (id % 2 === 0) violation("stream id of a client must be odd");
    if (this.#role === "client") {
      if (this.#streams.isIdle(id)) violation("HEADERS on an idle stream");
      return;
    }
    if (!this.#streams.isIdle(id)) return this.#lateHeaders(id);
    this.#streams.lastId = id;
    if (this.#streams.isServed(id)) this.#request(id, list);
  }

  #request(id: number, list: HeaderList): void {
    if (!this.#events.hasRoom) {
      return this.#events.refuse(id, ErrorCode.refusedStream);
    }
    if (list.tooLarge) return this.#events.refuse(id, ErrorCode.frameSizeError);
    if (this.#blocks.selfDependent || !list.isRequest()) {
      return this.#events.refuse(id, ErrorCode.protocolError);
    }
    const stream = this.#streams.add(id, this.#events.initialWindowBytes);
    this.#head(stream, list, this.#blocks.last);
  }

  #nextList(stream: Stream<Owner>, list: HeaderList, last: boolean): void {
    if (stream.remoteEnded) return this.#events.fault(stream, ErrorCode.streamClosed);
    if (this.#blocks.selfDependent) return this.#events.fault(stream, ErrorCode.protocolError);
    if (list.tooLarge) return this.#events.fault(stream, ErrorCode.frameSizeError);
    if (stream.headReceived) return this.#trailers(stream, list, last);
    if (!list.isResponse()) return this.#events.fault(stream, ErrorCode.protocolError);
    // An interim response announces the real one.
    if (list.get(":status")!.startsWith("1")) {
      if (last) this.#events.fault(stream, ErrorCode.protocolError);
      return;
    }
    this.#head(stream, list, last);
  }

  #head(stream: Stream<Owner>, list: HeaderList, last: boolean): void {
    stream.headReceived = true;
    stream.remoteEnded = last;
    stream.bodyBytesLeft = list.contentLength;
    // Responses may declare a length and have no body (HEAD, 304): only requests are held to it.
    if (this.#role === "client") stream.bodyBytesLeft = -1;
    if (last && stream.bodyBytesLeft > 0)
      return this.#events.fault(stream, ErrorCode.protocolError);
    this.#handler.head(stream, list, last);
    if (last) this.#events.peerEnded(stream);
  }

  #trailers(stream: Stream<Owner>, list: HeaderList, last: boolean): void {
    if (!last || !list.isTrailers() || stream.bodyBytesLeft > 0) {
      return this.#events.fault(stream, ErrorCode.protocolError);
    }
    stream.remoteEnded = true;
    this.#handler.trailers(stream, list);
    this.#events.peerEnded(stream);
  }

  /** HEADERS for a stream that is over: under way when we reset it, or a mistake (§5.1, §5.1.1). */
  #lateHeaders(id: number): void {
    if (this.#streams.isLeftOver(id)) return;
    if (this.#streams.closed.wasEndedByPeer(id)) {
      throw new ConnectionError(ErrorCode.streamClosed, "HEADERS on a closed stream");
    }
    violation("stream id went backwards");
  }

  data(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0) violation("DATA on stream 0");
    const length = end - start;
    const padded = (flags & Flag.padded) !== 0;
    const from = padded ? skipPadding(bytes, start, end) : start;
    const to = padded ? end - bytes[start]! : end;
    this.#countConnectionBytes(length);
    const last = (flags & Flag.endStream) !== 0;
    if (from === to && !last) this.#events.floods.empty.count(this.#events.nowMs);
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#lateData(id);
    if (stream.remoteEnded) return this.#events.fault(stream, ErrorCode.streamClosed);
    if (!stream.headReceived) return this.#events.fault(stream, ErrorCode.protocolError);
    if (!stream.windows.received(length))
      return this.#events.fault(stream, ErrorCode.flowControlError);
    if (!countBody(stream, to - from, last))
      return this.#events.fault(stream, ErrorCode.protocolError);
    if (stream.paused) stream.windows.owedBytes += length;
    else if (!last) this.#events.grant(id, stream.windows.consumed(length, STREAM_WINDOW_BYTES));
    stream.remoteEnded = last;
    this.#handler.data(stream, bytes, from, to, last);
    if (last) this.#events.peerEnded(stream);
  }

  /** The connection's window is given back at once: a slow stream must not stop the others. */
  #countConnectionBytes(length: number): void {
    if (!this.#windows.received(length)) {
      throw new ConnectionError(ErrorCode.flowControlError, "connection window passed");
    }
    this.#events.grant(0, this.#windows.consumed(length, CONNECTION_WINDOW_BYTES));
  }

  #lateData(id: number): void {
    if (this.#streams.isIdle(id)) violation("DATA on an idle stream");
    // What is not remembered is taken for a left-over, too: many unary calls that are answered
    // before their END_STREAM has come are no attack.
    const ended = this.#role === "server" && this.#streams.closed.wasEndedByPeer(id);
    if (ended && this.#streams.isServed(id)) this.#events.refuse(id, ErrorCode.streamClosed);
  }
}

/** Holds a body to the length that its head declared. */
function countBody<Owner>(stream: Stream<Owner>, bytes: number, last: boolean): boolean {
  if (stream.bodyBytesLeft < 0) return true;
  stream.bodyBytesLeft -= bytes;
  return stream.bodyBytesLeft >= 0 && (!last || stream.bodyBytesLeft === 0);
}
