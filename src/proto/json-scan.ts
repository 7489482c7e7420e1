import { quoteText } from "../base/index.ts";

/** The next JSON value of some bytes, or why there is none. The texts are Go's `encoding/json`. */
export type Scan =
  | { readonly kind: "value"; readonly end: number }
  /** Nothing but white space is left. */
  | { readonly kind: "end" }
  /** A value began and the bytes ended. */
  | { readonly kind: "partial" }
  | { readonly kind: "error"; readonly text: string };

export const PARTIAL_TEXT = "unexpected EOF";

const DEPTH_MAX = 10_000;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Ends a scan from within: `partial` or an error text. */
class Stop extends Error {
  readonly scan: Scan;

  constructor(scan: Scan) {
    super();
    this.scan = scan;
  }
}

/**
 * Finds the value that starts at `from`. A number or a word at the very end of the bytes counts
 * as complete, so hand over bytes that end between values.
 */
export function scanJson(bytes: Uint8Array, from: number): Scan {
  const scanner = new Scanner(bytes, from);
  try {
    return scanner.atEnd() ? { kind: "end" } : { kind: "value", end: scanner.value() };
  } catch (error) {
    if (error instanceof Stop) return error.scan;
    throw error;
  }
}

class Scanner {
  readonly #bytes: Uint8Array;
  #at: number;
  /** What is open, outermost first. */
  readonly #open: number[] = [];

  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.#at = from;
  }

  atEnd(): boolean {
    this.#skipSpace();
    return this.#at >= this.#bytes.length;
  }

  value(): number {
    do {
      this.#begin();
    } while (!this.#finish());
    return this.#at;
  }

  /** Takes a value's first token, and goes on into objects and arrays until a scalar is read. */
  #begin(): void {
    for (;;) {
      const byte = this.#token();
      if (byte === OPEN_OBJECT) {
        this.#push(byte);
        if (this.#peekToken() === CLOSE_OBJECT) return;
        this.#key("looking for beginning of object key string");
      } else if (byte === OPEN_ARRAY) {
        this.#push(byte);
        if (this.#peekToken() === CLOSE_ARRAY) return;
      } else {
        this.#scalar(byte);
        return;
      }
    }
  }

  /** After a value: closes what ends here. True when the outermost value is complete. */
  #finish(): boolean {
    while (this.#open.length > 0) {
      const inObject = this.#open.at(-1) === OPEN_OBJECT;
      const byte = this.#token();
      if (byte === (inObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        this.#open.pop();
        continue;
      }
      if (byte !== COMMA) {
        this.#fail(byte, inObject ? "after object key:value pair" : "after array element");
      }
      if (inObject) this.#key("looking for beginning of object key string");
      return false;
    }
    return true;
  }

  #push(byte: number): void {
    this.#open.push(byte);
    if (this.#open.length > DEPTH_MAX) this.#fail(byte, "exceeded max depth");
  }

  #key(where: string): void {
    const byte = this.#token();
    if (byte !== QUOTE) this.#fail(byte, where);
    this.#string();
    const after = this.#token();
    if (after !== COLON) this.#fail(after, "after object key");
  }

  #scalar(byte: number): void {
    if (byte === QUOTE) this.#string();
    else if (byte === 0x2d || isDigit(byte)) this.#number(byte);
    else if (byte === 0x74) this.#word("true");
    else if (byte === 0x66) this.#word("false");
    else if (byte === 0x6e) this.#word("null");
    else this.#fail(byte, "looking for beginning of value");
  }

  #string(): void {
    for (;;) {
      const byte = this.#next();
      if (byte === QUOTE) return;
      if (byte === BACKSLASH) this.#escape();
      else if (byte < 0x20) this.#fail(byte, "in string literal");
    }
  }

  #escape(): void {
    const byte = this.#next();
    if (byte !== 0x75) {
      if (!'bfnrt\\/"'.includes(String.fromCharCode(byte))) {
        this.#fail(byte, "in string escape code");
      }
      return;
    }
    for (let i = 0; i < 4; i++) {
      const digit = this.#next();
      if (!/[0-9a-fA-F]/.test(String.fromCharCode(digit))) {
        this.#fail(digit, "in \\u hexadecimal character escape");
      }
    }
  }

  #number(first: number): void {
    let byte = first;
    if (byte === 0x2d) {
      byte = this.#next();
      if (!isDigit(byte)) this.#fail(byte, "in numeric literal");
    }
    if (byte !== 0x30) this.#digits();
    if (this.#bytes[this.#at] === 0x2e) {
      this.#at++;
      this.#digit("after decimal point in numeric literal");
      this.#digits();
    }
    if ((this.#bytes[this.#at]! | 0x20) === 0x65) {
      this.#at++;
      const sign = this.#bytes[this.#at];
      if (sign === 0x2b || sign === 0x2d) this.#at++;
      this.#digit("in exponent of numeric literal");
      this.#digits();
    }
  }

  #digit(where: string): void {
    const byte = this.#next();
    if (!isDigit(byte)) this.#fail(byte, where);
  }

  #digits(): void {
    while (this.#at < this.#bytes.length && isDigit(this.#bytes[this.#at]!)) this.#at++;
  }

  #word(word: string): void {
    for (const letter of word.slice(1)) {
      const byte = this.#next();
      if (byte !== letter.charCodeAt(0)) {
        this.#fail(byte, `in literal ${word} (expecting '${letter}')`);
      }
    }
  }

  #skipSpace(): void {
    while (this.#at < this.#bytes.length && isSpace(this.#bytes[this.#at]!)) this.#at++;
  }

  #peekToken(): number | undefined {
    this.#skipSpace();
    return this.#bytes[this.#at];
  }

  #token(): number {
    this.#skipSpace();
    return this.#next();
  }

  #next(): number {
    if (this.#at >= this.#bytes.length) throw new Stop({ kind: "partial" });
    return this.#bytes[this.#at++]!;
  }

  #fail(byte: number, where: string): never {
    const quoted = byte === QUOTE ? '"' : quoteText(String.fromCharCode(byte)).slice(1, -1);
    const shown = byte === 0x27 ? "\\'" : quoted;
    throw new Stop({ kind: "error", text: `invalid character '${shown}' ${where}` });
  }
}

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
const isSpace = (byte: number) => byte === 0x20 || byte === 9 || byte === 10 || byte === 13;
