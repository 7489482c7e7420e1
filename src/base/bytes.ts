/**
 * The one place that knows `Buffer`. Elsewhere bytes are `Uint8Array`, but allocating through
 * Buffer's pool is twenty times cheaper than `new Uint8Array(n)` for small sizes.
 */

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

const decoder = new TextDecoder();

/** Uninitialised bytes of their own. The caller must fill all of them. */
export function allocBytes(length: number): Uint8Array {
  return Buffer.allocUnsafeSlow(length);
}

/** An owned copy, safe to keep: it pins no socket chunk, page or pool. */
export function copyBytes(source: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(source.length);
  copy.set(source);
  return copy;
}

/** A view of `length` bytes from `start` on: half the cost of `subarray`, which also clamps. */
export function viewBytes(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = allocBytes(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Bytewise order: negative, zero or positive, a prefix before the longer one. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareRegions(a, 0, a.length, b, 0, b.length);
}

/** Bytewise order of `a[aStart, aEnd)` and `b[bStart, bEnd)`, without making views. */
export function compareRegions(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

export function textToBytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** UTF-8 text; bytes that are not UTF-8 become U+FFFD. */
export function bytesToText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function bytesToHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

export function hexToBytes(hex: string): Uint8Array {
  return Buffer.from(hex, "hex");
}

/**
 * Hands out small pieces of big chunks, for bytes that are kept a short while and in great number.
 * A piece keeps its whole chunk alive, so what is kept for long is copied elsewhere.
 */
export class Arena {
  #chunk: Uint8Array = EMPTY_BYTES;
  #used = 0;
  readonly #chunkBytes: number;

  constructor(chunkBytes = 256 * 1024) {
    this.#chunkBytes = chunkBytes;
  }

  alloc(length: number): Uint8Array {
    if (length > this.#chunkBytes >>> 2) return allocBytes(length);
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = allocBytes(this.#chunkBytes);
      this.#used = 0;
    }
    const piece = this.#chunk.subarray(this.#used, this.#used + length);
    this.#used += length;
    return piece;
  }

  copy(source: Uint8Array): Uint8Array {
    const piece = this.alloc(source.length);
    piece.set(source);
    return piece;
  }
}

/** One character per byte: a cheap string that stands for the bytes as a Map key. */
export function bytesToKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The bytes that `bytesToKey` made a string of. */
export function keyToBytes(key: string): Uint8Array {
  return Buffer.from(key, "latin1");
}

/** Standard base64 with padding. */
export function bytesToBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Either alphabet, padded or not, as Go's lenient readers take it. Undefined: not base64. */
export function base64ToBytes(text: string): Uint8Array | undefined {
  const body = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  if (body.length % 4 === 1 || !/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9\-_]*)$/.test(body)) return undefined;
  return Buffer.from(body, "base64");
}

/** The lowest bytes above everything that begins with `prefix`; undefined when there are none. */
export function endOfPrefix(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return undefined;
  const end = copyBytes(prefix.subarray(0, last + 1));
  end[last]!++;
  return end;
}
