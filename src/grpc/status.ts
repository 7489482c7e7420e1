import { bytesToText, textToBytes } from "../base/index.ts";
import { CODE } from "../proto/index.ts";

export { CODE as Code, codeName } from "../proto/index.ts";

/** The outcome of a call. `message` is ordinary text, percent-encoded only on the wire. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  /** Of a call of ours: the server says, or it is plain, that it has done nothing about it. */
  readonly isUnprocessed?: boolean;
}

export const OK: GrpcStatus = { code: CODE.ok, message: "" };

const PLAIN = /^[ -$&-~]*$/;

/** The `grpc-message` form of a text: UTF-8, with everything but visible ASCII as %XX. */
export function encodeMessage(text: string): string {
  if (PLAIN.test(text)) return text;
  let encoded = "";
  for (const byte of textToBytes(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The text of a `grpc-message`. A % without two hexadecimal digits stands for itself. */
export function decodeMessage(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  const bytes: number[] = [];
  for (let i = 0; i < encoded.length; i++) {
    const escape = /^%[0-9A-Fa-f]{2}/.exec(encoded.slice(i, i + 3));
    bytes.push(
      escape === null ? encoded.charCodeAt(i) & 0xff : Number.parseInt(escape[0].slice(1), 16),
    );
    if (escape !== null) i += 2;
  }
  return bytesToText(Uint8Array.from(bytes));
}

/** A text as Go prints it with %q, for byte strings: others than visible ASCII are escaped. */
export function quote(text: string): string {
  let quoted = '"';
  for (let i = 0; i < text.length; i++) quoted += quoteCharacter(text.charCodeAt(i));
  return `${quoted}"`;
}

function quoteCharacter(c: number): string {
  if (c === 0x22 || c === 0x5c) return `\\${String.fromCharCode(c)}`;
  if (c >= 0x20 && c < 0x7f) return String.fromCharCode(c);
  if (c === 0x09) return "\\t";
  return `\\x${c.toString(16).padStart(2, "0")}`;
}
