import { CODE, type Failure } from "../proto/index.ts";
import type { Exchange, Fields } from "./exchange.ts";

/** HTTP status of each gRPC code (grpc-gateway `HTTPStatusFromCode`). */
const HTTP_STATUS: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

const JSON_TYPE = { "Content-Type": "application/json" };
const FROM_GRPC = { "Grpc-Metadata-Content-Type": "application/grpc" };

/** The gateway's side of one exchange: JSON bodies with the status that fits their gRPC code. */
export class JsonReply {
  readonly exchange: Exchange;
  readonly #fields: Fields;

  constructor(exchange: Exchange, fields: Fields) {
    this.exchange = exchange;
    this.#fields = fields;
  }

  /** The head of a success whose body follows in parts. */
  begin(): void {
    this.exchange.begin(200, { ...this.#fields, ...JSON_TYPE, ...FROM_GRPC });
  }

  /** A success with all of its body. */
  succeed(json: string): void {
    this.exchange.respond(200, { ...this.#fields, ...JSON_TYPE, ...FROM_GRPC }, json);
  }

  /** A refusal or failure with nothing before it. */
  fail({ code, message }: Failure): void {
    const fields = { ...this.#fields, ...JSON_TYPE };
    const more = code === CODE.unauthenticated ? { "WWW-Authenticate": message } : {};
    const body = JSON.stringify({ code, message });
    this.exchange.respond(httpStatus(code), { ...fields, ...more }, body);
  }

  /** A stream that fails before its first message. */
  failStream(failure: Failure): void {
    this.exchange.begin(httpStatus(failure.code), { ...this.#fields, ...JSON_TYPE });
    this.exchange.write(errorLine(failure));
    this.exchange.end();
  }

  /** A stream that ends well before its first message. */
  endEmpty(): void {
    this.exchange.begin(200, this.#fields);
    this.exchange.end();
  }
}

/** The last line of a stream that fails. */
export function errorLine({ code, message }: Failure): string {
  return `${JSON.stringify({ error: { code, message } })}\n`;
}

function httpStatus(code: number): number {
  return HTTP_STATUS[code] ?? 500;
}
