import assert from "node:assert/strict";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { encodeMessage, type Init, type Schema } from "../proto/index.ts";
import { main } from "./main.ts";

/** What a server answers to one call: messages, then a status. */
export interface Canned {
  readonly messages?: readonly Uint8Array[];
  readonly code?: number;
  readonly message?: string;
  /** Does not wait for the end of the request: it is a stream. */
  readonly isAtOnce?: true;
}

export function reply<T>(schema: Schema<T>, ...messages: readonly Init<T>[]): Canned {
  return { messages: messages.map((message) => encodeMessage(schema, message)) };
}

/** A gRPC server that gives prepared answers and remembers what it was asked. */
export class CannedServer {
  /** Encoded requests by path, in order. */
  readonly requests: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  readonly #server: Http2Server;
  readonly #answers: Readonly<Record<string, Canned>>;

  private constructor(answers: Readonly<Record<string, Canned>>) {
    this.#answers = answers;
    this.#server = createServer();
    this.#server.on("stream", (stream, headers) => this.#serve(stream, String(headers[":path"])));
  }

  static async start(answers: Readonly<Record<string, Canned>>): Promise<CannedServer> {
    const server = new CannedServer(answers);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
  }

  #serve(stream: ServerHttp2Stream, path: string): void {
    const chunks: Buffer[] = [];
    const canned = this.#answers[path] ?? { code: 12, message: "not canned" };
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once(canned.isAtOnce === true ? "data" : "end", () => {
      this.requests.push({ path, bytes: Buffer.concat(chunks).subarray(5) });
      this.#answer(stream, canned);
    });
  }

  #answer(stream: ServerHttp2Stream, { messages = [], code = 0, message = "" }: Canned): void {
    const headers = { ":status": 200, "content-type": "application/grpc" };
    stream.respond(headers, { waitForTrailers: true });
    stream.on("wantTrailers", () => {
      stream.sendTrailers({ "grpc-status": String(code), "grpc-message": encodeURI(message) });
    });
    for (const bytes of messages) {
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(bytes.length, 1);
      stream.write(Buffer.concat([frame, bytes]));
    }
    stream.end();
  }
}

/** A command line, the status it ends with, and the error behind `Error: `. */
export type Refusal = readonly [line: string, status: number, error: string];

/** Each line must end so, and write nothing else to its errors. */
export async function assertRefused(
  ctl: (line: string) => Promise<Run>,
  refusals: readonly Refusal[],
): Promise<void> {
  for (const [line, status, error] of refusals) {
    const run = await ctl(line);
    assert.deepEqual([run.status, run.err], [status, `Error: ${error}\n`], line);
  }
}

/** Each line must succeed, with this output and no errors. */
export async function assertShown(
  ctl: (line: string) => Promise<Run>,
  outputs: readonly (readonly [line: string, out: string])[],
): Promise<void> {
  for (const [line, out] of outputs) {
    const run = await ctl(line);
    assert.deepEqual([run.status, run.out.toString(), run.err], [0, out, ""], line);
  }
}

export interface Run {
  readonly status: number;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs the program with an environment and a standard input of its own. */
export async function runCtl(
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly stdin?: string | Uint8Array } = {},
): Promise<Run> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const stdin = Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]);
  const status = await main(argv, options.env ?? {}, { stdin, stdout, stderr });
  const out = (stdout.read() as Buffer | null) ?? Buffer.alloc(0);
  return { status, out, err: String(stderr.read() ?? "") };
}
