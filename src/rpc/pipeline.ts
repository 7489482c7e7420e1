import type { ServerCall } from "../grpc/index.ts";
import { CODE, decodeMessage, type Failure, fail, ProtoError, Utf8Error } from "../proto/index.ts";
import { type Answer, CallAnswer } from "./answer.ts";
import { ClientRequests } from "./client-requests.ts";
import { METHODS, type Method } from "./methods.ts";
import type { Service } from "./service.ts";

type Unary = Extract<Method, { kind: "unary" }>;

/** Periods without a leader after which streams that need one are ended (etcd: `maxNoLeaderCnt`). */
const LEADERLESS_MAX = 3;

/** Takes every call to the row of its method, and every refusal of a request to its status. */
export class Pipeline {
  readonly #service: Service;
  /** Streams that are of no use without a leader. Those that have ended go at the next look. */
  readonly #needLeader = new Set<ServerCall>();
  #leaderless = 0;
  readonly requests = new ClientRequests();
  /** One function for all unary calls: the row is found again in the call's context. */
  readonly #onUnaryMessage = (request: Uint8Array, call: ServerCall) => {
    call.onHalfClose = nothing;
    this.unary(call.context as Unary, request, new CallAnswer(call));
  };

  constructor(service: Service) {
    this.#service = service;
  }

  static isKnown(path: string): boolean {
    return METHODS.has(path);
  }

  /** Serves a call whose header list has arrived. The transport has refused unknown paths. */
  serve(call: ServerCall): void {
    const method = METHODS.get(call.path)!;
    const { isLearner } = this.#service;
    if (isLearner && !("learner" in method)) return call.end(fail("notSupportedForLearner"));
    this.requests.count(method.kind === "stream" ? "stream" : "unary", call.metadata);
    const needsLeader = call.metadata.get("hasleader") === "true";
    if (needsLeader && !this.#service.member.hasLeader) return call.end(fail("noLeader"));
    switch (method.kind) {
      case "unary":
        call.context = isLearner ? forLearners(method) : method;
        call.onMessage = this.#onUnaryMessage;
        call.onHalfClose = noRequest;
        return;
      case "waiting":
        this.#serveWaiting(method, call);
        return;
      case "stream":
        if (needsLeader) this.#needLeader.add(call);
        this.#serveStream(method, call);
        return;
      case "later":
        call.onMessage = (request) => call.end(this.#refuse(method, request, call.path));
    }
  }

  /** A unary request from anywhere: a gRPC call or the JSON gateway. */
  unary(method: Unary, request: Uint8Array, answer: Answer): void {
    try {
      method.serve(this.#service, request, answer);
    } catch (error) {
      answer.fail(malformed(error, UNARY_MALFORMED));
    }
  }

  /**
   * To be called once in each election timeout. Streams that ask for a leader end when there has
   * been none for some time; not at once, because clients would all come again.
   */
  lookForLeader(): void {
    this.#leaderless = this.#service.member.hasLeader ? 0 : this.#leaderless + 1;
    for (const call of this.#needLeader) {
      if (call.isOpen && this.#leaderless < LEADERLESS_MAX) continue;
      this.#needLeader.delete(call);
      if (!call.isOpen) continue;
      call.end(fail("noLeader"));
      call.onCancel("refused", call);
    }
  }

  #refuse(method: Extract<Method, { kind: "later" }>, request: Uint8Array, path: string): Failure {
    try {
      decodeMessage(method.request, request);
      return notYet(path);
    } catch (error) {
      return malformed(error, UNARY_MALFORMED);
    }
  }

  #serveWaiting(method: Extract<Method, { kind: "waiting" }>, call: ServerCall): void {
    call.onHalfClose = noRequest;
    call.onMessage = (request) => {
      call.onHalfClose = nothing;
      try {
        method.serve(this.#service, request, call);
      } catch (error) {
        call.end(malformed(error, UNARY_MALFORMED));
      }
    };
  }

  #serveStream(method: Extract<Method, { kind: "stream" }>, call: ServerCall): void {
    method.serve(this.#service, call);
    const { onMessage } = call;
    call.onMessage = (request) => {
      try {
        onMessage(request, call);
      } catch (error) {
        call.end(malformed(error, "failed to unmarshal the received message"));
      }
    };
  }
}

/** The row as a learner serves it. */
function forLearners({ serve, learner }: Unary): Unary {
  return {
    kind: "unary",
    serve: (service, request, answer) => {
      if (learner?.(request) === true) serve(service, request, answer);
      else answer.fail(fail("notSupportedForLearner"));
    },
  };
}

const nothing = (): void => {};

/** A unary call whose client had nothing to say. */
function noRequest(call: ServerCall): void {
  call.end({ code: CODE.unknown, message: "EOF" });
}

export function notYet(path: string): Failure {
  return { code: CODE.unimplemented, message: `${path} is not supported by this version of quord` };
}

/** What a request that is no message is answered. Anything else is a fault of ours: it goes on up. */
function malformed(error: unknown, complaint: string): Failure {
  if (!(error instanceof ProtoError)) throw error;
  const isText = error instanceof Utf8Error;
  const reason = isText ? error.message : "proto: cannot parse invalid wire-format data";
  return { code: CODE.internal, message: `grpc: ${complaint}: ${reason}` };
}

const UNARY_MALFORMED = "error unmarshalling request";
