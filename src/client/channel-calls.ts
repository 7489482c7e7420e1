import { copyBytes } from "../base/index.ts";
import type { ClientCallEvents, GrpcClientCall, GrpcStatus } from "../grpc/index.ts";
import { CODE } from "../proto/index.ts";
import { type ByteStream, StatusError } from "./transport.ts";

/** A stream whose reader is this far behind gets no more from the server for now. */
const UNREAD_BYTES_MAX = 1024 * 1024;

/** The events of a call with one response, as a promise. */
export class UnaryEvents implements ClientCallEvents {
  readonly #resolve: (response: Uint8Array) => void;
  readonly #reject: (error: StatusError) => void;
  #response: Uint8Array | undefined = undefined;
  #responses = 0;

  constructor(resolve: (response: Uint8Array) => void, reject: (error: StatusError) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onMessage(bytes: Uint8Array): void {
    this.#responses++;
    this.#response = copyBytes(bytes);
  }

  onEnd(status: GrpcStatus): void {
    const { code, message, isUnprocessed } = status;
    if (code !== 0) this.#reject(new StatusError(code, message, isUnprocessed));
    else if (this.#responses === 1) this.#resolve(this.#response!);
    else this.#reject(new StatusError(CODE.internal, cardinality(this.#responses)));
  }
}

function cardinality(responses: number): string {
  return responses === 0
    ? "cardinality violation: received no response message from non-server-streaming RPC"
    : "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message";
}

/** The events of a streaming call, to be pulled one after the other. */
export class PulledStream implements ByteStream, ClientCallEvents {
  /** Set right after construction. */
  call!: GrpcClientCall;
  readonly #refuse: (message: Uint8Array) => StatusError | undefined;
  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #status: GrpcStatus | undefined = undefined;
  #wake: (() => void) | undefined = undefined;

  constructor(refuse: (message: Uint8Array) => StatusError | undefined) {
    this.#refuse = refuse;
  }

  send(message: Uint8Array): void {
    const refusal = this.#refuse(message);
    if (refusal === undefined) this.call.send(message);
    else this.call.cancel(refusal);
  }

  end(): void {
    this.call.halfClose();
  }

  onEnd(status: GrpcStatus): void {
    this.#status = status;
    this.#wake?.();
  }

  cancel(): void {
    this.call.cancel();
  }

  onMessage(bytes: Uint8Array): void {
    this.#unread.push(copyBytes(bytes));
    this.#unreadBytes += bytes.length;
    if (this.#unreadBytes > UNREAD_BYTES_MAX) this.call.pause();
    this.#wake?.();
  }

  async next(): Promise<Uint8Array | undefined> {
    while (this.#unread.length === 0 && this.#status === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#unread.shift();
    if (message !== undefined) return this.#read(message);
    if (this.#status!.code === 0) return undefined;
    throw new StatusError(this.#status!.code, this.#status!.message);
  }

  #read(message: Uint8Array): Uint8Array {
    this.#unreadBytes -= message.length;
    if (this.#unreadBytes <= UNREAD_BYTES_MAX) this.call.resume();
    return message;
  }
}
