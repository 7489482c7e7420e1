import type { HeaderList } from "../h2/index.ts";
import { Metadata, readMetadata } from "./metadata.ts";
import { Code, decodeMessage, type GrpcStatus, quote } from "./status.ts";

/** What a header list of a response says. */
export interface ResponseHead {
  readonly metadata: Metadata;
  /** How the call has ended; undefined when it goes on. */
  readonly status: GrpcStatus | undefined;
}

const NO_METADATA = new Metadata([]);

/** Reads the first or the last header list of a response; texts are grpc-go's. */
export function readResponse(
  list: HeaderList,
  place: { first: boolean; last: boolean },
): ResponseHead {
  if (place.first) {
    const refusal = refuseNonGrpc(list);
    if (refusal !== undefined) return { metadata: NO_METADATA, status: refusal };
  }
  const metadata = readMetadata(list.fields);
  if (typeof metadata === "string") {
    const message = `transport: ${metadata}`;
    return { metadata: NO_METADATA, status: { code: Code.internal, message } };
  }
  return { metadata, status: place.last ? readStatus(list) : undefined };
}

function readStatus(list: HeaderList): GrpcStatus {
  const text = list.get("grpc-status");
  if (text !== undefined && !/^-?\d{1,10}$/.test(text)) {
    const reason = `strconv.ParseInt: parsing ${quote(text)}: invalid syntax`;
    return { code: Code.unknown, message: `transport: malformed grpc-status: ${reason}` };
  }
  const code = text === undefined ? Code.unknown : Number(text) >>> 0;
  return { code, message: decodeMessage(list.get("grpc-message") ?? "") };
}

/** Status codes for the HTTP statuses that proxies and other servers send. */
const HTTP_CODES: Readonly<Record<string, number>> = {
  400: Code.internal,
  401: Code.unauthenticated,
  403: Code.permissionDenied,
  404: Code.unimplemented,
  429: Code.unavailable,
  502: Code.unavailable,
  503: Code.unavailable,
  504: Code.unavailable,
};

const HTTP_TEXTS: Readonly<Record<string, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

function refuseNonGrpc(list: HeaderList): GrpcStatus | undefined {
  const contentType = list.get("content-type");
  if (contentType !== undefined && /^application\/grpc([+;]|$)/.test(contentType)) return undefined;
  const http = list.get(":status") ?? "";
  const why =
    contentType === undefined
      ? "malformed header: missing HTTP content-type"
      : `transport: received unexpected content-type ${quote(contentType)}`;
  const seen = `unexpected HTTP status code received from server: ${http} (${HTTP_TEXTS[http] ?? ""})`;
  return { code: HTTP_CODES[http] ?? Code.unknown, message: `${seen}; ${why}` };
}
