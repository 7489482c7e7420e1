import type { Socket } from "node:net";
import {
  type ClientCallOptions,
  type ClientCallEvents,
  type GrpcClientCall,
  GrpcClientConnection,
} from "../grpc/index.ts";
import { BufferPool } from "../h2/index.ts";
import { DeadlineWatch, writeOutput } from "../net/index.ts";
import { CODE } from "../proto/index.ts";
import { PulledStream, UnaryEvents } from "./channel-calls.ts";
import type { Address } from "./endpoint.ts";
import { openSocket, peerOf, readError } from "./socket.ts";
import {
  type ByteStream,
  type CallOptions,
  type DialOptions,
  type Peer,
  StatusError,
  type Transport,
} from "./transport.ts";

/** How often deadlines are looked at, while there are any. */
const EXPIRE_MS = 10;
/** Servers close the connections of clients that ping often; grpc-go allows itself no less. */
const KEEP_ALIVE_MS_MIN = 10_000;
/** How often keepalive is looked at. */
const TICK_MS = 1000;
const USER_AGENT = "grpc-node-quord/1.0";

/**
 * Connects to a server and waits until it has introduced itself. Rejects with an error whose
 * message is the reason in grpc-go's words.
 */
export async function connectChannel(address: Address, options: DialOptions): Promise<Channel> {
  const socket = await openSocket(address, options.tls, options.timeoutMs);
  const channel = new Channel(socket, address, options);
  const timer = setTimeout(() => socket.destroy(), options.timeoutMs);
  try {
    await channel.settled();
    return channel;
  } finally {
    clearTimeout(timer);
  }
}

/** How long a connection may be silent before the server is asked whether it is there. */
export function keepAliveMs({ keepAliveMs }: Pick<DialOptions, "keepAliveMs">): number {
  return keepAliveMs > 0 ? Math.max(keepAliveMs, KEEP_ALIVE_MS_MIN) : Number.POSITIVE_INFINITY;
}

/** One connection to one server, and the calls on it. It is not mended: dial again. */
export class Channel implements Transport {
  readonly peer: Peer;
  readonly #socket: Socket;
  readonly #grpc: GrpcClientConnection;
  readonly #sendBytesMax: number;
  readonly #settled = Promise.withResolvers<void>();
  readonly #ticker: NodeJS.Timeout;
  readonly #deadlines: DeadlineWatch;
  #flushing = false;

  /** `socket` is connected. */
  constructor(socket: Socket, address: Address, options: DialOptions) {
    this.#socket = socket;
    this.#sendBytesMax = options.sendBytesMax;
    this.peer = peerOf(socket, options.tls !== undefined);
    this.#grpc = new GrpcClientConnection({
      authority: address.serverName,
      secure: options.tls !== undefined,
      userAgent: USER_AGENT,
      messageBytesMax: options.receiveBytesMax,
      pool: new BufferPool(),
      nowMs: performance.now(),
      keepalive: {
        intervalMs: keepAliveMs(options),
        timeoutMs: options.keepAliveTimeoutMs,
        withoutStreams: false,
      },
      wantsFlush: () => this.#flushSoon(),
      changed: () => this.#settled.resolve(),
    });
    this.#deadlines = new DeadlineWatch(this.#grpc, EXPIRE_MS);
    this.#ticker = setInterval(() => this.#grpc.tick(performance.now()), TICK_MS).unref();
    this.#listen();
    this.#flush();
  }

  /** Resolves when the server has introduced itself; rejects when it is gone before that. */
  settled(): Promise<void> {
    return this.#settled.promise;
  }

  get usable(): boolean {
    return this.#grpc.isUsable;
  }

  /** A call with callbacks, which are never called from within. */
  call(path: string, options: ClientCallOptions, events: ClientCallEvents): GrpcClientCall {
    const call = this.#grpc.call(path, options, events, performance.now());
    this.#deadlines.wake();
    return call;
  }

  /** One request, one response. */
  unary(
    path: string,
    request: Uint8Array,
    options: CallOptions & { signal?: AbortSignal | undefined },
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refuseSend(request);
      if (refusal !== undefined) return reject(refusal);
      const call = this.call(path, callOptions(options), new UnaryEvents(resolve, reject));
      call.sendLast(request);
      options.signal?.addEventListener("abort", () => call.cancel(), { once: true });
      if (options.signal?.aborted === true) call.cancel();
    });
  }

  stream(path: string, options: CallOptions): ByteStream {
    const stream = new PulledStream((message) => this.#refuseSend(message));
    stream.call = this.call(path, callOptions(options), stream);
    return stream;
  }

  /** Ends every call as Canceled, and the connection. */
  close(): void {
    this.#grpc.close();
    this.#flush();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("data", (chunk) => this.#grpc.receive(chunk, performance.now()));
    socket.on("drain", () => this.#flush());
    socket.on("end", () => this.#lost("EOF"));
    socket.on("error", (error) => this.#lost(readError(error, this.peer)));
    socket.on("close", () => this.#lost("EOF"));
  }

  #lost(reason: string): void {
    clearInterval(this.#ticker);
    this.#deadlines.stop();
    this.#settled.promise.catch(() => {});
    this.#settled.reject(new Error(`error reading server preface: ${reason}`));
    this.#grpc.abort(
      `connection error: desc = ${JSON.stringify(`error reading from server: ${reason}`)}`,
    );
    this.#socket.destroy();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    this.#grpc.openWaiting();
    writeOutput(this.#socket, this.#grpc);
    if (this.#grpc.closeReason !== undefined) this.#socket.end(() => this.#socket.destroy());
  }

  #refuseSend(message: Uint8Array): StatusError | undefined {
    if (message.length <= this.#sendBytesMax) return undefined;
    const text = `trying to send message larger than max (${message.length} vs. ${this.#sendBytesMax})`;
    return new StatusError(CODE.resourceExhausted, text);
  }
}

function callOptions(options: CallOptions): ClientCallOptions {
  return { metadata: Object.entries(options.metadata), timeoutMs: options.timeoutMs };
}
