import { BufferPool, OutputBuffer } from "./output.ts";
import { Connection } from "./connection.ts";
import type { ConnectionHandler, ResetOrigin } from "./handler.ts";
import type { Role } from "./stream-table.ts";
import { Flag, FrameType, PREFACE, readUint32 } from "./frames.ts";
import type { HeaderList } from "./headers.ts";
import { EncodedField, HpackDecoder, HpackEncoder } from "./hpack.ts";
import type { KeepaliveOptions } from "./keepalive.ts";
import type { Stream } from "./stream.ts";

/** Tools for the tests of this room: frames by hand, and a connection whose events are kept. */

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array): Uint8Array {
  const length = uint32(payload.length).subarray(1);
  return join(length, Uint8Array.of(type, flags), uint32(id), payload);
}

export function parseFrames(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 9 + (readUint32(bytes, at) >>> 8);
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      id: readUint32(bytes, at + 5),
      payload: bytes.slice(at + 9, end),
    });
    at = end;
  }
  return frames;
}

export const SETTINGS = frame(FrameType.settings, 0, 0, new Uint8Array(0));

export function setting(id: number, value: number): Uint8Array {
  return frame(FrameType.settings, 0, 0, join(Uint8Array.of(0, id), uint32(value)));
}

export function ping(): Uint8Array {
  return frame(FrameType.ping, 0, 0, new Uint8Array(8));
}

export function windowUpdate(id: number, increment: number): Uint8Array {
  return frame(FrameType.windowUpdate, 0, id, uint32(increment));
}

export function rst(id: number, code: number): Uint8Array {
  return frame(FrameType.rstStream, 0, id, uint32(code));
}

export function data(id: number, payload: Uint8Array, last = false): Uint8Array {
  return frame(FrameType.data, last ? Flag.endStream : 0, id, payload);
}

/** A header block in literals only, which fits any state of the tables. */
export function literalBlock(fields: readonly (readonly [string, string])[]): Uint8Array {
  const out = new OutputBuffer(new BufferPool());
  new HpackEncoder().encode(
    out,
    fields.map(([name, value]) => new EncodedField(name, value)),
  );
  return out.take();
}

export const REQUEST = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a"],
  [":authority", "b"],
] as const;

export function headers(
  id: number,
  fields: readonly (readonly [string, string])[] = REQUEST,
  flags: number = Flag.endHeaders,
): Uint8Array {
  return frame(FrameType.headers, flags, id, literalBlock(fields));
}

export interface Event {
  readonly kind: "head" | "trailers" | "data" | "reset" | "writable" | "changed";
  readonly id: number;
  readonly fields?: readonly (readonly [string, string])[];
  readonly bytes?: number;
  readonly last?: boolean;
  readonly code?: number;
  readonly origin?: ResetOrigin;
}

/** One end of a connection; the test is the other end. */
export class Subject implements ConnectionHandler<undefined> {
  readonly connection: Connection<undefined>;
  readonly events: Event[] = [];
  readonly streams = new Map<number, Stream<undefined>>();
  readonly decoder = new HpackDecoder({ listBytesMax: 1024 * 1024 });
  flushes = 0;
  nowMs = 1000;
  onHead: (stream: Stream<undefined>) => void = () => {};
  onWritable: (stream: Stream<undefined>) => void = () => {};

  constructor(role: Role, options: { streamsMax?: number; keepalive?: KeepaliveOptions } = {}) {
    this.connection = new Connection({
      role,
      handler: this,
      pool: new BufferPool(),
      nowMs: this.nowMs,
      keepalive: { intervalMs: 7_200_000, timeoutMs: 20_000, withoutStreams: true },
      pingPolicy: { intervalMsMin: 5000, withoutStreams: false },
      ...options,
    });
  }

  /** A server whose client has said hello, its own hello taken. */
  static server(options: { streamsMax?: number; keepalive?: KeepaliveOptions } = {}): Subject {
    const subject = new Subject("server", options);
    subject.feed(PREFACE, SETTINGS);
    subject.frames();
    return subject;
  }

  /** A client whose server has said hello, its own hello taken. */
  static client(options: { keepalive?: KeepaliveOptions } = {}): Subject {
    const subject = new Subject("client", options);
    subject.output();
    subject.feed(SETTINGS);
    subject.frames();
    return subject;
  }

  feed(...parts: Uint8Array[]): void {
    this.connection.receive(join(...parts), this.nowMs);
  }

  output(): Uint8Array {
    const parts: Uint8Array[] = [];
    while (this.connection.hasOutput) parts.push(this.connection.takeOutput());
    return join(...parts);
  }

  frames(): Frame[] {
    return parseFrames(this.output());
  }

  /** The next GOAWAY or RST_STREAM in the output, as `goaway 1` or `rst 3 8`. */
  complaint(): string {
    for (const { type, id, payload } of this.frames()) {
      if (type === FrameType.goaway && readUint32(payload, 4) !== 0) {
        return `goaway ${readUint32(payload, 4)}`;
      }
      if (type === FrameType.rstStream) return `rst ${id} ${readUint32(payload, 0)}`;
    }
    return "none";
  }

  head(stream: Stream<undefined>, list: HeaderList, last: boolean): void {
    this.streams.set(stream.id, stream);
    this.events.push({ kind: "head", id: stream.id, fields: pairs(list), last });
    this.onHead(stream);
  }

  trailers(stream: Stream<undefined>, list: HeaderList): void {
    this.events.push({ kind: "trailers", id: stream.id, fields: pairs(list) });
  }

  data(
    stream: Stream<undefined>,
    _bytes: Uint8Array,
    start: number,
    end: number,
    last: boolean,
  ): void {
    this.events.push({ kind: "data", id: stream.id, bytes: end - start, last });
  }

  reset(stream: Stream<undefined>, code: number, origin: ResetOrigin): void {
    this.events.push({ kind: "reset", id: stream.id, code, origin });
  }

  writable(stream: Stream<undefined>): void {
    this.events.push({ kind: "writable", id: stream.id });
    this.onWritable(stream);
  }

  wantsFlush(): void {
    this.flushes++;
  }

  peerChanged(): void {
    this.events.push({ kind: "changed", id: 0 });
  }
}

export function pairs(list: HeaderList): (readonly [string, string])[] {
  return list.fields.map((field) => [field.name, field.value] as const);
}
