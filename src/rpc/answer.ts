import type { Applied } from "../apply/index.ts";
import { concatBytes } from "../base/index.ts";
import type { Message, ServerCall } from "../grpc/index.ts";
import type { ProposalWaiter } from "../member/index.ts";
import { type Failure, fail } from "../proto/index.ts";

export type { Message } from "../grpc/index.ts";

/** Where the one reply of a unary call goes. Late replies to a call that is over go nowhere. */
export interface Answer extends ProposalWaiter {
  /** `ownership`: of the bytes, when it is not that which `CallAnswer` takes for granted. */
  reply(message: Message, ownership?: "copy" | "owned"): void;
  fail(failure: Failure): void;
}

/** Answers a gRPC call. */
export class CallAnswer implements Answer {
  readonly #call: ServerCall;

  constructor(call: ServerCall) {
    this.#call = call;
  }

  reply(message: Message, ownership?: "copy" | "owned"): void {
    // Parts are made for one reply, and large: they are not copied once more.
    this.#call.reply(message, ownership ?? (message instanceof Uint8Array ? "copy" : "owned"));
  }

  fail(failure: Failure): void {
    this.#call.end(failure);
  }

  settle(applied: Applied): void {
    settle(this, applied);
  }
}

/** Passes on what became of a proposal. */
export function settle(answer: Answer, { error, message }: Applied): void {
  if (error !== undefined) answer.fail(fail(error));
  else if (message !== undefined) answer.reply(message);
}

export function whole(message: Message): Uint8Array {
  return message instanceof Uint8Array ? message : concatBytes(message);
}
