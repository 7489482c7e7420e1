import type { Duplex } from "node:stream";
import { type Exchange, type Fields, Http1Head, type RequestHead } from "./exchange.ts";
import { CLOSE, frameHead, FrameReader, OPCODE } from "./web-socket-frames.ts";

/** Appended to the client's key before it is hashed (RFC 6455 §1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const NEWLINE = 0x0a;
/** How long a client may take to read the last bytes. */
const LINGER_MS = 1000;

/** What the server answers to a request that becomes a WebSocket. */
export interface Handshake {
  readonly accept: string;
  readonly protocol: string | undefined;
}

/** Whether a request asks for a WebSocket, well or badly. */
export function isWebSocket(head: RequestHead): boolean {
  return (
    hasToken(head.field("connection"), "upgrade") && hasToken(head.field("upgrade"), WEBSOCKET)
  );
}

const WEBSOCKET = "websocket";

/** Checks a request for a WebSocket; on a bad one the HTTP status of the refusal. */
export function handshake(head: RequestHead): Handshake | { readonly status: number } {
  if (head.method !== "GET") return { status: 405 };
  const key = head.field("sec-websocket-key") ?? "";
  if (!hasToken(head.field("sec-websocket-version"), "13")) return { status: 400 };
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) return { status: 400 };
  const { createHash } = process.getBuiltinModule("node:crypto");
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  const isBearer = head.field("sec-websocket-protocol")?.startsWith("Bearer") ?? false;
  return { accept, protocol: isBearer ? "Bearer" : undefined };
}

function hasToken(field: string | undefined, token: string): boolean {
  return (field ?? "").split(",").some((part) => part.trim().toLowerCase() === token);
}

/**
 * A WebSocket as an exchange: what the client sends is the body, each message followed by a
 * newline, and each line of the response is a message. It ends without a closing frame, as etcd's
 * does, unless the client has sent one.
 */
export class WebSocketExchange extends Http1Head implements Exchange {
  onGone = (): void => {};
  onDrain = (): void => {};
  readonly #socket: Duplex;
  #onData: (bytes: Uint8Array) => void = () => {};
  #onMessageEnd: () => void = () => {};
  /** A message has begun to leave. */
  #isInMessage = false;
  #isOver = false;

  constructor(head: Http1Head, socket: Duplex, { accept, protocol }: Handshake) {
    super(head.request, "POST");
    this.#socket = socket;
    const line = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n${line}\r\n`,
    );
    socket.on("drain", () => this.onDrain());
    socket.on("error", () => socket.destroy());
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#gone());
  }

  /** Begins to read; `first` has come already. */
  start(first: Uint8Array): void {
    const reader = new FrameReader({
      data: (piece, isLast) => {
        this.#onData(piece);
        if (isLast) this.#onMessageEnd();
      },
      ping: (payload) => this.#frame(OPCODE.pong, payload, true),
      close: (code) => this.#sayGoodbye(code, ""),
      violation: (reason) => this.#sayGoodbye(CLOSE.protocolError, reason),
    });
    if (first.length > 0) reader.push(first);
    this.#socket.on("data", (bytes: Uint8Array) => reader.push(bytes));
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Of the request's fields only these go on: the token may stand in place of a protocol. */
  override *fields(): Iterable<readonly [string, string]> {
    for (const name of ["origin", "referer"]) {
      const value = this.field(name);
      if (value !== undefined) yield [name, value];
    }
    const authorization = this.#authorization();
    if (authorization !== undefined) yield ["authorization", authorization];
  }

  #authorization(): string | undefined {
    const cookie = /(?:^|;\s*)token=([^;]*)/.exec(this.field("cookie") ?? "");
    if (cookie !== null) return `Bearer ${cookie[1]}`;
    const protocol = this.field("sec-websocket-protocol");
    if (protocol === undefined) return undefined;
    const at = protocol.indexOf("Bearer,");
    return at < 0 ? "" : `Bearer ${protocol.slice(at + "Bearer,".length).trim()}`;
  }

  /** The first message is the body of a request that has but one. */
  readBody(bytesMax: number, done: (body: Uint8Array | undefined) => void): void {
    if (bytesMax === 0) return done(new Uint8Array(0));
    const pieces: Uint8Array[] = [];
    let length = 0;
    this.#onData = (piece) => {
      length += piece.length;
      if (length <= bytesMax) pieces.push(piece);
    };
    this.#onMessageEnd = () => {
      this.#onData = this.#onMessageEnd = () => {};
      done(length <= bytesMax ? Buffer.concat(pieces) : undefined);
    };
  }

  readStream(_bytesMax: number, feed: (bytes: Uint8Array) => void): void {
    this.#onData = feed;
    this.#onMessageEnd = () => feed(Uint8Array.of(NEWLINE));
  }

  respond(_status: number, _fields: Fields, body: string): void {
    this.write(`${body}\n`);
    this.end();
  }

  begin(): void {}

  write(part: string | Uint8Array): void {
    if (this.#isOver) return;
    const bytes = Buffer.from(part);
    const isLast = bytes.at(-1) === NEWLINE;
    const opcode = this.#isInMessage ? OPCODE.continuation : OPCODE.text;
    this.#frame(opcode, isLast ? bytes.subarray(0, -1) : bytes, isLast);
    this.#isInMessage = !isLast;
  }

  end(): void {
    this.#finish();
  }

  #frame(opcode: number, payload: Uint8Array, isFinal: boolean): void {
    if (this.#isOver) return;
    this.#socket.cork();
    this.#socket.write(frameHead(opcode, payload.length, isFinal));
    if (payload.length > 0) this.#socket.write(payload);
    this.#socket.uncork();
  }

  #sayGoodbye(code: number, reason: string): void {
    const text = Buffer.from(reason);
    const status = code === CLOSE.none ? [] : [code >> 8, code & 0xff];
    this.#frame(OPCODE.close, Buffer.concat([Buffer.from(status), text]), true);
    this.#finish();
    this.onGone();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #gone(): void {
    this.#isOver = true;
    this.onGone();
  }
}
