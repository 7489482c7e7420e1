const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** What comes out of a feed. */
export interface JsonSink {
  /** One JSON object and nothing else. */
  value(json: Uint8Array): void;
  /** No object can follow any more: something else than an object began, or one too long. */
  bad(): void;
}

/**
 * Finds the JSON objects in bytes that come in pieces of any size. Each byte is looked at once,
 * however the pieces are cut. An object counts as found when its braces are balanced.
 */
export class JsonFeed {
  readonly #bytesMax: number;
  readonly #sink: JsonSink;
  /** The beginning of an object whose end has not come. */
  #begun = new Uint8Array(0);
  #begunBytes = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #isOver = false;

  constructor(bytesMax: number, sink: JsonSink) {
    this.#bytesMax = bytesMax;
    this.#sink = sink;
  }

  push(bytes: Uint8Array): void {
    let start = this.#depth > 0 ? 0 : -1;
    for (let at = 0; at < bytes.length && !this.#isOver; at++) {
      const byte = bytes[at]!;
      if (this.#depth === 0) {
        if (isSpace(byte)) continue;
        if (byte !== OPEN) return this.#fail();
        start = at;
      }
      if (this.#endsAt(byte)) {
        this.#found(bytes.subarray(start, at + 1));
        start = -1;
      }
    }
    if (start >= 0) this.#keep(bytes.subarray(start));
  }

  /** Takes the next byte of an object; answers whether it was the last. */
  #endsAt(byte: number): boolean {
    if (this.#inString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN) this.#depth++;
    else if (byte === CLOSE) return --this.#depth === 0;
    return false;
  }

  #found(tail: Uint8Array): void {
    if (this.#begunBytes === 0) return this.#sink.value(tail);
    this.#keep(tail);
    if (this.#isOver) return;
    const whole = this.#begun.subarray(0, this.#begunBytes);
    this.#begun = new Uint8Array(0);
    this.#begunBytes = 0;
    this.#sink.value(whole);
  }

  #keep(piece: Uint8Array): void {
    const length = this.#begunBytes + piece.length;
    if (length > this.#bytesMax) return this.#fail();
    if (length > this.#begun.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#begun.length));
      larger.set(this.#begun.subarray(0, this.#begunBytes));
      this.#begun = larger;
    }
    this.#begun.set(piece, this.#begunBytes);
    this.#begunBytes = length;
  }

  #fail(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#begun = new Uint8Array(0);
    this.#sink.bad();
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
