/** One of the two servers under comparison, and everything that belongs to it alone. */
import { Agent, type IncomingMessage, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Maintenance, type StatusResponse } from "../lib/api.ts";
import type { Kind } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { FastUnary } from "./fast-unary.ts";
import { freePort, startMember, type Member, type Ports } from "../lib/processes.ts";

/** Both servers say that they live here, so that their cluster and member ids come out equal. */
const ADVERTISED: Ports = { client: 2379, peer: 2380 };

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
  readonly #dir: string;
  readonly #ports: Ports;
  #member!: Member;
  #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  /** For streams. */
  client!: Client;
  /** For everything else. */
  fast!: FastUnary;
  /** Lease ids that the server chose: the stand-in that requests use, and the real one. */
  readonly #real = new Map<bigint, bigint>();
  readonly #standIn = new Map<bigint, bigint>();

  readonly #flags: readonly string[];

  private constructor(kind: Kind, dir: string, ports: Ports, flags: readonly string[]) {
    this.kind = kind;
    this.#dir = dir;
    this.#ports = ports;
    // Whether etcd reaches the disk is not the question here, and it waits for it every time.
    this.#flags = kind === "etcd" ? ["--unsafe-no-fsync", ...flags] : flags;
  }

  static async start(kind: Kind, dir: string, flags: readonly string[] = []): Promise<Side> {
    const ports = { client: await freePort(), peer: await freePort() };
    const side = new Side(kind, dir, ports, flags);
    await side.#start();
    return side;
  }

  async #start(): Promise<void> {
    this.#member = await startMember(this.kind, {
      dir: this.#dir,
      ports: this.#ports,
      advertised: ADVERTISED,
      flags: this.#flags,
    });
    this.client = new Client(this.#member.endpoint);
    this.fast = new FastUnary(this.#member.endpoint);
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
    await this.stop();
    await this.#start();
  }

  async stop(): Promise<void> {
    this.client.close();
    this.fast.close();
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 8 });
    await this.#member.stop();
  }

  alive(): boolean {
    return this.#member.alive();
  }

  log(): string {
    return this.#member.log();
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
    return this.#member.endpoint;
  }

  /** One HTTP/1.1 request, on a connection that is kept for the next. */
  http(method: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
    const { chunks = [""], until, fields = {} } = options;
    const length =
      chunks.length > 1 ? {} : { "content-length": Buffer.byteLength(chunks[0] ?? "") };
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        agent: this.#agent,
        host: "127.0.0.1",
        port: this.#ports.client,
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
