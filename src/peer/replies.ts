import type { ServerResponse } from "node:http";

export type Fields = Readonly<Record<string, string>>;

/** The whole response, with fields as Go's server has them; without a body not even its length. */
export function respond(
  response: ServerResponse,
  status: number,
  fields: Fields,
  body?: string | Uint8Array,
): void {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length = bytes === undefined ? {} : { "Content-Length": bytes.length };
  head(response, status, { ...fields, ...length });
  response.end(bytes);
}

/** A refusal as Go's `http.Error` writes it. */
export function refuse(
  response: ServerResponse,
  status: number,
  text: string,
  fields: Fields = {},
): void {
  respond(response, status, { ...ERROR_FIELDS, ...fields }, `${text}\n`);
}

/** A refusal that is cut off: etcd's handler panics after it has written. */
export function refuseAndCut(response: ServerResponse, status: number, text: string): void {
  head(response, status, { ...ERROR_FIELDS, "Transfer-Encoding": "chunked" });
  response.write(`${text}\n`, () => response.socket?.destroySoon());
}

export function notAllowed(response: ServerResponse, allow?: string): void {
  refuse(response, 405, "Method Not Allowed", allow === undefined ? {} : { Allow: allow });
}

/** Only the head; a body without end follows. */
export function begin(response: ServerResponse, fields: Fields): void {
  head(response, 200, { ...fields, "Transfer-Encoding": "chunked" });
  response.flushHeaders();
}

const ERROR_FIELDS: Fields = {
  "Content-Type": "text/plain; charset=utf-8",
  "X-Content-Type-Options": "nosniff",
};

function head(
  response: ServerResponse,
  status: number,
  fields: Readonly<Record<string, string | number>>,
): void {
  // Go names what becomes of a connection only when it closes.
  if (response.shouldKeepAlive) response.removeHeader("connection");
  response.writeHead(status, fields);
}
