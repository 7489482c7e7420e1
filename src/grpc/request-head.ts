import { EncodedField, type HeaderList } from "../h2/index.ts";
import { Metadata, readMetadata } from "./metadata.ts";
import type { MethodStats } from "./method-stats.ts";
import { Code, type GrpcStatus, quote } from "./status.ts";
import { parseTimeout } from "./timeout.ts";

export const CONTENT_TYPE_GRPC = new EncodedField("content-type", "application/grpc", {
  recurring: true,
});

/** A request that is answered before it reaches a service: HTTP status and gRPC status. */
export interface Refusal {
  readonly http: number;
  readonly status: GrpcStatus;
}

/**
 * What a request's header list means to gRPC. Made once for each list, and lists recur. The
 * checks, their order and their texts are those of grpc-go.
 */
export class RequestHead {
  path = "";
  /** Undefined when the client sets no limit. */
  timeoutMs: number | undefined = undefined;
  /** `grpc-encoding`: the compression of messages with the compressed flag. "" for none. */
  encoding = "";
  /** Content type of the answer. */
  contentType = CONTENT_TYPE_GRPC;
  /** False when the content type is not gRPC's: a plain HTTP request. */
  isGrpc = false;
  readonly refusal: Refusal | undefined;
  /** Where calls with this head are counted; found by the first of them. */
  stats: MethodStats | undefined = undefined;
  readonly #list: HeaderList;
  #metadata: Metadata | undefined = undefined;
  #method = "";
  #authorities = 0;
  #hosts = 0;
  #foreignType = "";
  /** Why a field cannot be read, in grpc-go's words. */
  #unreadable = "";

  constructor(list: HeaderList) {
    this.#list = list;
    for (const { name, value } of list.fields) this.#readField(name, value);
    this.refusal = this.#refuse();
  }

  get metadata(): Metadata {
    if (this.#metadata === undefined) {
      const metadata = readMetadata(this.#list.fields);
      this.#metadata = typeof metadata === "string" ? new Metadata([]) : metadata;
    }
    return this.#metadata;
  }

  #readField(name: string, value: string): void {
    switch (name) {
      case ":path":
        this.path = value;
        return;
      case ":method":
        this.#method = value;
        return;
      case ":authority":
        this.#authorities++;
        return;
      case "host":
        this.#hosts++;
        return;
      case "content-type":
        return this.#readContentType(value);
      case "grpc-encoding":
        this.encoding = value === "identity" ? "" : value;
        return;
      case "grpc-timeout":
        return this.#readTimeout(value);
      default:
        if (name.endsWith("-bin")) this.#checkBinary();
    }
  }

  #readContentType(value: string): void {
    const subtype = grpcSubtype(value);
    if (subtype === undefined) this.#foreignType = value;
    else {
      this.isGrpc = true;
      if (subtype !== "") {
        this.contentType = new EncodedField("content-type", `application/grpc+${subtype}`);
      }
    }
  }

  #readTimeout(value: string): void {
    const timeout = parseTimeout(value);
    if (typeof timeout === "number") this.timeoutMs = timeout;
    else this.#unreadable = `malformed grpc-timeout: ${timeout}`;
  }

  #checkBinary(): void {
    const metadata = readMetadata(this.#list.fields);
    if (typeof metadata === "string") this.#unreadable = metadata;
    else this.#metadata = metadata;
  }

  #refuse(): Refusal | undefined {
    if (this.#hosts > 1) return refuse(400, Code.internal, this.#hostsText());
    if (!this.isGrpc) {
      const message = `invalid gRPC request content-type ${quote(this.#foreignType)}`;
      return refuse(415, Code.invalidArgument, message);
    }
    if (this.#unreadable !== "") return refuse(400, Code.internal, this.#unreadable);
    if (this.#authorities + this.#hosts === 0) {
      return refuse(400, Code.internal, "no host or :authority header present");
    }
    if (this.#method === "POST") return undefined;
    const text = `Received a HEADERS frame with :method ${quote(this.#method)} which should be POST`;
    return refuse(405, Code.internal, text);
  }

  #hostsText(): string {
    const counts = `num values of :authority: ${this.#authorities}, num values of host: ${this.#hosts}`;
    return `${counts}, both must only have 1 value as per HTTP/2 spec`;
  }
}

/** The parsed head of a list, kept with the list. */
export function requestHead(list: HeaderList): RequestHead {
  list.derived ??= new RequestHead(list);
  return list.derived as RequestHead;
}

/** The part of a gRPC content type after `application/grpc`, or undefined for other types. */
function grpcSubtype(contentType: string): string | undefined {
  if (contentType === "application/grpc") return "";
  const match = /^application\/grpc[+;](.*)$/.exec(contentType);
  return match === null ? undefined : match[1];
}

function refuse(http: number, code: number, message: string): Refusal {
  return { http, status: { code, message } };
}
