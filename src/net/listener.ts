import type { Server as HttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { type Address, listenOn } from "./addresses.ts";

/** What a client sends first when it speaks HTTP/2 (RFC 9113 §3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Connections waiting to be accepted. */
const BACKLOG = 1024;
/** How often overdue connections are looked for, at least. */
const SWEEP_MS = 1000;

/** Which protocol a connection speaks: found out, or agreed upon in a TLS handshake (ALPN). */
export type Protocol = "unknown" | "h2" | "http/1.1";

export interface ListenerOptions {
  /**
   * An HTTP/2 connection and the bytes that have come; the preface is among them. `ready` is to
   * be called once the peer has introduced itself; without that the connection is closed.
   */
  readonly onHttp2: (socket: Socket, head: Buffer, ready: () => void) => void;
  /**
   * Gets the HTTP/1 connections; asked for when the first one comes. It need not listen anywhere
   * itself. Without: refused.
   */
  readonly http1?: (() => HttpServer) | undefined;
  /** From accepting a connection to its first complete request head or HTTP/2 settings. */
  readonly headTimeoutMs?: number;
  /** More connections than this are closed at once. */
  readonly connectionsMax?: number;
  /**
   * Wraps a raw connection (TLS): calls `admit` with the socket to use and the protocol agreed
   * upon. The deadline above runs meanwhile. Without: plain text.
   */
  readonly secure?: (raw: Socket, admit: (socket: Socket, protocol: Protocol) => void) => void;
  /** Errors of accepting, such as EMFILE. The listener goes on. */
  readonly onError?: (error: Error) => void;
}

/**
 * One port for two protocols: tells HTTP/2 by its preface and hands the rest to an HTTP/1 server.
 * Connections that do not say what they want in time are closed.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #headTimeoutMs: number;
  readonly #server: Server;
  /** Connections that have yet to say what they want, oldest first, and when they must. */
  readonly #pending = new Map<Socket, number>();
  readonly #sockets = new Set<Socket>();
  readonly #sweeper: NodeJS.Timeout;
  #http1: HttpServer | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.connectionsMax ?? 65_536;
    this.#server.on("error", (error) => options.onError?.(error));
    this.#headTimeoutMs = options.headTimeoutMs ?? 10_000;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, this.#headTimeoutMs));
    this.#sweeper.unref();
  }

  /** Begins to accept. Rejects when the address cannot be had. */
  listen(address: Address): Promise<void> {
    return listenOn(this.#server, address, BACKLOG);
  }

  /** The port in use; of interest when port 0 was asked for. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Accepts no more. Connections stay. */
  stop(): void {
    this.#server.close();
  }

  /** Accepts no more and ends every connection. */
  close(): void {
    this.stop();
    clearInterval(this.#sweeper);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets an HTTP server that does not listen itself keep its own time limits (see Node's docs). */
  #adopt(http1: HttpServer): HttpServer {
    http1.emit("listening");
    http1.on("request", (request) => this.#pending.delete(request.socket));
    http1.on("upgrade", (request) => this.#pending.delete(request.socket));
    return http1;
  }

  #accept(raw: Socket): void {
    this.#sockets.add(raw);
    raw.on("close", () => {
      this.#sockets.delete(raw);
      this.#pending.delete(raw);
    });
    // Without a listener an error of one connection would end the process.
    raw.on("error", () => raw.destroy());
    this.#pending.set(raw, performance.now() + this.#headTimeoutMs);
    if (this.#options.secure === undefined) this.#sniff(raw);
    else this.#options.secure(raw, (socket, protocol) => this.#admit(raw, socket, protocol));
  }

  #admit(raw: Socket, socket: Socket, protocol: Protocol): void {
    const deadline = this.#pending.get(raw);
    this.#pending.delete(raw);
    if (deadline === undefined) return;
    this.#pending.set(socket, deadline);
    socket.on("close", () => this.#pending.delete(socket));
    socket.on("error", () => socket.destroy());
    if (protocol === "h2") this.#toHttp2(socket, Buffer.alloc(0));
    else if (protocol === "http/1.1") this.#toHttp1(socket, Buffer.alloc(0));
    else this.#sniff(socket);
  }

  #sniff(socket: Socket): void {
    let head: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const length = Math.min(head.length, PREFACE.length);
      const matches = head.compare(PREFACE, 0, length, 0, length) === 0;
      if (matches && length < PREFACE.length) return;
      socket.removeListener("data", onData);
      if (matches) this.#toHttp2(socket, head);
      // A preface gone wrong: Node's HTTP/1 parser would wait for more of it for ever.
      else if (head.toString("latin1", 0, 4) === "PRI ") socket.destroy();
      else this.#toHttp1(socket, head);
    };
    socket.on("data", onData);
  }

  #toHttp2(socket: Socket, head: Buffer): void {
    this.#options.onHttp2(socket, head, () => this.#pending.delete(socket));
  }

  #toHttp1(socket: Socket, head: Buffer): void {
    const { http1 } = this.#options;
    if (http1 === undefined) {
      socket.destroy();
      return;
    }
    this.#http1 ??= this.#adopt(http1());
    socket.pause();
    if (head.length > 0) socket.unshift(head);
    this.#http1.emit("connection", socket);
    socket.resume();
  }

  #sweep(): void {
    const now = performance.now();
    for (const [socket, deadline] of this.#pending) {
      if (deadline > now) return;
      // Whoever wraps connections has to say why one came to nothing.
      socket.destroy(this.#options.secure === undefined ? undefined : new Error("i/o timeout"));
    }
  }
}
