import { api, decodeMessage, encodeMessage, type Init } from "../proto/index.ts";
import { Client, type ClientOptions } from "./client.ts";
import { type ByteStream, type CallOptions, StatusError, type Transport } from "./transport.ts";

/** What a fake server does with a call. */
export interface FakeHandlers {
  unary?(path: string, request: Uint8Array, call: CallOptions): Promise<Uint8Array> | Uint8Array;
  stream?(path: string, stream: FakeStream): void;
}

/** A connection to nowhere. */
export class FakeTransport implements Transport {
  readonly peer = { remote: "10.0.0.1:2379", local: "10.0.0.2:40000", secure: false };
  usable = true;
  readonly #handlers: FakeHandlers;

  constructor(handlers: FakeHandlers) {
    this.#handlers = handlers;
  }

  async unary(path: string, request: Uint8Array, call: CallOptions): Promise<Uint8Array> {
    return this.#handlers.unary!(path, request, call);
  }

  stream(path: string): ByteStream {
    const stream = new FakeStream();
    this.#handlers.stream!(path, stream);
    return stream;
  }

  close(): void {
    this.usable = false;
  }
}

/** A stream whose server side is the test. */
export class FakeStream implements ByteStream {
  readonly sent: Uint8Array[] = [];
  /** Called with each message that the client sends. */
  onSend: ((message: Uint8Array) => void) | undefined;
  readonly #queue: Uint8Array[] = [];
  #end: StatusError | "ok" | undefined;
  #wake: (() => void) | undefined;

  send(message: Uint8Array): void {
    this.sent.push(message);
    this.onSend?.(message);
  }

  end(): void {}

  cancel(): void {
    this.finish(new StatusError(1, "context canceled"));
  }

  answer(message: Uint8Array): void {
    this.#queue.push(message);
    this.#wake?.();
  }

  finish(end: StatusError | "ok"): void {
    this.#end ??= end;
    this.#wake?.();
  }

  async next(): Promise<Uint8Array | undefined> {
    while (this.#queue.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#queue.length > 0) return this.#queue.shift();
    if (this.#end === "ok") return undefined;
    throw this.#end;
  }
}

export function fakeClient(handlers: FakeHandlers, options: Partial<ClientOptions> = {}): Client {
  return new Client({
    endpoints: ["a:1"],
    dial: async () => new FakeTransport(handlers),
    timeoutMs: 1_000,
    keepAliveMs: 0,
    keepAliveTimeoutMs: 0,
    receiveBytesMax: 1_000_000,
    sendBytesMax: 1_000_000,
    tls: undefined,
    ...options,
  });
}

/** A message of the watch stream as the server writes it. */
export const watchAnswer = (answer: Init<api.WatchResponse>): Uint8Array =>
  encodeMessage(api.WatchResponse, answer);

export const watchRequest = (bytes: Uint8Array): api.WatchRequest =>
  decodeMessage(api.WatchRequest, bytes);
