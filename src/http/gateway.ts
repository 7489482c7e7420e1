import type { CallHandler, MethodStats } from "../grpc/index.ts";
import { CODE, encodeMessage, jsonToMessage } from "../proto/index.ts";
import type { Exchange, Fields } from "./exchange.ts";
import { GatewayCall } from "./gateway-call.ts";
import { gatewayMetadata, gatewayTimeoutMs } from "./gateway-metadata.ts";
import { type Route, ROUTES } from "./gateway-routes.ts";
import { JsonFeed } from "./json-feed.ts";
import { JsonReply } from "./json-reply.ts";

export interface GatewayOptions {
  readonly onCall: CallHandler;
  /** The longest message that gRPC takes. */
  readonly messageBytesMax: number;
  readonly stats?: ReadonlyMap<string, MethodStats>;
}

/** The JSON API under /v3/: each request becomes a call. */
export class Gateway {
  readonly #onCall: CallHandler;
  readonly #messageBytesMax: number;
  readonly #bodyBytesMax: number;
  readonly #stats: ReadonlyMap<string, MethodStats> | undefined;

  constructor(options: GatewayOptions) {
    this.#onCall = options.onCall;
    this.#stats = options.stats;
    this.#messageBytesMax = options.messageBytesMax;
    // Base64 and JSON make a request longer; etcd itself reads bodies without a limit.
    this.#bodyBytesMax = 2 * options.messageBytesMax;
  }

  /** `fields` are sent with every response. */
  serve(exchange: Exchange, path: string, fields: Fields): void {
    const reply = new JsonReply(exchange, fields);
    const route = ROUTES.get(path);
    if (route === undefined || exchange.method !== "POST") {
      exchange.readBody(0, () => {
        if (route === undefined) reply.fail({ code: CODE.notFound, message: "Not Found" });
        else reply.fail({ code: CODE.unimplemented, message: "Method Not Allowed" });
      });
    } else if (route.type === "bidi_stream") this.#serveStream(route, exchange, reply);
    else this.#serveOne(route, exchange, reply);
  }

  /** A method with one request, which is the first JSON value of the body. */
  #serveOne(route: Route, exchange: Exchange, reply: JsonReply): void {
    exchange.readBody(this.#bodyBytesMax, (body) => {
      if (body === undefined) return this.#refuseLong(reply);
      const timeoutMs = gatewayTimeoutMs(exchange);
      if (timeoutMs === null) return refuseTimeout(exchange, reply);
      const read = jsonToMessage(route.request, body);
      if (read.kind === "error") {
        return reply.fail({ code: CODE.invalidArgument, message: read.text });
      }
      const call = this.#begin(route, exchange, reply, timeoutMs);
      const message = read.kind === "message" ? read.message : {};
      if (call.isOpen) this.#receive(call, encodeMessage(route.request, message));
      if (call.isOpen) call.onHalfClose(call);
    });
  }

  /**
   * A method with any number of requests. JSON that cannot be read ends the sending half, without
   * a word, as with etcd.
   */
  #serveStream(route: Route, exchange: Exchange, reply: JsonReply): void {
    const timeoutMs = gatewayTimeoutMs(exchange);
    let call: GatewayCall | undefined;
    let isHalfClosed = false;
    const halfClose = () => {
      if (call?.isOpen && !isHalfClosed) call.onHalfClose(call);
      isHalfClosed = true;
    };
    const feed = new JsonFeed(this.#bodyBytesMax, {
      value: (json) => {
        const read = jsonToMessage(route.request, json);
        if (read.kind !== "message") halfClose();
        else if (call?.isOpen && !isHalfClosed) {
          this.#receive(call, encodeMessage(route.request, read.message));
        }
      },
      bad: halfClose,
    });
    const begin = () => (call ??= this.#begin(route, exchange, reply, timeoutMs ?? undefined));
    exchange.readStream(
      this.#bodyBytesMax,
      (bytes) => {
        if (timeoutMs !== null) begin();
        feed.push(bytes);
      },
      (isComplete) => {
        if (!isComplete) return this.#refuseLong(reply);
        if (timeoutMs === null) return refuseTimeout(exchange, reply);
        begin();
        halfClose();
      },
    );
  }

  #begin(
    route: Route,
    exchange: Exchange,
    reply: JsonReply,
    timeoutMs: number | undefined,
  ): GatewayCall {
    const metadata = gatewayMetadata(exchange);
    const stats = this.#stats?.get(route.method);
    const call = new GatewayCall({ route, reply, metadata, timeoutMs, stats });
    this.#onCall(call);
    return call;
  }

  /** What is too long for gRPC is refused as gRPC refuses it. */
  #receive(call: GatewayCall, message: Uint8Array): void {
    const max = this.#messageBytesMax;
    if (message.length <= max) return call.receive(message);
    const text = `grpc: received message larger than max (${message.length} vs. ${max})`;
    call.end({ code: CODE.resourceExhausted, message: text });
  }

  #refuseLong(reply: JsonReply): void {
    const message = `http: request body too large (limit ${this.#bodyBytesMax})`;
    reply.fail({ code: CODE.invalidArgument, message });
  }
}

function refuseTimeout(exchange: Exchange, reply: JsonReply): void {
  const message = `invalid grpc-timeout: ${exchange.field("grpc-timeout")}`;
  reply.fail({ code: CODE.invalidArgument, message });
}
