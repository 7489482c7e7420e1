import type { CallHandler, PlainHandler } from "./call.ts";
import { Deadlines } from "./deadlines.ts";
import type { RequestHead } from "./request-head.ts";
import type { MethodStats } from "./method-stats.ts";
import { Code, type GrpcStatus, quote } from "./status.ts";

/** Compression, which is the edge's to offer. Synchronous; both are bounded by their limits. */
export interface Gzip {
  compress(bytes: Uint8Array): Uint8Array;
  /** "too large" when the result would pass `bytesMax`; another text when it is not gzip. */
  expand(bytes: Uint8Array, bytesMax: number): Uint8Array | { error: string };
}

export interface GrpcServiceOptions {
  /** Every path that is served, as `/etcdserverpb.KV/Put`. */
  readonly methods: ReadonlySet<string>;
  /** Where the calls of each method are counted. */
  readonly stats?: ReadonlyMap<string, MethodStats> | undefined;
  readonly onCall: CallHandler;
  /** Requests that are not gRPC; without it they are refused as grpc-go does (415). */
  readonly onPlain?: PlainHandler | undefined;
  /** Largest request message, before and after decompression. */
  readonly messageBytesMax: number;
  readonly gzip: Gzip;
  readonly nowMs: number;
}

/** What is common to the connections of a server: the methods and the deadlines. */
export class GrpcService {
  readonly options: GrpcServiceOptions;
  readonly deadlines: Deadlines;
  readonly #services = new Set<string>();

  constructor(options: GrpcServiceOptions) {
    this.options = options;
    this.deadlines = new Deadlines(options.nowMs);
    for (const path of options.methods) this.#services.add(path.slice(1, path.lastIndexOf("/")));
  }

  /** Ends the calls whose time is up. Call every few tens of milliseconds. */
  expire(nowMs: number): void {
    this.deadlines.expire(nowMs);
  }

  /** Why a call to this path cannot be served, or undefined. */
  refuse(head: RequestHead): GrpcStatus | undefined {
    if (!this.options.methods.has(head.path)) return this.#refusePath(head.path);
    if (head.encoding === "" || head.encoding === "gzip") return undefined;
    const message = `grpc: Decompressor is not installed for grpc-encoding ${quote(head.encoding)}`;
    return { code: Code.unimplemented, message };
  }

  #refusePath(path: string): GrpcStatus {
    const slash = path.lastIndexOf("/");
    let message: string;
    if (slash <= 0) message = `malformed method name: ${quote(path)}`;
    else {
      const service = path.slice(1, slash);
      message = this.#services.has(service)
        ? `unknown method ${path.slice(slash + 1)} for service ${service}`
        : `unknown service ${service}`;
    }
    return { code: Code.unimplemented, message };
  }
}
