import {
  type CloseReason,
  Connection,
  type ConnectionHandler,
  type ConnectionOptions,
  EncodedField,
  ErrorCode,
  errorName,
  type HeaderList,
  type ResetOrigin,
  type Stream,
} from "../h2/index.ts";
import { type ClientCallEvents, type ClientCallOptions, GrpcClientCall } from "./client-call.ts";
import { Deadlines } from "./deadlines.ts";
import { CONTENT_TYPE_GRPC } from "./request-head.ts";
import { Code, type GrpcStatus } from "./status.ts";

export interface GrpcClientOptions
  extends Pick<ConnectionOptions<GrpcClientCall>, "pool" | "nowMs" | "keepalive"> {
  /** `:authority`: the server as the caller knows it. */
  readonly authority: string;
  readonly secure: boolean;
  readonly userAgent: string;
  /** Largest response message. */
  readonly messageBytesMax: number;
  readonly wantsFlush: () => void;
  /** `canCall` or `isSettled` may have changed. */
  readonly changed: () => void;
}

/** Paths that are worth a place in the server's table; a client has few. */
const RECURRING_PATHS_MAX = 64;

const METHOD_POST = new EncodedField(":method", "POST");
const SCHEME_HTTP = new EncodedField(":scheme", "http");
const SCHEME_HTTPS = new EncodedField(":scheme", "https");
const TE_TRAILERS = new EncodedField("te", "trailers", { recurring: true });

/** The client's end of a connection: opens calls, which wait their turn when the server limits them. */
export class GrpcClientConnection implements ConnectionHandler<GrpcClientCall> {
  readonly options: GrpcClientOptions;
  readonly http: Connection<GrpcClientCall>;
  readonly deadlines: Deadlines;
  readonly #common: readonly EncodedField[];
  readonly #paths = new Map<string, EncodedField>();
  #waiting: GrpcClientCall[] = [];
  #closing = false;
  nowMs: number;

  constructor(options: GrpcClientOptions) {
    this.options = options;
    this.nowMs = options.nowMs;
    this.deadlines = new Deadlines(options.nowMs);
    this.#common = [
      new EncodedField(":authority", options.authority, { recurring: true }),
      CONTENT_TYPE_GRPC,
      new EncodedField("user-agent", options.userAgent, { recurring: true }),
      TE_TRAILERS,
    ];
    this.http = new Connection({ ...options, role: "client", handler: this });
  }

  /** Whether the server has introduced itself. */
  get isSettled(): boolean {
    return this.http.isSettled;
  }

  /** False once no new call will be accepted. */
  get isUsable(): boolean {
    return this.http.isOpen && this.http.goingAway === undefined;
  }

  get closeReason(): CloseReason | undefined {
    return this.http.closeReason;
  }

  /** Begins a call. `events` are never called from within. */
  call(
    path: string,
    options: ClientCallOptions,
    events: ClientCallEvents,
    nowMs: number,
  ): GrpcClientCall {
    this.nowMs = nowMs;
    const call = new GrpcClientCall(this, path, options, events);
    if (call.deadlineMs !== undefined) this.deadlines.add(call);
    if (this.http.canOpen) call.open();
    else this.#waiting.push(call);
    if (!this.isUsable) this.options.wantsFlush();
    return call;
  }

  get hasOutput(): boolean {
    return this.http.hasOutput;
  }

  /** Everything to be sent now, as one run of bytes. */
  takeOutput(): Uint8Array {
    return this.http.takeOutput();
  }

  /** What `takeOutput` gave last is sent already, so its buffer is free again. */
  reuseOutput(): void {
    this.http.reuseOutput();
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    this.nowMs = nowMs;
    this.http.receive(bytes, nowMs);
    this.openWaiting();
  }

  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.http.tick(nowMs);
    this.openWaiting();
  }

  /** Ends the calls whose time is up. Call every few tens of milliseconds. */
  expire(nowMs: number): void {
    this.nowMs = nowMs;
    this.deadlines.expire(nowMs);
  }

  /** The socket is gone: every call ends as Unavailable with this text. */
  abort(text: string): void {
    this.http.abort(text);
    this.openWaiting();
  }

  /** Ends the connection and every call. */
  close(): void {
    this.#closing = true;
    this.http.close(ErrorCode.noError, "client transport shutdown");
    this.openWaiting();
  }

  requestFields(call: GrpcClientCall): EncodedField[] {
    const scheme = this.options.secure ? SCHEME_HTTPS : SCHEME_HTTP;
    return [METHOD_POST, scheme, this.#pathField(call.path), ...this.#common];
  }

  forget(call: GrpcClientCall): void {
    this.deadlines.remove(call);
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((other) => other !== call);
  }

  // --- ConnectionHandler -----------------------------------------------------------------------

  head(stream: Stream<GrpcClientCall>, list: HeaderList, last: boolean): void {
    stream.owner?.head(list, last);
  }

  trailers(stream: Stream<GrpcClientCall>, list: HeaderList): void {
    stream.owner?.trailers(list);
  }

  data(
    stream: Stream<GrpcClientCall>,
    bytes: Uint8Array,
    start: number,
    end: number,
    last: boolean,
  ): void {
    stream.owner?.data(bytes, start, end, last);
  }

  reset(stream: Stream<GrpcClientCall>, code: number, origin: ResetOrigin): void {
    stream.owner?.reset(code, origin);
  }

  writable(stream: Stream<GrpcClientCall>): void {
    stream.owner?.writable();
  }

  wantsFlush(): void {
    this.options.wantsFlush();
  }

  peerChanged(): void {
    this.options.changed();
  }

  #pathField(path: string): EncodedField {
    let field = this.#paths.get(path);
    if (field === undefined) {
      const recurring = this.#paths.size < RECURRING_PATHS_MAX;
      field = new EncodedField(":path", path, { recurring });
      if (recurring) this.#paths.set(path, field);
    }
    return field;
  }

  /** Opens the calls that wait, or ends them when there is no hope. Call with each flush. */
  openWaiting(): void {
    if (this.#waiting.length === 0) return;
    if (!this.isUsable) {
      for (const call of this.#waiting) call.fail(this.lostStatus());
      return;
    }
    while (this.#waiting.length > 0 && this.http.canOpen) this.#waiting.shift()!.open();
  }

  /** How calls end that the connection did not outlive, in grpc-go's words. */
  lostStatus(): GrpcStatus {
    if (this.#closing) {
      return { code: Code.canceled, message: "grpc: the client connection is closing" };
    }
    const { goingAway, closeReason } = this.http;
    const text = closeReason?.text ?? "the connection is draining";
    if (closeReason === undefined || goingAway === undefined) {
      return { code: Code.unavailable, message: text };
    }
    const debug = goingAway.text === "" ? "" : `, debug data: ${JSON.stringify(goingAway.text)}`;
    const prior = `code: ${errorName(goingAway.code)}${debug}`;
    const message = `closing transport due to: ${text}, received prior goaway: ${prior}`;
    return { code: Code.unavailable, message };
  }
}
