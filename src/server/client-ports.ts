import type { Server as HttpServer } from "node:http";
import { createHttp1Server, type GrpcServer, Web, type WebOptions } from "../http/index.ts";
import { Listener, parseAddress } from "../net/index.ts";
import type { Logger } from "../observe/index.ts";

export interface PortsOptions {
  readonly grpc: GrpcServer;
  /** What HTTP serves for clients, and on ports for metrics alone. */
  readonly web: Web;
  readonly metricsWeb: WebOptions;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
}

export interface ClientUrls {
  readonly listenClientUrls: readonly URL[];
  readonly listenClientHttpUrls: readonly URL[];
}

/** The ports for clients and for metrics. */
export class ClientPorts {
  readonly #options: PortsOptions;
  readonly #listeners: Listener[] = [];
  readonly #servers: HttpServer[] = [];

  constructor(options: PortsOptions) {
    this.#options = options;
  }

  /** gRPC and HTTP on the same ports; where HTTP has some of its own, gRPC has the others. */
  async listenForClients({ listenClientUrls, listenClientHttpUrls }: ClientUrls): Promise<void> {
    const both = listenClientHttpUrls.find((url) => listenClientUrls.some(isAt(url)));
    if (both !== undefined) {
      throw new Error(
        "cannot bind both --listen-client-urls and --listen-client-http-urls on the same url " +
          addressOf(both),
      );
    }
    const http1 = this.#http1(this.#options.web);
    const isSplit = listenClientHttpUrls.length > 0;
    for (const url of distinct(listenClientUrls)) {
      await this.#listen(url, { isGrpc: true, http1: isSplit ? undefined : http1 });
      this.#log(INSECURELY, url, isSplit ? "grpc" : "grpc+http");
    }
    for (const url of distinct(listenClientHttpUrls)) {
      await this.#listen(url, { isGrpc: false, http1 });
      this.#log(INSECURELY, url, "http");
    }
  }

  async listenForMetrics(urls: readonly URL[]): Promise<void> {
    if (urls.length === 0) return;
    const http1 = this.#http1(new Web(this.#options.metricsWeb));
    for (const url of distinct(urls)) {
      await this.#listen(url, { isGrpc: false, http1 });
      this.#options.logger.info("serving metrics", { address: url.href.replace(/\/$/, "") });
    }
  }

  /** Accepts no more. */
  stop(): void {
    for (const listener of this.#listeners) listener.stop();
  }

  /** Ends every connection. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const server of this.#servers) server.closeAllConnections();
  }

  /** One server for all ports that serve the same, made when the first connection comes. */
  #http1(web: Web): () => HttpServer {
    let server: HttpServer | undefined;
    return () => {
      if (server === undefined) {
        server = createHttp1Server(web, this.#options.onError);
        this.#servers.push(server);
      }
      return server;
    };
  }

  async #listen(
    url: URL,
    serves: { isGrpc: boolean; http1: (() => HttpServer) | undefined },
  ): Promise<void> {
    const { grpc, logger } = this.#options;
    const listener = new Listener({
      onHttp2: (socket, head, ready) => {
        if (serves.isGrpc) grpc.accept(socket, head, ready);
        else socket.destroy();
      },
      http1: serves.http1,
      onError: (error) => logger.warn("accepting a connection failed", { error: error.message }),
    });
    await listener.listen(parseAddress(url.href));
    this.#listeners.push(listener);
  }

  #log(message: string, url: URL, traffic: string): void {
    this.#options.logger.info(message, { traffic, address: addressOf(url) });
  }
}

const INSECURELY = "serving client traffic insecurely; this is strongly discouraged!";

function addressOf(url: URL): string {
  return /^unixs?:$/.test(url.protocol) ? url.host + url.pathname : url.host;
}

function isAt(url: URL): (other: URL) => boolean {
  const address = addressOf(url);
  return (other) => addressOf(other) === address;
}

/** Each address once, as etcd does with those named twice. */
function distinct(urls: readonly URL[]): URL[] {
  return urls.filter((url, i) => urls.findIndex(isAt(url)) === i);
}
