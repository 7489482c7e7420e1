import type { ServerCall } from "../grpc/index.ts";
import { CODE, decodeMessage, type Failure, fail, ProtoError, Utf8Error } from "../proto/index.ts";
import { type Answer, CallAnswer } from "./answer.ts";
import { ClientRequests } from "./client-requests.ts";
import { METHODS, type Method } from "./methods.ts";
import type { Service } from "./service.ts";

type Unary = Extract<Method, { kind: "unary" }>;

/** Takes every call to the row of its method, and every refusal of a request to its status. */
export class Pipeline {
  readonly #service: Service;
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
    this.requests.count(method.kind === "stream" ? "stream" : "unary", call.metadata);
    const refusal = this.#admit(call);
    if (refusal !== undefined) {
      call.end(refusal);
      return;
    }
    switch (method.kind) {
      case "unary":
        call.context = method;
        call.onMessage = this.#onUnaryMessage;
        call.onHalfClose = noRequest;
        return;
      case "waiting":
        this.#serveWaiting(method, call);
        return;
      case "stream":
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

  #refuse(method: Extract<Method, { kind: "later" }>, request: Uint8Array, path: string): Failure {
    try {
      decodeMessage(method.request, request);
      return notYet(path);
    } catch (error) {
      return malformed(error, UNARY_MALFORMED);
    }
  }

  #admit(call: ServerCall): Failure | undefined {
    if (call.metadata.get("hasleader") === "true" && !this.#service.member.hasLeader) {
      return fail("noLeader");
    }
    return undefined;
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
