/**
 * WebSocket frames (RFC 6455 §5), as a server reads and writes them.
 *
 *   0  FIN 0x80 | reserved 0x70 | opcode
 *   1  MASK 0x80 | length, or 126: u16be follows, or 127: u64be follows
 *   .. 4 bytes of mask, always there from clients
 *   .. payload, each byte combined with one of the mask
 */

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export const CLOSE = { normal: 1000, protocolError: 1002, none: 1005 } as const;

const FIN = 0x80;
const MASK = 0x80;
const MASK_BYTES = 4;
const CONTROL_BYTES_MAX = 125;
const HEAD_BYTES_MAX = 14;

/** What a client's bytes turn out to be. */
export interface FrameSink {
  /** Part of a message, which may be kept; `isLast` with its last part. */
  data(piece: Uint8Array, isLast: boolean): void;
  ping(payload: Uint8Array): void;
  /** The client says goodbye; the code is that of its frame. */
  close(code: number): void;
  /** What came is no WebSocket frame, and why. Nothing more is read. */
  violation(reason: string): void;
}

/** Reads the frames of a client from bytes that come in pieces of any size. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #head = new Uint8Array(HEAD_BYTES_MAX);
  #headBytes = 0;
  #opcode = 0;
  #isFinal = false;
  /** Payload bytes of the frame under way that have not come. */
  #left = -1;
  /** Payload bytes of it that have: the mask goes round with them. */
  #seen = 0;
  #control = new Uint8Array(0);
  #isInMessage = false;
  #isOver = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; !this.#isOver && at < bytes.length; ) {
      if (this.#left < 0) at = this.#readHead(bytes, at);
      else at = this.#readPayload(bytes, at);
    }
  }

  #readHead(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      this.#head[this.#headBytes++] = bytes[at++]!;
      if (this.#headBytes < 2 || this.#headBytes < this.#headLength()) continue;
      this.#headBytes = 0;
      this.#begin();
      break;
    }
    return at;
  }

  #headLength(): number {
    const length = this.#head[1]! & 0x7f;
    const mask = (this.#head[1]! & MASK) === 0 ? 0 : MASK_BYTES;
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + mask;
  }

  #begin(): void {
    const first = this.#head[0]!;
    this.#opcode = first & 0x0f;
    this.#isFinal = (first & FIN) !== 0;
    const length = this.#payloadLength();
    const reason = this.#wrongWith(first, length);
    if (reason !== undefined) return this.#violate(reason);
    this.#left = length;
    this.#seen = 0;
    if (this.#opcode >= OPCODE.close) this.#control = new Uint8Array(length);
    else this.#isInMessage = !this.#isFinal;
    if (length === 0) this.#take(this.#control.subarray(0, 0));
  }

  #payloadLength(): number {
    const view = new DataView(this.#head.buffer);
    const length = this.#head[1]! & 0x7f;
    if (length < 126) return length;
    return length === 126 ? view.getUint16(2) : view.getUint32(2) * 2 ** 32 + view.getUint32(6);
  }

  #wrongWith(first: number, length: number): string | undefined {
    if ((first & 0x70) !== 0) return "reserved bits set";
    if ((this.#head[1]! & MASK) === 0) return "bad MASK";
    switch (this.#opcode) {
      case OPCODE.close:
      case OPCODE.ping:
      case OPCODE.pong:
        if (length > CONTROL_BYTES_MAX) return "len > 125 for control";
        return this.#isFinal ? undefined : "FIN not set on control";
      case OPCODE.text:
      case OPCODE.binary:
        return this.#isInMessage ? "data before FIN" : undefined;
      case OPCODE.continuation:
        return this.#isInMessage ? undefined : "continuation after FIN";
      default:
        return `bad opcode ${this.#opcode}`;
    }
  }

  #readPayload(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    const piece = bytes.slice(at, end);
    const mask = this.#headLength() - MASK_BYTES;
    for (let i = 0; i < piece.length; i++) piece[i]! ^= this.#head[mask + ((this.#seen + i) & 3)]!;
    this.#left -= piece.length;
    this.#take(piece);
    this.#seen += piece.length;
    return end;
  }

  /** Part of the payload, unmasked. */
  #take(piece: Uint8Array): void {
    const isEnd = this.#left === 0;
    if (isEnd) this.#left = -1;
    if (this.#opcode < OPCODE.close) {
      this.#sink.data(piece, isEnd && this.#isFinal);
      return;
    }
    this.#control.set(piece, this.#seen);
    if (!isEnd) return;
    if (this.#opcode === OPCODE.ping) this.#sink.ping(this.#control);
    else if (this.#opcode === OPCODE.close) this.#close(this.#control);
  }

  #close(payload: Uint8Array): void {
    if (payload.length === 1) return this.#violate("bad close code 1005");
    const code = payload.length < 2 ? CLOSE.none : (payload[0]! << 8) | payload[1]!;
    if (payload.length >= 2 && !isCloseCode(code)) return this.#violate(`bad close code ${code}`);
    this.#isOver = true;
    this.#sink.close(code);
  }

  #violate(reason: string): void {
    this.#isOver = true;
    this.#sink.violation(reason);
  }
}

function isCloseCode(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1013 && ![1004, 1005, 1006].includes(code);
}

/** The head of a frame that a server sends: without a mask. */
export function frameHead(opcode: number, length: number, isFinal: boolean): Uint8Array {
  const first = (isFinal ? FIN : 0) | opcode;
  if (length < 126) return Uint8Array.of(first, length);
  const head = new Uint8Array(length < 65_536 ? 4 : 10);
  const view = new DataView(head.buffer);
  head[0] = first;
  head[1] = head.length === 4 ? 126 : 127;
  if (head.length === 4) view.setUint16(2, length);
  else {
    view.setUint32(2, Math.floor(length / 2 ** 32));
    view.setUint32(6, length % 2 ** 32);
  }
  return head;
}
