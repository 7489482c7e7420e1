import { allocBytes, EMPTY_BYTES } from "../base/index.ts";

/**
 * A message on the wire:
 *
 *   0  u8     1: compressed as the header list says, 0: not
 *   1  u32be  length
 *   5  ...    message
 */
export const PREFIX_BYTES = 5;

/** The first room made for a message that comes in parts; it then grows as bytes arrive. */
const PART_BYTES = 1024;

export interface MessageSink {
  /** One whole message, valid during the call. */
  message(flag: number, bytes: Uint8Array): void;
  /** The length of the message about to come; false refuses it and everything after. */
  announced(length: number): boolean;
}

function messageLength(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0
  );
}

/** Whether `bytes[start, end)` is exactly one message, which is how unary requests come. */
export function isOneMessage(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start - PREFIX_BYTES;
  return length >= 0 && messageLength(bytes, start) === length;
}

/** Cuts the body of a call into messages. Memory is taken as bytes come, not as announced. */
export class MessageReader {
  #part: Uint8Array = EMPTY_BYTES;
  #have = 0;
  #stopped = false;

  /** Bytes of a message whose end has not come. */
  get bufferedBytes(): number {
    return this.#have;
  }

  feed(bytes: Uint8Array, start: number, end: number, sink: MessageSink): void {
    let at = start;
    while (at < end && !this.#stopped) {
      at =
        this.#have === 0 ? this.#whole(bytes, at, end, sink) : this.#partial(bytes, at, end, sink);
    }
  }

  /** Nothing more is handed on. */
  stop(): void {
    this.#stopped = true;
    this.#part = EMPTY_BYTES;
    this.#have = 0;
  }

  #whole(bytes: Uint8Array, at: number, end: number, sink: MessageSink): number {
    if (end - at < PREFIX_BYTES) return this.#keep(bytes, at, end);
    const length = messageLength(bytes, at);
    if (!sink.announced(length)) {
      this.stop();
      return end;
    }
    const to = at + PREFIX_BYTES + length;
    if (to > end) return this.#keep(bytes, at, end);
    sink.message(bytes[at]!, bytes.subarray(at + PREFIX_BYTES, to));
    return to;
  }

  #partial(bytes: Uint8Array, from: number, end: number, sink: MessageSink): number {
    let at = from;
    if (this.#have < PREFIX_BYTES) {
      at = this.#keep(bytes, at, Math.min(end, at + PREFIX_BYTES - this.#have));
      if (this.#have < PREFIX_BYTES) return at;
      if (!sink.announced(messageLength(this.#part, 0))) {
        this.stop();
        return end;
      }
    }
    const size = PREFIX_BYTES + messageLength(this.#part, 0);
    at = this.#keep(bytes, at, Math.min(end, at + size - this.#have));
    if (this.#have === size) this.#emitPart(size, sink);
    return at;
  }

  #emitPart(size: number, sink: MessageSink): void {
    const part = this.#part;
    this.#part = EMPTY_BYTES;
    this.#have = 0;
    sink.message(part[0]!, part.subarray(PREFIX_BYTES, size));
  }

  #keep(bytes: Uint8Array, start: number, end: number): number {
    const needed = this.#have + end - start;
    if (needed > this.#part.length) {
      const larger = allocBytes(Math.max(needed, this.#part.length * 2, PART_BYTES));
      larger.set(this.#part.subarray(0, this.#have));
      this.#part = larger;
    }
    this.#part.set(bytes.subarray(start, end), this.#have);
    this.#have = needed;
    return end;
  }
}

/** The five bytes before a message. The result is reused by the next call. */
export function messagePrefix(flag: number, length: number): Uint8Array {
  prefix[0] = flag;
  prefix[1] = length >>> 24;
  prefix[2] = length >>> 16;
  prefix[3] = length >>> 8;
  prefix[4] = length;
  return prefix;
}

const prefix = new Uint8Array(PREFIX_BYTES);
