import { copyBytes } from "../base/index.ts";
import {
  Code,
  type GrpcStatus,
  type Message,
  type Metadata,
  type MethodStats,
  type ServerCall,
} from "../grpc/index.ts";
import type { Route } from "./gateway-routes.ts";
import { jsonParts } from "./json-parts.ts";
import { errorLine, type JsonReply } from "./json-reply.ts";
import { PartWriter } from "./part-writer.ts";

/** Longer messages become JSON in slices. */
const AT_ONCE_BYTES = 64 * 1024;
/** The longest time that a timer can be set to. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const DEADLINE_EXCEEDED: GrpcStatus = {
  code: Code.deadlineExceeded,
  message: "context deadline exceeded",
};

export interface GatewayCallOptions {
  readonly route: Route;
  readonly reply: JsonReply;
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  readonly stats: MethodStats | undefined;
}

/**
 * A request to the JSON gateway as a call. A unary answer is a JSON object; of a stream each
 * message leaves as a line `{"result":…}`.
 */
export class GatewayCall implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly deadlineMs: number | undefined;
  context: unknown;
  onMessage: ServerCall["onMessage"] = () => {};
  onHalfClose: ServerCall["onHalfClose"] = () => {};
  onCancel: ServerCall["onCancel"] = () => {};
  onDrain: ServerCall["onDrain"] = () => {};
  readonly #route: Route;
  readonly #reply: JsonReply;
  readonly #writer: PartWriter;
  readonly #stats: MethodStats | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #begunAt: number;
  #isOpen = true;
  #hasBegun = false;

  constructor({ route, reply, metadata, timeoutMs, stats }: GatewayCallOptions) {
    this.path = route.method;
    this.metadata = metadata;
    this.#route = route;
    this.#reply = reply;
    this.#stats = stats;
    this.#begunAt = stats === undefined ? 0 : stats.begun();
    this.#writer = new PartWriter(reply.exchange, () => {
      if (this.#isOpen) this.onDrain(this);
    });
    reply.exchange.onGone = () => this.#gone();
    if (timeoutMs !== undefined) {
      this.deadlineMs = performance.now() + timeoutMs;
      this.#timer = setTimeout(() => this.#expire(), Math.min(timeoutMs, TIMER_MS_MAX));
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get bufferedBytes(): number {
    return this.#reply.exchange.bufferedBytes;
  }

  /** A message of the client's. */
  receive(message: Uint8Array): void {
    if (this.#stats !== undefined) this.#stats.messagesReceived++;
    this.onMessage(message, this);
  }

  /** The one answer of a unary call. */
  reply(message: Message, ownership?: "copy" | "owned"): void {
    if (!this.#isOpen) return;
    this.#close(Code.ok);
    if (this.#stats !== undefined) this.#stats.messagesSent++;
    const { response } = this.#route;
    if (message instanceof Uint8Array && message.length <= AT_ONCE_BYTES) {
      this.#reply.succeed(whole(jsonParts(response, message)));
      return;
    }
    this.#reply.begin();
    this.#writer.write(jsonParts(response, kept(message, ownership)));
    this.#end();
  }

  send(message: Message, ownership?: "copy" | "owned"): boolean {
    if (!this.#isOpen) return false;
    if (this.#stats !== undefined) this.#stats.messagesSent++;
    if (!this.#hasBegun) this.#reply.begin();
    this.#hasBegun = true;
    const { response } = this.#route;
    if (this.#writer.isIdle && message instanceof Uint8Array && message.length <= AT_ONCE_BYTES) {
      this.#reply.exchange.write(`{"result":${whole(jsonParts(response, message))}}\n`);
    } else this.#writer.write(line(jsonParts(response, kept(message, ownership))));
    return this.#writer.hasRoom;
  }

  /** A failure of a stream is its last line; before the first message it is the status, too. */
  end(status: GrpcStatus): void {
    if (!this.#isOpen) return;
    this.#close(status.code);
    if (this.#route.type === "unary") return this.#reply.fail(status);
    if (!this.#hasBegun) {
      if (status.code === Code.ok) this.#reply.endEmpty();
      else this.#reply.failStream(status);
      return;
    }
    if (status.code !== Code.ok) this.#writer.write([errorLine(status)].values());
    this.#end();
  }

  #end(): void {
    this.#writer.finish(() => this.#reply.exchange.end());
  }

  #expire(): void {
    if (!this.#isOpen) return;
    this.end(DEADLINE_EXCEEDED);
    this.onCancel("deadline exceeded", this);
  }

  #gone(): void {
    this.#writer.stop();
    if (!this.#isOpen) return;
    this.#close(Code.canceled);
    this.onCancel("connection lost", this);
  }

  #close(code: number): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#stats?.ended(code, this.#begunAt);
  }
}

function* line(parts: Generator<string, void>): Generator<string, void> {
  yield '{"result":';
  yield* parts;
  yield "}\n";
}

function whole(parts: Iterable<string>): string {
  return [...parts].join("");
}

/** What is read later must not be in a buffer that is used again. */
function kept(message: Message, ownership: "copy" | "owned" | undefined): Message {
  if (ownership === "owned") return message;
  return message instanceof Uint8Array ? copyBytes(message) : message.map(copyBytes);
}
