import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Duplex } from "node:stream";
import { Http1Exchange, Http1Head } from "./exchange.ts";
import type { Web } from "./web.ts";
import { WebSocketExchange } from "./web-socket.ts";

/** Idle connections of clients' pools stay open: closing one would race with its next request. */
const KEEP_ALIVE_MS = 0;
/** All fields of a request together. */
const HEAD_BYTES_MAX = 64 * 1024;

/** Node 24.9 and later ask first; the types do not know it yet. */
interface Options extends ServerOptions {
  readonly shouldUpgradeCallback: (request: IncomingMessage) => boolean;
}

/** The HTTP/1.1 half of a port. It does not listen itself: connections are handed in. */
export function createHttp1Server(web: Web, onError: (error: unknown) => void): Server {
  // Loaded when the first HTTP/1 connection comes.
  const { createServer, ServerResponse } = process.getBuiltinModule("node:http");
  const options: Options = {
    maxHeaderSize: HEAD_BYTES_MAX,
    shouldUpgradeCallback: (request) => web.upgrade(new Http1Head(request)) !== undefined,
  };
  const server = createServer(options, (request, response) => {
    try {
      web.serve(new Http1Exchange(request, response));
    } catch (error) {
      onError(error);
      response.destroy();
    }
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, first: Buffer) => {
    const head = new Http1Head(request);
    const handshake = web.upgrade(head);
    if (handshake !== undefined) {
      const exchange = new WebSocketExchange(head, socket, handshake);
      web.serveSocket(exchange);
      exchange.start(first);
      return;
    }
    // An older Node brings every request with an Upgrade field here. Most want plain HTTP as well.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.on("finish", () => socket.end());
    web.serve(new Http1Exchange(request, response));
  });
  return server;
}
