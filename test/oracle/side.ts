/** One of the two servers under comparison, and everything that belongs to it alone. */
import { Agent, type IncomingMessage, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Maintenance, type StatusResponse } from "../lib/api.ts";
import type { Kind } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { FastUnary } from "./fast-unary.ts";
import type { Maker, Server } from "./server.ts";

/** An answer of the JSON gateway or of a plain HTTP endpoint. */
export interface HttpAnswer {
  readonly status: number;
  /** The header fields that do not belong to the connection. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

/** When, and how the body is framed and the connection kept, is each server's own affair. */
const CONNECTION_FIELDS = new Set([
  "date",
  "connection",
  "keep-alive",
  "content-length",
  "transfer-encoding",
]);

export interface HttpOptions {
  /** The body: in one chunk it has a Content-Length, in more it is sent chunked. */
  readonly chunks?: readonly string[];
  /** Ends a stream of lines early, by looking at what has come so far. */
  readonly until?: ((soFar: string) => boolean) | undefined;
  readonly fields?: Readonly<Record<string, string>>;
}

export class Side {
  readonly kind: Kind;
  readonly #server: Server;
  #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  /** For streams. */
  client!: Client;
  /** For everything else. */
  fast!: FastUnary;
  /** Lease ids that the server chose: the stand-in that requests use, and the real one. */
  readonly #real = new Map<bigint, bigint>();
  readonly #standIn = new Map<bigint, bigint>();

  private constructor(kind: Kind, server: Server) {
    this.kind = kind;
    this.#server = server;
  }

  static async start(kind: Kind, make: Maker, flags: readonly string[] = []): Promise<Side> {
    const side = new Side(kind, await make(kind, flags));
    await side.#connect();
    return side;
  }

  async #connect(): Promise<void> {
    this.client = new Client(this.endpoint);
    this.fast = new FastUnary(this.endpoint);
    await this.#settled();
  }

  /** Waits for what a new member does for itself: etcd decides the version of its storage late. */
  async #settled(): Promise<void> {
    const isNew = ({ storageVersion }: StatusResponse) => /^3\.[0-6]|^$/.test(storageVersion);
    for (let tries = 0; tries < 100; tries++) {
      if (!isNew(await this.client.call(Maintenance.method.status, {}))) return;
      await sleep(100);
    }
  }

  async restart(): Promise<void> {
    this.#disconnect();
    await this.#server.stop();
    await this.#server.start();
    await this.#connect();
  }

  async stop(): Promise<void> {
    this.#disconnect();
    await this.#server.close();
  }

  #disconnect(): void {
    this.client.close();
    this.fast.close();
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 8 });
  }

  alive(): boolean {
    return this.#server.alive();
  }

  log(): string {
    return this.#server.log();
  }

  learnLease(standIn: bigint, real: bigint): void {
    this.#real.set(standIn, real);
    this.#standIn.set(real, standIn);
  }

  /** The id to send for one that a request names. */
  realLease(id: bigint): bigint {
    return this.#real.get(id) ?? id;
  }

  /** The id to compare for one that an answer names. */
  comparedLease(id: bigint): bigint {
    return this.#standIn.get(id) ?? id;
  }

  /** host:port. */
  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** One HTTP/1.1 request, on a connection that is kept for the next. */
  http(method: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
    const { chunks = [""], until, fields = {} } = options;
    const length =
      chunks.length > 1 ? {} : { "content-length": Buffer.byteLength(chunks[0] ?? "") };
    const [host, port] = this.endpoint.split(":");
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        agent: this.#agent,
        host,
        port,
        method,
        path,
        headers: { "content-type": "application/json", ...length, ...fields },
        timeout: 20_000,
      });
      request.on("timeout", () => request.destroy(new Error(`${path}: no answer in 20 s`)));
      request.on("error", reject);
      request.on("response", (response) => {
        let text = "";
        const done = () => resolve(answerOf(response, text));
        response.setEncoding("utf8");
        response.on("data", (chunk) => {
          text += chunk;
          if (until?.(text)) {
            done();
            request.destroy();
          }
        });
        response.on("end", done);
        response.on("error", reject);
      });
      for (const chunk of chunks) if (chunk !== "") request.write(chunk);
      request.end();
    });
  }
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, body: string): HttpAnswer {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!CONNECTION_FIELDS.has(name)) fields[name] = String(value);
  }
  return { status: statusCode, fields, body };
}
