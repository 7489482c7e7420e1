import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import {
  dialTimeout,
  type Identity,
  open,
  readyEvent,
  TCP_KEEP_ALIVE_MS,
  type Target,
  targetOf,
} from "./dial.ts";

export interface Call {
  /** Of the peer; the path takes the place of its own. */
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Without: a connection of its own. */
  readonly agent?: Agent | undefined;
  /** For URLs of TLS. */
  readonly identity?: Identity | undefined;
  readonly dialTimeoutMs: number;
  /** From begin to end. */
  readonly timeoutMs: number;
  /** A longer answer is an error. */
  readonly bytesMax?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Reply {
  readonly status: number;
  readonly statusText: string;
  field(name: string): string | undefined;
  readonly body: Uint8Array;
}

const REPLY_BYTES_MAX = 64 * 1024 * 1024;

/** Connections to one peer that are kept for the next request. */
export function newAgent(identity: Identity | undefined): Agent {
  const { Agent } = process.getBuiltinModule("node:http");
  const agent = new Agent({ keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS });
  const connect = ({ target }: { readonly target?: Target }) => open(target!, identity);
  return Object.assign(agent, { createConnection: connect });
}

/**
 * One request over HTTP/1.1. Rejects when there is no answer, in time. A kept connection that the
 * peer closes just then is replaced: all our requests may be repeated.
 */
export async function call(options: Call): Promise<Reply> {
  try {
    return await attempt(options);
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
    return attempt({ ...options, agent: undefined });
  }
}

class StaleConnection extends Error {}

function attempt(options: Call): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  let request: ClientRequest;
  try {
    request = begin(options);
  } catch (error) {
    return Promise.reject(error);
  }
  const timer = setTimeout(() => request.destroy(new Error("i/o timeout")), options.timeoutMs);
  timer.unref();
  request.on("error", (error) => {
    clearTimeout(timer);
    const isStale = request.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
    reject(isStale ? new StaleConnection() : error);
  });
  request.on("response", (response) => {
    readReply(response, options.bytesMax ?? REPLY_BYTES_MAX, (reply) => {
      clearTimeout(timer);
      if (reply instanceof Error) reject(reply);
      else resolve(reply);
    });
  });
  request.end(options.body);
  return promise;
}

/** A request whose body the caller writes. Its errors are the caller's, too. */
export function begin(options: Omit<Call, "timeoutMs">): ClientRequest {
  const { request: openRequest } = process.getBuiltinModule("node:http");
  const target = targetOf(options.url);
  const { connect, host } = target;
  const where: RequestOptions = "path" in connect ? { socketPath: connect.path } : connect;
  const own = { createConnection: () => open(target, options.identity) };
  const request = openRequest({
    ...where,
    ...(options.agent === undefined ? own : { agent: options.agent, target }),
    method: options.method,
    path: options.path,
    headers: { Host: host, ...lengthField(options.body), ...options.fields },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  request.on("socket", (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => request.destroy(dialTimeout(target)), options.dialTimeoutMs);
    socket.once(readyEvent(socket), () => {
      clearTimeout(timer);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    });
    socket.once("close", () => clearTimeout(timer));
  });
  return request;
}

function lengthField(body: Uint8Array | undefined): Record<string, string> {
  return body === undefined ? {} : { "Content-Length": String(body.length) };
}

/** Reads a response to its end. */
export function readReply(
  response: IncomingMessage,
  bytesMax: number,
  done: (reply: Reply | Error) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on("data", (chunk: Buffer) => {
    length += chunk.length;
    chunks.push(chunk);
    if (length <= bytesMax) return;
    response.destroy();
    done(new Error(`response body exceeds ${bytesMax} bytes limit`));
  });
  response.on("error", done);
  response.on("end", () => {
    const { statusCode = 0, statusMessage = "", headers } = response;
    done({
      status: statusCode,
      statusText: statusMessage,
      field: (name) => headers[name]?.toString(),
      body: Buffer.concat(chunks),
    });
  });
}
