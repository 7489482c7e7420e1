import {
  type Entry,
  entryBytes,
  MESSAGE_TYPE,
  type Message,
  Writer,
  writeEntry,
  writeRaftMessage,
} from "../proto/index.ts";

// The two streams between members (etcd: rafthttp/msg_codec.go, msgappv2_codec.go). Numbers are
// u64, big-endian.
//
// message:  length ‖ raftpb.Message, repeated
// msgapp:   one byte, then
//   0  nothing: a heartbeat of the link
//   1  count ‖ count × (length ‖ raftpb.Entry) ‖ commit: entries that follow what came before
//   2  length ‖ raftpb.Message
// Both sides of msgapp remember term and index of the last entry; so do type 1 frames without them.

/** The two kinds of stream, as their paths name them. */
export type StreamKind = "message" | "msgapp";

/** How logs name them. */
export const STREAM_NAMES = { message: "stream Message", msgapp: "stream MsgApp v2" } as const;

export const FRAME = { heartbeat: 0, entries: 1, message: 2 } as const;

/** A message of nobody: `raftpb.Message{type: MsgHeartbeat}`. It keeps an idle link alive. */
const LINK_HEARTBEAT = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2, 8, MESSAGE_TYPE.heartbeat);

export interface Encoder {
  encode(w: Writer, m: Message): void;
  heartbeat(w: Writer): void;
}

/** `length ‖ message`. */
export function writeFramedMessage(w: Writer, m: Message): void {
  const start = w.length;
  writeUint64(w, 0);
  writeRaftMessage(w, m);
  const end = w.length;
  w.length = start;
  writeUint64(w, end - start - 8);
  w.length = end;
}

export class MessageEncoder implements Encoder {
  encode(w: Writer, m: Message): void {
    writeFramedMessage(w, m);
  }

  heartbeat(w: Writer): void {
    w.raw(LINK_HEARTBEAT);
  }
}

/**
 * Entries as type 1 frames carry them. What one follower gets, the next one often gets as well: it
 * is encoded once.
 */
export class EntryBlock {
  #w = new Writer(BLOCK_BYTES);
  #firstIndex = 0;
  #lastIndex = 0;
  #lastTerm = 0;

  /** Valid until the next call. Entries with the same index and term are the same entries. */
  encode(entries: readonly Entry[]): Uint8Array {
    const first = entries[0]!;
    const last = entries.at(-1)!;
    if (
      first.index === this.#firstIndex &&
      last.index === this.#lastIndex &&
      last.term === this.#lastTerm
    ) {
      return this.#w.view();
    }
    const w = this.#w;
    w.reset();
    for (const entry of entries) {
      writeUint64(w, entryBytes(entry));
      writeEntry(w, entry);
    }
    this.#firstIndex = first.index;
    this.#lastIndex = last.index;
    this.#lastTerm = last.term;
    return w.view();
  }

  /** The log may change from here on. */
  forget(): void {
    this.#firstIndex = 0;
    if (this.#w.bytes.length > BLOCK_BYTES) this.#w = new Writer(BLOCK_BYTES);
  }
}

/** A block that grew larger is given back. */
const BLOCK_BYTES = 64 * 1024;

export class MsgAppEncoder implements Encoder {
  #term = 0;
  #index = 0;
  readonly #block: EntryBlock;

  constructor(block: EntryBlock) {
    this.#block = block;
  }

  encode(w: Writer, m: Message): void {
    const follows = this.#index === m.index && this.#term === m.logTerm && m.logTerm === m.term;
    if (follows) this.#encodeEntries(w, m);
    else this.#encodeMessage(w, m);
  }

  #encodeEntries(w: Writer, m: Message): void {
    const { entries } = m;
    writeByte(w, FRAME.entries);
    writeUint64(w, entries.length);
    if (entries.length > 0) w.raw(this.#block.encode(entries));
    writeUint64(w, m.commit);
    this.#index += entries.length;
  }

  #encodeMessage(w: Writer, m: Message): void {
    writeByte(w, FRAME.message);
    writeFramedMessage(w, m);
    this.#term = m.term;
    this.#index = m.entries.at(-1)?.index ?? m.index;
  }

  heartbeat(w: Writer): void {
    writeByte(w, FRAME.heartbeat);
  }
}

function writeByte(w: Writer, value: number): void {
  w.reserve(1);
  w.bytes[w.length++] = value;
}

const TWO_32 = 2 ** 32;

function writeUint64(w: Writer, value: number): void {
  w.reserve(8);
  writeUint32(w, Math.floor(value / TWO_32));
  writeUint32(w, value >>> 0);
}

function writeUint32(w: Writer, value: number): void {
  const { bytes, length } = w;
  bytes[length] = value >>> 24;
  bytes[length + 1] = value >>> 16;
  bytes[length + 2] = value >>> 8;
  bytes[length + 3] = value;
  w.length = length + 4;
}
