/** HTTP/1.1 and WebSocket by hand: every byte of a request is the caller's, and nothing is smoothed. */
import { connect } from "node:net";
import { dechunk } from "../lib/chunked.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const HEAD_END = "\r\n\r\n";

export interface Ask {
  readonly method?: string;
  readonly path: string;
  /** Lines as they are, besides those that every request has. */
  readonly fields?: readonly string[];
  readonly body?: string;
  /** The body in chunks, cut at these places. */
  readonly cuts?: readonly number[];
  readonly version?: "1.0" | "1.1";
  /** Of a response without an end: when enough of its body has come. */
  readonly until?: (body: string) => boolean;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; values of one name joined. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

const NO_ANSWER: Answer = { status: 0, fields: {}, body: "" };

/** The bytes of a request. */
export function requestBytes(host: string, ask: Ask): string {
  const { method = "GET", path, fields = [], body, cuts, version = "1.1" } = ask;
  const head = [`${method} ${path} HTTP/${version}`];
  if (!fields.some((field) => /^host:/i.test(field))) head.push(`Host: ${host}`);
  head.push(...fields);
  if (!fields.some((field) => /^connection:/i.test(field))) head.push("Connection: close");
  if (cuts !== undefined) head.push("Transfer-Encoding: chunked");
  else if (body !== undefined) head.push(`Content-Length: ${Buffer.byteLength(body)}`);
  const text = cuts === undefined ? (body ?? "") : chunked(body ?? "", cuts);
  return head.join("\r\n") + HEAD_END + text;
}

function chunked(body: string, cuts: readonly number[]): string {
  const ends = [...cuts, body.length];
  const pieces = ends.map((end, i) => body.slice(ends[i - 1] ?? 0, end)).filter(Boolean);
  return `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("")}0\r\n\r\n`;
}

/**
 * Sends bytes on a connection of its own, and `later` ones once a head has come back; resolves to
 * what came back until it ended.
 */
function exchange(
  endpoint: string,
  bytes: string,
  isEnough: (received: Buffer) => boolean,
  later?: Uint8Array,
): Promise<Buffer> {
  const [host, port] = endpoint.split(":");
  return new Promise((resolve) => {
    const socket = connect({ host: host!, port: Number(port) });
    let received = Buffer.alloc(0);
    let waiting = later;
    const done = () => {
      socket.destroy();
      resolve(received);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, done);
    socket.on("error", done);
    socket.on("close", done);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (waiting !== undefined && received.includes(HEAD_END)) {
        socket.write(waiting);
        waiting = undefined;
      }
      if (isEnough(received)) done();
    });
    socket.write(bytes);
  });
}

/** One request on a connection of its own. */
export async function request(endpoint: string, ask: Ask): Promise<Answer> {
  const { until } = ask;
  const isEnough = (received: Buffer) => until?.(parse(received).body) ?? false;
  return parse(await exchange(endpoint, requestBytes(endpoint, ask), isEnough));
}

/** The final answer among the bytes; those of status 100 are passed over. */
export function parse(bytes: Buffer): Answer {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return NO_ANSWER;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(first.split(" ")[1]);
  const rest = bytes.subarray(end + HEAD_END.length);
  if (status === 100) return parse(rest);
  const fields: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`;
  }
  const isChunked = fields["transfer-encoding"] === "chunked";
  return { status, fields, body: (isChunked ? dechunk(rest, 0).body : rest).toString("utf8") };
}

// --- WebSocket -----------------------------------------------------------------------------------

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** Lines of a handshake in order; given ones take the place of those of their name. */
export function handshakeFields(changed: readonly string[] = []): string[] {
  const names = new Set(changed.map((line) => line.split(":")[0]));
  const usual = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
  ];
  const kept = usual.filter((line) => !names.has(line.split(":")[0]));
  return [...kept, ...changed.filter((line) => line.includes(":"))];
}

export interface FrameOptions {
  readonly opcode?: number;
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
}

/** A frame of a client. */
export function frame(payload: string, options: FrameOptions = {}): Buffer {
  const { opcode = 1, isFinal = true, isMasked = true } = options;
  const bytes = Buffer.from(payload, "latin1");
  const first = (isFinal ? 0x80 : 0) | opcode;
  const mask = isMasked ? 0x80 : 0;
  const head =
    bytes.length < 126
      ? [first, mask | bytes.length]
      : [first, mask | 126, bytes.length >> 8, bytes.length & 0xff];
  const key = [0x12, 0x34, 0x56, 0x78];
  const hidden = bytes.map((byte, i) => byte ^ key[i & 3]!);
  return Buffer.from(isMasked ? [...head, ...key, ...hidden] : [...head, ...bytes]);
}

/** What a server's frames say: `opcode:payload` each, pieces of a message put together. */
export function readFrames(bytes: Buffer): string[] {
  const found: string[] = [];
  let begun = "";
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [opcode, isFinal] = [bytes[at]! & 0x0f, bytes[at]! >= 0x80];
    let length = bytes[at + 1]! & 0x7f;
    at += 2;
    if (length === 126) length = bytes.readUInt16BE(at);
    else if (length === 127) length = Number(bytes.readBigUInt64BE(at));
    if (bytes[at - 1] === 126) at += 2;
    else if (bytes[at - 1] === 127) at += 8;
    const text = bytes.toString("latin1", at, at + length);
    at += length;
    begun = opcode === 0 ? begun + text : `${opcode}:${text}`;
    if (isFinal) found.push(begun);
  }
  return found;
}

/** Opens a WebSocket, sends frames, and tells what came back until `count` messages or the end. */
export async function socketTalk(
  endpoint: string,
  path: string,
  frames: readonly Buffer[],
  count: number,
  fields: readonly string[] = [],
): Promise<string[]> {
  const ask: Ask = { path, fields: handshakeFields(fields) };
  const framesOf = (received: Buffer) => {
    const end = received.indexOf(HEAD_END);
    return end < 0 ? [] : readFrames(received.subarray(end + HEAD_END.length));
  };
  const isEnough = (received: Buffer) => framesOf(received).length >= count;
  const bytes = requestBytes(endpoint, ask);
  const answer = await exchange(endpoint, bytes, isEnough, Buffer.concat(frames));
  return [String(parse(answer).status), ...framesOf(answer)];
}
