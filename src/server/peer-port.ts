import type { Server as HttpServer } from "node:http";
import { Listener, type ListenerOptions, parseAddress, type TlsIdentity } from "../net/index.ts";
import type { Logger } from "../observe/index.ts";
import { createPeerServer, type Transport } from "../peer/index.ts";

export interface PeerPortOptions {
  /** For URLs of TLS. */
  readonly identity?: TlsIdentity;
  /** From accepting a connection to the head of a request, and to the next (`ConnReadTimeout`). */
  readonly readTimeoutMs?: number;
}

const READ_TIMEOUT_MS = 5000;

const PLAIN = "scheme is HTTP while key and cert files are present; ignoring key and cert files";

/** What Go's server says to the preface of HTTP/2, which peers do not speak. */
const NO_HTTP2 = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/**
 * The ports for other members. They are open before the member is there, so that one in use is
 * found out first, and that peers wait for a member that starts instead of being refused.
 */
export class PeerPort {
  readonly #logger: Logger;
  readonly #identity: TlsIdentity | undefined;
  readonly #readTimeoutMs: number;
  readonly #urls: readonly URL[];
  readonly #listeners: Listener[] = [];
  readonly #transport = Promise.withResolvers<Transport>();
  readonly #unborn = Promise.withResolvers<void>();
  #server: HttpServer | undefined;

  constructor(urls: readonly URL[], logger: Logger, options: PeerPortOptions = {}) {
    this.#urls = urls;
    this.#logger = logger;
    this.#identity = options.identity;
    this.#readTimeoutMs = options.readTimeoutMs ?? READ_TIMEOUT_MS;
  }

  /** Tells of URLs that a certificate is of no use for. */
  tellPlain(): void {
    if (this.#identity?.hasCertificate !== true) return;
    for (const href of new Set(this.#urls.map((url) => url.href))) {
      if (!parseAddress(href).secure)
        this.#logger.warn(PLAIN, { "peer-url": href.replace(/\/$/, "") });
    }
  }

  /** Rejects when an address cannot be had. */
  async listen(): Promise<void> {
    for (const href of new Set(this.#urls.map((url) => url.href))) {
      const address = parseAddress(href);
      const secure = address.secure ? this.#secure(href) : undefined;
      const listener = new Listener({
        onHttp2: (socket) => socket.end(NO_HTTP2),
        http1: () => (this.#server ??= this.#newServer()),
        headTimeoutMs: this.#readTimeoutMs,
        ...(secure === undefined ? {} : { secure }),
        onError: (error) => {
          const fields = { error: error.message };
          this.#logger.warn("accepting a connection of a peer failed", fields);
        },
      });
      await listener.listen(address);
      this.#listeners.push(listener);
    }
  }

  #newServer(): HttpServer {
    const { promise: unborn } = this.#unborn;
    return createPeerServer(this.#transport.promise, unborn, this.#readTimeoutMs);
  }

  /** The member is not in a cluster yet: until it serves, it cannot tell who is. */
  tellUnborn(): void {
    this.#unborn.resolve();
  }

  #secure(href: string): NonNullable<ListenerOptions["secure"]> {
    if (this.#identity === undefined) throw new Error(`no certificate for ${href}`);
    return this.#identity.server(({ address, serverName, names, reason }) => {
      const level = reason === "EOF" ? "debug" : "warn";
      this.#logger[level]("rejected connection on peer endpoint", {
        "remote-addr": address,
        "server-name": serverName,
        ...(names && { "ip-addresses": names.addresses, "dns-names": names.dns }),
        error: reason,
      });
    });
  }

  /** From here on requests are answered, those that wait first. */
  serve(transport: Transport): void {
    this.#transport.resolve(transport);
    for (const { host } of this.#urls) this.#logger.info("serving peer traffic", { address: host });
  }

  /** Accepts no more. */
  stop(): void {
    for (const listener of this.#listeners) listener.stop();
  }

  /** Ends every connection. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.#server?.closeAllConnections();
  }
}
