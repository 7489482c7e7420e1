/**
 * HTTP/2 frames (RFC 9113 §4, §6).
 *
 *   0  u24be  payload length
 *   3  u8     type
 *   4  u8     flags
 *   5  u32be  stream id, top bit reserved
 *   9  ...    payload
 */

export const FRAME_HEADER_BYTES = 9;

/** The payload length every endpoint accepts, and the most that this one accepts. */
export const FRAME_PAYLOAD_BYTES = 16_384;

export const PREFACE_TEXT = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** What a client sends before its first frame. */
export const PREFACE: Uint8Array = Uint8Array.from(PREFACE_TEXT, (c) => c.charCodeAt(0));

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

const ERROR_NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** The name of an error code as RFC 9113 §7 spells it. */
export function errorName(code: number): string {
  return ERROR_NAMES[code] ?? `unknown error code 0x${code.toString(16)}`;
}

/** The peer broke a rule that concerns the whole connection: answered with GOAWAY, then closed. */
export class ConnectionError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

/** The peer broke a rule that has no error code of its own. */
export function violation(text: string): never {
  throw new ConnectionError(ErrorCode.protocolError, text);
}

export function requireLength(length: number, wanted: number): void {
  if (length !== wanted) throw new ConnectionError(ErrorCode.frameSizeError, "bad frame length");
}

/**
 * Where the payload of a padded frame begins; it ends as many bytes early as the first byte says
 * (§6.1).
 */
export function skipPadding(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) requireLength(0, 1);
  if (bytes[start]! >= end - start) violation("padding longer than the frame");
  return start + 1;
}
