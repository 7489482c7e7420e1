import type { Access } from "./access.ts";
import type { Exchange, Fields, RequestHead } from "./exchange.ts";
import type { Gateway } from "./gateway.ts";
import { escapeHtml, redirection } from "../net/index.ts";
import { type Parts, PartWriter } from "./part-writer.ts";
import { handshake, type Handshake, isWebSocket } from "./web-socket.ts";

/** What a path answers without the API behind it. */
export interface Page {
  readonly status: number;
  readonly fields: Fields;
  /** All of it, or parts that are made as they are sent. */
  readonly body: string | Parts;
}

/** Makes a page when it is asked for. */
export interface PageMaker {
  /** Any method but GET is refused. */
  readonly isGetOnly: boolean;
  make(head: RequestHead): Promise<Page>;
}

export interface Pages {
  /** Paths with others below them, as `/debug/pprof/`; without the slash they lead there. */
  readonly folders: readonly string[];
  find(path: string): PageMaker | undefined;
}

/** Bodies of requests for pages are read and forgotten. */
const NO_BODY_BYTES = 0;

export interface WebOptions {
  readonly pages: Pages;
  readonly gateway?: Gateway | undefined;
  /** Without: every host and origin, and no fields for browsers. */
  readonly access?: Access | undefined;
  readonly onError: (error: unknown) => void;
  /** A refused host, for the log. */
  readonly onRefused?: (host: string) => void;
}

/** Everything on a client port that is not gRPC: the JSON gateway and plain pages. */
export class Web {
  readonly #options: WebOptions;
  readonly #folders: readonly string[];

  constructor(options: WebOptions) {
    this.#options = options;
    const { pages, gateway } = options;
    this.#folders = gateway === undefined ? pages.folders : ["/v3/", ...pages.folders];
  }

  serve(exchange: Exchange): void {
    const path = apiPath(exchange.path);
    if (path === undefined) return this.#answer(exchange, badRequest(""), {});
    if (!HOST.test(exchange.field("host") ?? "")) {
      return this.#answer(exchange, badRequest(": malformed Host header"), {});
    }
    const { access, gateway } = this.#options;
    const refusal = access?.refuse(exchange);
    if (refusal !== undefined) {
      this.#options.onRefused?.(exchange.field("host") ?? "");
      return this.#answer(exchange, errorPage(421, refusal), {});
    }
    const fields = access?.corsFields(exchange) ?? {};
    if (access !== undefined && exchange.method === "OPTIONS") {
      return this.#answer(exchange, EMPTY, fields);
    }
    const elsewhere = redirection(path, this.#folders);
    if (elsewhere !== undefined) this.#answer(exchange, redirect(exchange, elsewhere), fields);
    else if (gateway === undefined || !path.startsWith("/v3/")) {
      exchange.readBody(NO_BODY_BYTES, () => this.#servePage(exchange, path, fields));
    } else if (isWebSocket(exchange)) {
      // A handshake in order has become a socket before it came here.
      const failed = handshake(exchange) as { status: number };
      const page = errorPage(failed.status, failed.status === 405 ? NOT_ALLOWED : "Bad Request");
      this.#answer(exchange, page, { ...fields, "Sec-WebSocket-Version": "13" });
    } else gateway.serve(exchange, path, fields);
  }

  /** The handshake of a request that is to become a WebSocket; undefined for other requests. */
  upgrade(head: RequestHead): Handshake | undefined {
    if (!isWebSocket(head) || this.#options.gateway === undefined) return undefined;
    if (!apiPath(head.path)?.startsWith("/v3/")) return undefined;
    if (this.#options.access?.refuse(head) !== undefined) return undefined;
    const result = handshake(head);
    return "status" in result ? undefined : result;
  }

  /** Serves what has become a WebSocket. */
  serveSocket(exchange: Exchange): void {
    this.#options.gateway!.serve(exchange, apiPath(exchange.path)!, {});
  }

  #servePage(exchange: Exchange, path: string, fields: Fields): void {
    const page = this.#options.pages.find(path);
    if (page === undefined) send(exchange, NOT_FOUND, fields);
    else if (page.isGetOnly && exchange.method !== "GET") {
      send(exchange, errorPage(405, NOT_ALLOWED), { ...fields, Allow: "GET" });
    } else {
      page.make(exchange).then((made) => send(exchange, made, fields), this.#options.onError);
    }
  }

  #answer(exchange: Exchange, page: Page, fields: Fields): void {
    exchange.readBody(NO_BODY_BYTES, () => send(exchange, page, fields));
  }
}

/** The older name of the API leads to the same place. */
function apiPath(path: string | undefined): string | undefined {
  return path?.startsWith("/v3beta/") ? path.replace("/v3beta/", "/v3/") : path;
}

function send(exchange: Exchange, { status, fields, body }: Page, more: Fields): void {
  const all = { ...more, ...fields };
  if (typeof body === "string") {
    exchange.respond(status, all, body);
    return;
  }
  exchange.begin(status, all);
  const writer = new PartWriter(exchange);
  exchange.onGone = () => writer.stop();
  if (exchange.method !== "HEAD") writer.write(body);
  writer.finish(() => exchange.end());
}

/** A page of plain text as Go's `http.Error` writes it. */
export function errorPage(status: number, text: string): Page {
  const fields = {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
  };
  return { status, fields, body: `${text}\n` };
}

const NOT_ALLOWED = "Method Not Allowed";
const NOT_FOUND = errorPage(404, "404 page not found");
const EMPTY: Page = { status: 200, fields: {}, body: "" };
/** Characters that Go's server lets a host have. */
const HOST = /^[\w!$%&'()*+,\-.:;=@[\]~]*$/;

/** What Go's server itself refuses. */
function badRequest(reason: string): Page {
  const fields = { "Content-Type": "text/plain; charset=utf-8", Connection: "close" };
  return { status: 400, fields, body: `400 Bad Request${reason}` };
}

function redirect({ method, rawQuery }: RequestHead, path: string): Page {
  // Go escapes what is escaped already.
  const location = encodeURI(encodeURI(path)) + (rawQuery === "" ? "" : `?${rawQuery}`);
  const hasBody = method === "GET";
  const type = hasBody || method === "HEAD" ? { "Content-Type": "text/html; charset=utf-8" } : {};
  const body = `<a href="${escapeHtml(location)}">Temporary Redirect</a>.\n\n`;
  return { status: 307, fields: { ...type, Location: location }, body: hasBody ? body : "" };
}
