import { EMPTY_BYTES } from "../base/index.ts";
import {
  type CloseReason,
  Connection,
  type ConnectionHandler,
  type ConnectionOptions,
  EncodedField,
  ErrorCode,
  type HeaderList,
  type ResetOrigin,
  type Stream,
} from "../h2/index.ts";
import type { Exchange } from "./exchange.ts";
import { DEADLINE_EXCEEDED, GrpcCall, statusFields } from "./grpc-call.ts";
import { PlainStream } from "./plain-call.ts";
import { type RequestHead, requestHead } from "./request-head.ts";
import type { GrpcService } from "./service.ts";

type ServerOptions = Omit<ConnectionOptions<Exchange>, "role" | "handler">;

/** One client connection: HTTP/2 below, calls above. */
export class GrpcServerConnection implements ConnectionHandler<Exchange> {
  readonly #http: Connection<Exchange>;
  readonly #service: GrpcService;
  readonly #onFlush: () => void;
  #nowMs: number;
  /** Bytes of request messages that have not fully come. */
  partialBytes = 0;

  constructor(options: ServerOptions & { service: GrpcService; wantsFlush: () => void }) {
    this.#service = options.service;
    this.#onFlush = options.wantsFlush;
    this.#nowMs = options.nowMs;
    this.#http = new Connection({ ...options, role: "server", handler: this });
  }

  get closeReason(): CloseReason | undefined {
    return this.#http.closeReason;
  }

  get openCalls(): number {
    return this.#http.openStreams;
  }

  /** Whether the client has introduced itself in full. */
  get isSettled(): boolean {
    return this.#http.isSettled;
  }

  get hasOutput(): boolean {
    return this.#http.hasOutput;
  }

  get service(): GrpcService {
    return this.#service;
  }

  get http(): Connection<Exchange> {
    return this.#http;
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#http.receive(bytes, nowMs);
  }

  /** Nothing but acknowledged pings is to be sent: they may wait a while for company. */
  get canWait(): boolean {
    return this.#http.canWait;
  }

  /** Everything to be sent now, as one run of bytes. */
  takeOutput(): Uint8Array {
    return this.#http.takeOutput();
  }

  /** What `takeOutput` gave last is sent already, so its buffer is free again. */
  reuseOutput(): void {
    this.#http.reuseOutput();
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#http.tick(nowMs);
  }

  drain(): void {
    this.#http.drain();
  }

  close(text: string): void {
    this.#http.close(ErrorCode.noError, text);
  }

  /** The socket is gone. */
  abort(text: string): void {
    this.#http.abort(text);
  }

  // --- ConnectionHandler -----------------------------------------------------------------------

  head(stream: Stream<Exchange>, list: HeaderList, last: boolean): void {
    const head = requestHead(list);
    const plain = this.#service.options.onPlain;
    if (!head.isGrpc && plain !== undefined) {
      const call = new PlainStream(this.#http, stream, list);
      stream.owner = call;
      plain(call);
    } else {
      this.#grpcHead(stream, head);
    }
    if (last) stream.owner?.data(EMPTY_BYTES, 0, 0, true);
  }

  trailers(stream: Stream<Exchange>): void {
    stream.owner?.data(EMPTY_BYTES, 0, 0, true);
  }

  data(
    stream: Stream<Exchange>,
    bytes: Uint8Array,
    start: number,
    end: number,
    last: boolean,
  ): void {
    stream.owner?.data(bytes, start, end, last);
  }

  reset(stream: Stream<Exchange>, _code: number, origin: ResetOrigin): void {
    stream.owner?.reset(origin);
  }

  writable(stream: Stream<Exchange>): void {
    stream.owner?.writable();
  }

  wantsFlush(): void {
    this.#onFlush();
  }

  peerChanged(): void {}

  #grpcHead(stream: Stream<Exchange>, head: RequestHead): void {
    if (head.refusal !== undefined) {
      const { http, status } = head.refusal;
      const httpStatus = new EncodedField(":status", http.toString());
      this.#http.sendHead(stream, [httpStatus, head.contentType, ...statusFields(status)], true);
      return;
    }
    const call = new GrpcCall(this, stream, head);
    stream.owner = call;
    const expired = head.timeoutMs !== undefined && head.timeoutMs <= 0;
    const refusal = expired ? DEADLINE_EXCEEDED : this.#service.refuse(head);
    if (refusal !== undefined) return call.end(refusal);
    if (head.timeoutMs !== undefined) {
      call.deadlineMs = this.#nowMs + head.timeoutMs;
      this.#service.deadlines.add(call);
    }
    this.#service.options.onCall(call);
  }
}
