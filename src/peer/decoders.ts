import { allocBytes, Arena, EMPTY_BYTES } from "../base/index.ts";
import {
  type Entry,
  MESSAGE_TYPE,
  type Message,
  message,
  ProtoError,
  Reader,
  readEntry,
  readRaftMessage,
} from "../proto/index.ts";
import { FRAME } from "./encoders.ts";

/** Longer messages are refused (etcd: `readBytesLimit`). */
export const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

/** So much is set aside for a message of which nothing has come yet, whatever it says of itself. */
const TRUSTED_BYTES = 1024 * 1024;

export interface Decoder {
  /**
   * Takes bytes as they come and hands out the messages in them, heartbeats of the link too. The
   * bytes are copied: a message's are its own. Throws ProtoError; nothing can be read behind it.
   */
  feed(bytes: Uint8Array, sink: (m: Message, bytes: number) => void): void;
}

export function isLinkHeartbeat(m: Message): boolean {
  return m.type === MESSAGE_TYPE.heartbeat && m.from === 0n && m.to === 0n;
}

type Sink = (m: Message, bytes: number) => void;

/** Cuts a stream into units of known length: each unit says how long the next one is. */
abstract class UnitDecoder implements Decoder {
  protected need: number;
  protected sink: Sink = () => {};
  readonly #arena = new Arena();
  /** The beginning of a unit that is not complete yet. */
  #part: Uint8Array = EMPTY_BYTES;
  #filled = 0;
  #isPart = false;

  constructor(need: number) {
    this.need = need;
  }

  /** Takes a unit of `need` bytes and sets `need` for the next one. */
  protected abstract unit(bytes: Uint8Array, start: number, end: number): void;

  feed(bytes: Uint8Array, sink: Sink): void {
    this.sink = sink;
    let at = this.#isPart ? this.#fill(bytes) : 0;
    if (this.#isPart || (at === bytes.length && this.need > 0)) return;
    const owned = this.#arena.copy(at === 0 ? bytes : bytes.subarray(at));
    at = 0;
    // A unit may be empty.
    while (this.need <= owned.length - at) {
      const end = at + this.need;
      this.unit(owned, at, end);
      at = end;
    }
    if (at < owned.length) this.#begin(owned.subarray(at));
  }

  /** Completes what has begun, as far as the bytes go; returns how many were taken. */
  #fill(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#filled === this.#part.length) this.#grow();
      const length = Math.min(this.#part.length - this.#filled, bytes.length - at);
      this.#part.set(bytes.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
      if (this.#filled < this.need) continue;
      this.#isPart = false;
      const whole = this.#part;
      this.#part = EMPTY_BYTES;
      this.unit(whole, 0, this.need);
      return at;
    }
    return at;
  }

  #begin(bytes: Uint8Array): void {
    this.#isPart = true;
    this.#part = allocBytes(Math.min(this.need, Math.max(TRUSTED_BYTES, bytes.length)));
    this.#part.set(bytes);
    this.#filled = bytes.length;
  }

