import { bytesToText, textToBytes } from "../base/index.ts";

/** The outcome of a call. `message` is ordinary text, percent-encoded only on the wire. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  /** Of a call of ours: the server says, or it is plain, that it has done nothing about it. */
  readonly isUnprocessed?: boolean;
}

export const Code = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export const OK: GrpcStatus = { code: Code.ok, message: "" };

/** How Go prints the codes. */
const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** The name of a status code in Go's spelling, as `Canceled`; `Code(17)` for unknown ones. */
export function codeName(code: number): string {
  return CODE_NAMES[code] ?? `Code(${code})`;
}

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
