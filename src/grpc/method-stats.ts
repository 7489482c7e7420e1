import { Histogram } from "../base/index.ts";
import { Code } from "./status.ts";

/** How many messages a method takes and gives, in the words of grpc-prometheus. */
export type CallType = "unary" | "server_stream" | "bidi_stream";

/** Seconds, grpc-prometheus's defaults. */
const HANDLING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const CODES = Code.unauthenticated + 1;

/** What has become of the calls of one method. Plain fields: counting costs next to nothing. */
export class MethodStats {
  readonly path: string;
  readonly type: CallType;
  started = 0;
  messagesReceived = 0;
  messagesSent = 0;
  /** Calls that have ended, by status code. */
  readonly handled = new Float64Array(CODES);
  /** Seconds from a call's head to its end, where that is asked for. */
  readonly handling: Histogram | undefined;
  readonly #clock: (() => number) | undefined;

  /** With a clock (milliseconds) the time that calls take is kept, too. */
  constructor(path: string, type: CallType, clock?: () => number) {
    this.path = path;
    this.type = type;
    this.#clock = clock;
    this.handling = clock === undefined ? undefined : new Histogram(HANDLING_BOUNDS);
  }

  /** A call has begun; the result is to be handed to `ended`. */
  begun(): number {
    this.started++;
    return this.#clock === undefined ? 0 : this.#clock();
  }

  ended(code: number, begunAt: number): void {
    this.handled[code < CODES ? code : Code.unknown]!++;
    if (this.#clock !== undefined) this.handling!.observe((this.#clock() - begunAt) / 1000);
  }
}