  #grow(): void {
    const grown = allocBytes(Math.min(this.need, this.#part.length * 2));
    grown.set(this.#part);
    this.#part = grown;
  }
}

/** `length ‖ message`, repeated. */
export class MessageDecoder extends UnitDecoder {
  readonly #bytesMax: number;
  #isLength = true;

  constructor(bytesMax = MESSAGE_BYTES_MAX) {
    super(8);
    this.#bytesMax = bytesMax;
  }

  protected override unit(bytes: Uint8Array, start: number, end: number): void {
    this.#isLength = !this.#isLength;
    if (!this.#isLength) {
      this.need = readLength(bytes, start, this.#bytesMax);
      return;
    }
    this.need = 8;
    this.sink(readRaftMessage(new Reader(bytes, start, end)), end - start);
  }
}

type Part = "type" | "count" | "entryLength" | "entry" | "commit" | "messageLength" | "message";

export class MsgAppDecoder extends UnitDecoder {
  readonly #local: bigint;
  readonly #remote: bigint;
  #term = 0;
  #index = 0;
  #part: Part = "type";
  #count = 0;
  #entries: Entry[] = [];
  #entriesBytes = 0;

  /** Entries that follow others come without the two ids. */
  constructor(ids: { readonly local: bigint; readonly remote: bigint }) {
    super(1);
    this.#local = ids.local;
    this.#remote = ids.remote;
  }

  protected override unit(bytes: Uint8Array, start: number, end: number): void {
    switch (this.#part) {
      case "type":
        return this.#type(bytes[start]!);
      case "count":
        return this.#begin(readLength(bytes, start, Number.MAX_SAFE_INTEGER));
      case "entryLength":
        return this.#expect("entry", this.#entryLength(bytes, start));
      case "entry":
        return this.#entry(new Reader(bytes, start, end));
      case "commit":
        return this.#entriesEnd(readLength(bytes, start, Number.MAX_SAFE_INTEGER));
      case "messageLength":
        return this.#expect("message", readLength(bytes, start, MESSAGE_BYTES_MAX));
      case "message":
        return this.#message(new Reader(bytes, start, end));
    }
  }

  #expect(part: Part, need: number): void {
    this.#part = part;
    this.need = need;
  }

  #type(type: number): void {
    if (type === FRAME.heartbeat) this.sink(LINK_HEARTBEAT, 2);
    else if (type === FRAME.entries) this.#expect("count", 8);
    else if (type === FRAME.message) this.#expect("messageLength", 8);
    else throw new ProtoError(`failed to parse type ${type} in msgappv2 stream`);
  }

  #begin(count: number): void {
    this.#count = count;
    this.#entries = [];
    this.#entriesBytes = 0;
    this.#expectEntry();
  }

  #expectEntry(): void {
    if (this.#entries.length < this.#count) this.#expect("entryLength", 8);
    else this.#expect("commit", 8);
  }

  /** All entries of a frame are one message, which has its bound. */
  #entryLength(bytes: Uint8Array, start: number): number {
    this.#entriesBytes += 8;
    const length = readLength(bytes, start, MESSAGE_BYTES_MAX - this.#entriesBytes);
    this.#entriesBytes += length;
    return length;
  }

  #entry(r: Reader): void {
    this.#entries.push(readEntry(r));
    this.#expectEntry();
  }

  #entriesEnd(commit: number): void {
    const index = this.#index;
    const entries = this.#entries;
    this.#index += entries.length;
    this.#entries = [];
    this.#expect("type", 1);
    this.sink(this.#app(index, entries, commit), this.#entriesBytes);
  }

  #app(index: number, entries: readonly Entry[], commit: number): Message {
    return message({
      type: MESSAGE_TYPE.app,
      to: this.#local,
      from: this.#remote,
      term: this.#term,
      logTerm: this.#term,
      index,
      entries,
      commit,
    });
  }

  #message(r: Reader): void {
    const length = r.end - r.at;
    const m = readRaftMessage(r);
    this.#term = m.term;
    this.#index = m.entries.at(-1)?.index ?? m.index;
    this.#expect("type", 1);
    this.sink(m, length);
  }
}

const LINK_HEARTBEAT = readRaftMessage(new Reader(Uint8Array.of(8, MESSAGE_TYPE.heartbeat)));

/** A `u64` of the wire. Throws when it is above `max`. */
export function readLength(bytes: Uint8Array, at: number, max: number): number {
  const length = readUint32(bytes, at) * 2 ** 32 + readUint32(bytes, at + 4);
  // The text is etcd's (`ErrExceedSizeLimit`).
  if (length > max) throw new ProtoError("rafthttp: error limit exceeded");
  return length;
}

function readUint32(b: Uint8Array, at: number): number {
  return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
}
