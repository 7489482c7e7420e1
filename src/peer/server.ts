import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { escapeHtml, redirection } from "../net/index.ts";
import * as own from "./endpoints.ts";
import { reasonOf } from "./local.ts";
import * as raft from "./raft-endpoints.ts";
import { refuse, respond } from "./replies.ts";
import type { Transport } from "./transport.ts";

/** etcd's default for `--raft-read-timeout`. */
const READ_TIMEOUT_MS = 5000;
/** For a whole request (etcd: `ReadTimeout`); the upload of a snapshot has no such bound here. */
const REQUEST_TIMEOUT_MS = 0;
const DRAIN_MS = 500;
const HEAD_BYTES_MAX = 1024 * 1024;

type Handler = (
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => Promise<void> | void;

const PATHS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["/raft", raft.pipeline],
  ["/raft/snapshot", raft.snapshot],
  ["/raft/probing", raft.probing],
  ["/members", own.members],
  ["/members/hashkv", own.hashKv],
  ["/leases", own.leases],
  ["/leases/internal", own.leases],
  ["/downgrade/enabled", own.downgradeEnabled],
  ["/version", own.version],
]);

const FOLDERS: readonly (readonly [string, Handler])[] = [
  ["/raft/stream/", raft.stream],
  ["/members/promote/", own.promote],
];

/**
 * The HTTP server for peers. It does not listen itself: connections are handed in. Requests wait
 * for the transport, so that a port may be open before the member is. But founders ask each other
 * whether one of them is a member already: who is `unborn` says at once that it knows of none.
 */
export function createPeerServer(
  transport: Promise<Transport>,
  unborn: Promise<void> = new Promise(() => {}),
  readTimeoutMs = READ_TIMEOUT_MS,
): Server {
  const { createServer } = process.getBuiltinModule("node:http");
  const options = { maxHeaderSize: HEAD_BYTES_MAX, noDelay: true };
  const server = createServer(options, (request, response) => {
    const first = request.url === "/members" ? Promise.race([transport, unborn]) : transport;
    void first.then((ready) => {
      if (ready !== undefined) return serve(ready, request, response);
      return respond(response, 503, {}, "the member is not in a cluster yet\n");
    });
  });
  // Between two requests of a connection.
  server.keepAliveTimeout = readTimeoutMs;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

async function serve(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on("error", () => {});
  request.on("error", () => {});
  try {
    await route(transport, request, response);
  } catch (error) {
    // etcd's handler would have panicked, which closes the connection without an answer.
    const fields = { path: request.url, error: reasonOf(error) };
    transport.local.lines.warn("closed the connection of a peer's request", fields);
    request.socket.destroy();
  }
  if (!request.complete) drain(request);
}

/** A peer that is answered early may still write for a while, so that it gets to the answer. */
function drain(request: IncomingMessage): void {
  request.removeAllListeners("data");
  request.resume();
  const end = (): void => {
    if (!request.complete) request.socket.destroy();
  };
  setTimeout(end, DRAIN_MS).unref();
}

function route(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> | void {
  const target = request.url ?? "/";
  if (target === "*") {
    if (request.method === "OPTIONS") return respond(response, 200, {}, "");
    return respond(response, 400, { Connection: "close" }, "");
  }
  const [rawPath = "", query] = target.replace(/^https?:\/\/[^/?]*/i, "").split(/\?(.*)/s);
  const path = decoded(rawPath);
  if (path === undefined) {
    const fields = { "Content-Type": "text/plain; charset=utf-8", Connection: "close" };
    return respond(response, 400, fields, "400 Bad Request");
  }
  const folders = FOLDERS.map(([folder]) => folder);
  const elsewhere = redirection(path, folders);
  if (elsewhere !== undefined) return redirect(request, response, elsewhere, query);
  const handler =
    PATHS.get(path) ?? FOLDERS.find(([folder]) => path.startsWith(folder))?.[1] ?? notFound;
  return handler(transport, request, response, path);
}

const notFound: Handler = (_transport, _request, response) =>
  refuse(response, 404, "404 page not found");

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function redirect(
  { method }: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: string | undefined,
): void {
  const location = encodeURI(path) + (query === undefined ? "" : `?${query}`);
  const isRead = method === "GET" || method === "HEAD";
  const fields = {
    Location: location,
    ...(isRead ? { "Content-Type": "text/html; charset=utf-8" } : {}),
  };
  const body = `<a href="${escapeHtml(location)}">Temporary Redirect</a>.\n\n`;
  respond(response, 307, fields, method === "GET" ? body : method === "HEAD" ? undefined : "");
}
