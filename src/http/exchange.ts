import type { IncomingMessage, ServerResponse } from "node:http";
import type { PlainCall } from "../grpc/index.ts";

export type Fields = Readonly<Record<string, string>>;

/** What is in the way of a request, before anything is known of its body. */
export interface RequestHead {
  readonly method: string;
  /** Without the query, with escapes decoded; undefined when they cannot be. */
  readonly path: string | undefined;
  readonly query: URLSearchParams;
  /** The path as it was sent. */
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Address of the client, empty for unix sockets. */
  readonly peer: string;
  /** The value of a field (in lower case), several joined. */
  field(name: string): string | undefined;
  /** All fields, names in lower case. */
  fields(): Iterable<readonly [string, string]>;
}

/** One HTTP request and its response, whichever version of HTTP carries it. */
export interface Exchange extends RequestHead {
  /** Bytes of the response that wait for the client to read. */
  readonly bufferedBytes: number;
  /** Told once when the client is gone before the response has ended. */
  onGone: () => void;
  /** The client has read what waited. */
  onDrain: () => void;
  /**
   * Collects the body and hands it on when it is complete; `undefined` when it is longer than
   * `bytesMax`, of which no more is kept.
   */
  readBody(bytesMax: number, done: (body: Uint8Array | undefined) => void): void;
  /**
   * Hands the body on as it comes, where the response may begin before the request has ended;
   * over HTTP/1.1 that is once, when all of it has come. The pieces may be kept. `end` is told
   * whether the body was complete, which one longer than `bytesMax` in one piece is not.
   */
  readStream(bytesMax: number, feed: (bytes: Uint8Array) => void, end: (ok: boolean) => void): void;
  /** The whole response. */
  respond(status: number, fields: Fields, body: string): void;
  /** A response in parts: its head, then any number of `write`, then `end`. */
  begin(status: number, fields: Fields): void;
  write(part: string | Uint8Array): void;
  end(): void;
}

/** Bytes of a body as they come, up to a bound. */
class Body {
  readonly #chunks: Buffer[] = [];
  readonly #bytesMax: number;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps the chunk, which must not change any more. */
  add(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length <= this.#bytesMax) this.#chunks.push(chunk);
  }

  whole(): Uint8Array | undefined {
    return this.#length <= this.#bytesMax ? Buffer.concat(this.#chunks) : undefined;
  }
}

/** The parts of a request's target. */
export class Target {
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly path: string | undefined;

  constructor(url: string) {
    // A proxy's request names the whole URL.
    const target = url.replace(/^https?:\/\/[^/?]*/i, "") || "/";
    const mark = target.indexOf("?");
    this.rawPath = mark < 0 ? target : target.slice(0, mark);
    this.rawQuery = mark < 0 ? "" : target.slice(mark + 1);
    this.path = unescape(this.rawPath);
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.rawQuery);
  }
}

function unescape(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export class Http1Head implements RequestHead {
  readonly method: string;
  readonly path: string | undefined;
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly request: IncomingMessage;

  /** `method`: what the request is taken for, where that is not what it says. */
  constructor(request: IncomingMessage, method = request.method ?? "GET") {
    this.method = method;
    this.request = request;
    ({
      path: this.path,
      rawPath: this.rawPath,
      rawQuery: this.rawQuery,
    } = new Target(request.url ?? "/"));
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.rawQuery);
  }

  get peer(): string {
    return this.request.socket.remoteAddress ?? "";
  }

  field(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  *fields(): Iterable<readonly [string, string]> {
    const raw = this.request.rawHeaders;
    for (let i = 0; i < raw.length; i += 2) yield [raw[i]!.toLowerCase(), raw[i + 1]!];
  }
}

export class Http1Exchange extends Http1Head implements Exchange {
  onGone = (): void => {};
  onDrain = (): void => {};
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    super(request);
    this.#response = response;
    response.on("error", () => {});
    response.on("drain", () => this.onDrain());
    response.on("close", () => {
      if (!response.writableFinished) this.onGone();
    });
  }

  get bufferedBytes(): number {
    return this.#response.writableLength;
  }

  readBody(bytesMax: number, done: (body: Uint8Array | undefined) => void): void {
    const body = new Body(bytesMax);
    this.request.on("data", (chunk: Buffer) => body.add(chunk));
    this.request.on("end", () => done(body.whole()));
    this.request.on("error", () => {});
  }

  readStream(
    bytesMax: number,
    feed: (bytes: Uint8Array) => void,
    end: (ok: boolean) => void,
  ): void {
    this.readBody(bytesMax, (body) => {
      if (body !== undefined) feed(body);
      end(body !== undefined);
    });
  }

  respond(status: number, fields: Fields, body: string): void {
    const bytes = Buffer.from(body);
    this.#response.writeHead(status, { ...fields, "Content-Length": bytes.length });
    this.#response.end(bytes);
  }

  begin(status: number, fields: Fields): void {
    this.#response.writeHead(status, fields);
  }

  write(part: string | Uint8Array): void {
    this.#response.write(part);
  }

  end(): void {
    this.#response.end();
  }
}

export class Http2Exchange implements Exchange {
  readonly method: string;
  readonly path: string | undefined;
  readonly rawPath: string;
  readonly rawQuery: string;
  onGone = (): void => {};
  onDrain = (): void => {};
  readonly #call: PlainCall;

  constructor(call: PlainCall) {
    this.method = call.method;
    ({ path: this.path, rawPath: this.rawPath, rawQuery: this.rawQuery } = new Target(call.path));
    this.#call = call;
    call.onCancel = () => this.onGone();
    call.onDrain = () => this.onDrain();
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.rawQuery);
  }

  get peer(): string {
    return "";
  }

  get bufferedBytes(): number {
    return this.#call.bufferedBytes;
  }

  field(name: string): string | undefined {
    const wanted = name === "host" ? ":authority" : name;
    return this.#call.fields.find((field) => field.name === wanted)?.value;
  }

  *fields(): Iterable<readonly [string, string]> {
    for (const { name, value } of this.#call.fields) if (name[0] !== ":") yield [name, value];
  }

  readBody(bytesMax: number, done: (body: Uint8Array | undefined) => void): void {
    const body = new Body(bytesMax);
    this.#call.onData = (bytes) => body.add(Buffer.from(bytes));
    this.#call.onEnd = () => done(body.whole());
  }

  readStream(
    _bytesMax: number,
    feed: (bytes: Uint8Array) => void,
    end: (ok: boolean) => void,
  ): void {
    this.#call.onData = (bytes) => feed(Buffer.from(bytes));
    this.#call.onEnd = () => end(true);
  }

  respond(status: number, fields: Fields, body: string): void {
    const bytes = Buffer.from(body);
    this.begin(status, { ...fields, "Content-Length": String(bytes.length) });
    if (this.method !== "HEAD") this.#call.write(bytes, "owned");
    this.end();
  }

  begin(status: number, fields: Fields): void {
    const lower = Object.entries(fields).map(
      ([name, value]) => [name.toLowerCase(), value] as const,
    );
    this.#call.respond(status, lower);
  }

  write(part: string | Uint8Array): void {
    this.#call.write(Buffer.from(part), "owned");
  }

  end(): void {
    this.#call.end();
  }
}
