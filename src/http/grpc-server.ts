import type { Socket } from "node:net";
import { BufferPool, type KeepaliveOptions, type PingPolicy } from "../h2/index.ts";
import {
  type CallHandler,
  GrpcServerConnection,
  GrpcService,
  type MethodStats,
  type PlainHandler,
} from "../grpc/index.ts";
import { DeadlineWatch, writeOutput } from "../net/index.ts";
import { gzip } from "./gzip.ts";

/** How often deadlines are looked at, while there are any. */
const EXPIRE_MS = 20;
/**
 * How long acknowledged pings wait for replies to leave with them. Go's clients ping after almost
 * every reply, to measure the line: as writes of their own these cost both sides a lot of CPU time.
 */
const PONG_MS = 10;
/** How often keepalive and drain are looked at. */
const TICK_MS = 1000;
/** How long a peer may take to read the last bytes of a closed connection. */
const LINGER_MS = 1000;

export interface GrpcServerOptions {
  /** Every path that is served, as `/etcdserverpb.KV/Put`. */
  readonly methods: ReadonlySet<string>;
  /** Where the calls of each method are counted. */
  readonly stats?: ReadonlyMap<string, MethodStats>;
  readonly onCall: CallHandler;
  /** HTTP/2 requests that are not gRPC. Without: refused with 415. */
  readonly onPlain?: PlainHandler;
  /** Largest request message; etcd's `--max-request-bytes` + 512 KiB. */
  readonly messageBytesMax?: number;
  /** Calls open at a time on one connection. */
  readonly streamsMax?: number;
  readonly keepalive?: KeepaliveOptions;
  readonly pingPolicy?: PingPolicy;
  /** An exception escaped from the application; the connection it was serving is closed. */
  readonly onError?: (error: unknown) => void;
}

const DEFAULTS = {
  messageBytesMax: 2_097_152,
  keepalive: { intervalMs: 7_200_000, timeoutMs: 20_000, withoutStreams: true },
  pingPolicy: { intervalMsMin: 5000, withoutStreams: false },
} as const;

