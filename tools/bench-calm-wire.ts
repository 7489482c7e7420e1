/** A client of bytes for load: quord's own gRPC connection, the same against both servers. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  Code,
  type ClientCallEvents,
  GrpcClientConnection,
  type GrpcStatus,
} from "../src/grpc/index.ts";
import { BufferPool } from "../src/h2/index.ts";
import { writeOutput } from "../src/net/index.ts";

/** Replies of a whole store in one message. */
const MESSAGE_BYTES_MAX = 2 ** 31 - 1;
const NO_KEEPALIVE = { intervalMs: 7_200_000, timeoutMs: 20_000, withoutStreams: false };
const pool = new BufferPool();

/** The call ended otherwise than well. */
export class CallError extends Error {
  readonly code: number;
  constructor(path: string, { code, message }: GrpcStatus) {
    super(`${path}: code ${code}: ${message}`);
    this.code = code;
  }
}

/** A call that stays open. */
export interface OpenCall {
  send(message: Uint8Array): void;
  /** Resolves with the status. */
  readonly ended: Promise<GrpcStatus>;
  cancel(): void;
}

/** One connection to one server. */
export class Wire {
  readonly #socket: Socket;
  readonly #grpc: GrpcClientConnection;

  private constructor(socket: Socket, authority: string) {
    this.#socket = socket;
    this.#grpc = new GrpcClientConnection({
      pool,
      nowMs: performance.now(),
      keepalive: NO_KEEPALIVE,
      authority,
      secure: false,
      userAgent: "bench",
      messageBytesMax: MESSAGE_BYTES_MAX,
      wantsFlush: () => setImmediate(() => this.#flush()),
      changed: () => {},
    });
    socket.on("data", (chunk) => {
      this.#grpc.receive(chunk, performance.now());
      this.#flush();
    });
    socket.on("drain", () => this.#flush());
    socket.on("error", (error) => this.#grpc.abort(error.message));
    socket.on("close", () => this.#grpc.abort("connection closed"));
    this.#flush();
  }

  /** Connects to host:port on this machine. */
  static async connect(endpoint: string): Promise<Wire> {
    const [host = "", port = ""] = endpoint.split(":");
    const socket = connect({ host, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new Wire(socket, endpoint);
  }

  /** A unary call. Rejects with CallError. The reply is the caller's. */
  unary(path: string, request: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      let reply: Uint8Array = new Uint8Array(0);
      const call = this.#call(path, {
        onMessage: (message) => (reply = message.slice()),
        onEnd: (status) =>
          status.code === Code.ok ? resolve(reply) : reject(new CallError(path, status)),
      });
      call.sendLast(request, "owned");
      this.#flush();
    });
  }

  /** A call whose messages go to `receive` as they come, valid until it returns. */
  stream(
    path: string,
    receive: (message: Uint8Array) => void,
    options: { readonly last?: Uint8Array } = {},
  ): OpenCall {
    const { promise, resolve } = Promise.withResolvers<GrpcStatus>();
    const call = this.#call(path, { onMessage: receive, onEnd: resolve });
    if (options.last !== undefined) call.sendLast(options.last, "owned");
    this.#flush();
    return {
      send: (message) => {
        call.send(message);
        this.#flush();
      },
      ended: promise,
      cancel: () => {
        call.cancel();
        this.#flush();
      },
    };
  }

  /** Stops reading from the socket, so that the server's writes fill up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #call(path: string, events: ClientCallEvents) {
    return this.#grpc.call(path, {}, events, performance.now());
  }

  #flush(): void {
    this.#grpc.openWaiting();
    writeOutput(this.#socket, this.#grpc);
  }
}
