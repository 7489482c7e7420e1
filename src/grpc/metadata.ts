import { EncodedField, type HeaderField } from "../h2/index.ts";
import { quote } from "./status.ts";

/** Names that belong to the protocol and are not shown as metadata. */
const RESERVED = new Set([
  "grpc-message-type",
  "grpc-encoding",
  "grpc-message",
  "grpc-status",
  "grpc-timeout",
  "te",
]);

/**
 * The metadata of a call. Values are byte strings, one character for each byte; those of names
 * that end in `-bin` are shown as they were before base64.
 */
export class Metadata {
  readonly #entries: (readonly [string, string])[];

  constructor(entries: (readonly [string, string])[]) {
    this.#entries = entries;
  }

  /** The first value of a name (in lower case). */
  get(name: string): string | undefined {
    for (const entry of this.#entries) if (entry[0] === name) return entry[1];
    return undefined;
  }

  entries(): Iterable<readonly [string, string]> {
    return this.#entries;
  }
}

/** Reads the metadata among the fields of a list; on bad base64 the reason in grpc-go's words. */
export function readMetadata(fields: readonly HeaderField[]): Metadata | string {
  const entries: (readonly [string, string])[] = [];
  for (const { name, value } of fields) {
    if ((name.startsWith(":") && name !== ":authority") || RESERVED.has(name)) continue;
    const shown = name.endsWith("-bin") ? fromBase64(value) : value;
    if (typeof shown === "number") {
      const where = `illegal base64 data at input byte ${shown}`;
      return `malformed binary metadata ${quote(value)} in header ${quote(name)}: ${where}`;
    }
    entries.push([name, shown]);
  }
  return new Metadata(entries);
}

/** Turns metadata into fields for sending; values of `-bin` names become base64. */
export function encodeMetadata(entries: Iterable<readonly [string, string]>): EncodedField[] {
  const fields: EncodedField[] = [];
  for (const [name, value] of entries) {
    fields.push(new EncodedField(name, name.endsWith("-bin") ? toBase64(value) : value));
  }
  return fields;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Unpadded base64 of a byte string. */
function toBase64(bytes: string): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes.charCodeAt(i), bytes.charCodeAt(i + 1), bytes.charCodeAt(i + 2)];
    text += DIGITS[a >> 2]! + DIGITS[((a & 3) << 4) | (b >> 4)]!;
    if (i + 1 < bytes.length) text += DIGITS[((b & 15) << 2) | (c >> 6)]!;
    if (i + 2 < bytes.length) text += DIGITS[c & 63]!;
  }
  return text;
}

/** The byte string behind base64, padded or not; or where it is wrong. */
function fromBase64(text: string): string | number {
  const digits = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  let bytes = "";
  let bits = 0;
  let value = 0;
  for (let i = 0; i < digits.length; i++) {
    const six = DIGITS.indexOf(digits[i]!);
    if (six < 0) return i;
    value = ((value << 6) | six) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += String.fromCharCode((value >> bits) & 0xff);
    }
  }
  return digits.length % 4 === 1 ? digits.length - 1 : bytes;
}