/**
 * Serves gRPC on sockets that are known to speak HTTP/2. Replies gather for each connection and
 * are written together: when all that a read has brought is dealt with, when the turn of the event
 * loop ends, or when the application, having settled a batch of calls, calls `flushAll`.
 */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #service: GrpcService;
  readonly #pool = new BufferPool();
  readonly #connections = new Set<SocketConnection>();
  readonly #ticker: NodeJS.Timeout;
  readonly #deadlines: DeadlineWatch;
  #dirty: SocketConnection[] = [];
  /** Connections with nothing but acknowledged pings to send. */
  readonly #waiting = new Set<SocketConnection>();
  #onEmpty: () => void = () => {};
  /** Bytes of HTTP/2 that came in and went out. */
  receivedBytes = 0;
  sentBytes = 0;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#service = new GrpcService({
      methods: options.methods,
      stats: options.stats,
      onCall: options.onCall,
      onPlain: options.onPlain,
      messageBytesMax: options.messageBytesMax ?? DEFAULTS.messageBytesMax,
      gzip,
      nowMs: performance.now(),
    });
    this.#deadlines = new DeadlineWatch(this.#service, EXPIRE_MS);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  get connections(): number {
    return this.#connections.size;
  }

  get openCalls(): number {
    let calls = 0;
    for (const connection of this.#connections) calls += connection.grpc.openCalls;
    return calls;
  }

  /** Takes over a socket. `head` is what it has sent so far; `ready`: it speaks HTTP/2 indeed. */
  accept(socket: Socket, head: Uint8Array, ready: () => void = () => {}): void {
    const connection = new SocketConnection(socket, this, this.#settings(), ready);
    this.#connections.add(connection);
    connection.start(head);
  }

  /** Writes what has gathered on all connections, now. */
  flushAll(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
  }

  flushLater(connection: SocketConnection): void {
    if (this.#waiting.size === 0) setTimeout(() => this.#flushWaiting(), PONG_MS);
    this.#waiting.add(connection);
  }

  flushSoon(connection: SocketConnection): void {
    if (this.#dirty.push(connection) === 1) setImmediate(() => this.flushAll());
  }

  /**
   * Stops gently: clients are told to go, open calls may finish for `graceMs`, then all is closed.
   */
  async drain(graceMs: number): Promise<void> {
    for (const connection of this.#connections) connection.grpc.drain();
    this.flushAll();
    if (this.#connections.size > 0) await this.#emptied(graceMs);
    this.close();
  }

  /** Ends every connection at once. */
  close(): void {
    clearInterval(this.#ticker);
    this.#deadlines.stop();
    for (const connection of this.#connections) connection.close();
  }

  // --- For the connections -----------------------------------------------------------------------

  gone(connection: SocketConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty();
  }

  failed(error: unknown): void {
    this.#options.onError?.(error);
  }

  /** Calls may have come. */
  received(bytes: number): void {
    this.receivedBytes += bytes;
    this.#deadlines.wake();
  }

  /** Resolves when no connection is left, or after `timeoutMs`. */
  #emptied(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #settings(): ConnectionSettings {
    const { keepalive, pingPolicy, streamsMax } = this.#options;
    return {
      service: this.#service,
      pool: this.#pool,
      nowMs: performance.now(),
      keepalive: keepalive ?? DEFAULTS.keepalive,
      pingPolicy: pingPolicy ?? DEFAULTS.pingPolicy,
      streamsMax: streamsMax ?? Number.POSITIVE_INFINITY,
    };
  }

  #flushWaiting(): void {
    for (const connection of this.#waiting) connection.flush();
    this.#waiting.clear();
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}

type ConnectionSettings = Omit<ConstructorParameters<typeof GrpcServerConnection>[0], "wantsFlush">;

/** Joins one socket and one connection of the pure kind. */
class SocketConnection {
  readonly grpc: GrpcServerConnection;
  readonly #socket: Socket;
  readonly #server: GrpcServer;
  #ready: (() => void) | undefined;
  #ended = false;
  /** Whatever is answered at once is flushed in one go when a chunk has been dealt with. */
  #receiving = false;

  constructor(socket: Socket, server: GrpcServer, settings: ConnectionSettings, ready: () => void) {
    this.#socket = socket;
    this.#server = server;
    this.#ready = ready;
    this.grpc = new GrpcServerConnection({
      ...settings,
      wantsFlush: () => {
        if (!this.#receiving) server.flushSoon(this);
      },
    });
  }

  start(head: Uint8Array): void {
    const socket = this.#socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("drain", () => this.flush());
    socket.on("end", () => this.#abort("connection ended"));
    socket.on("error", (error) => this.#abort(error.message));
    socket.on("close", () => {
      this.#abort("connection closed");
      this.#server.gone(this);
    });
    this.#receive(head);
  }

  /** Hands the output to the socket, in as few writes as the socket's own bound permits. */
  flush(): void {
    this.#server.sentBytes += writeOutput(this.#socket, this.grpc);
    if (this.grpc.closeReason !== undefined) this.#end();
  }

  tick(nowMs: number): void {
    this.#contained(() => this.grpc.tick(nowMs));
  }

  close(): void {
    this.grpc.close("");
    this.flush();
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    this.#receiving = true;
    this.#contained(() => this.grpc.receive(chunk, performance.now()));
    this.#receiving = false;
    this.#server.received(chunk.length);
    if (this.grpc.hasOutput && this.grpc.canWait) this.#server.flushLater(this);
    else this.flush();
    if (this.#ready !== undefined && this.grpc.isSettled) {
      this.#ready();
      this.#ready = undefined;
    }
  }

  /** The connection is over: lets the last bytes leave, then closes whatever the peer does. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #abort(text: string): void {
    this.#contained(() => this.grpc.abort(text));
    this.#socket.destroy();
  }

  #contained(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A fault of the program in one connection must not end the others. */
  #fail(error: unknown): void {
    this.#server.failed(error);
    this.#socket.destroy();
  }
}
