import { setTimeout as sleep } from "node:timers/promises";
import {
  api,
  CODE,
  decodeMessage,
  encodeMessage,
  errorNames,
  fail,
  type Init,
} from "../proto/index.ts";
import { Balancer } from "./balancer.ts";
import { type MessageStream, type Streaming, type Unary, unary } from "./call.ts";
import { cluster } from "./cluster.ts";
import { Deadline } from "./deadline.ts";
import {
  type CallOptions,
  type Dial,
  type DialOptions,
  type Peer,
  StatusError,
  type Transport,
} from "./transport.ts";

const ATTEMPTS_MAX = 100;
const BACKOFF_MS = 25;
const BACKOFF_JITTER = 0.1;

const AUTHENTICATE = unary(
  "/etcdserverpb.Auth/Authenticate",
  api.AuthenticateRequest,
  api.AuthenticateResponse,
);

/** A failed attempt, for whoever keeps a log. */
export interface FailedAttempt {
  readonly path: string;
  readonly attempt: number;
  readonly error: StatusError;
  readonly peer: Peer | undefined;
}

export interface ClientOptions extends DialOptions {
  readonly endpoints: readonly string[];
  readonly dial: Dial;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A token that stands for the user, instead of name and password. */
  readonly token?: string | undefined;
  readonly onFailedAttempt?: ((attempt: FailedAttempt) => void) | undefined;
}

/** Texts that a server refuses with. Errors with another text are shown with their code. */
const refusals = new Set(errorNames.map((name) => fail(name).message));

/**
 * Calls to a cluster through any of its members: finds an open connection, carries the user's
 * token, and sends again what may safely be sent again.
 */
export class Client {
  readonly #options: ClientOptions;
  readonly #balancer: Balancer;
  #token = "";
  #closed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#balancer = new Balancer(options.endpoints, options.dial, options);
  }

  /** Gets the token of the user, when there is one. Rejects with `StatusError`. */
  async authenticate(deadline: Deadline = Deadline.never): Promise<void> {
    const { username = "", password = "", token = "" } = this.#options;
    if (token !== "") this.#token = token;
    if (token !== "" || username === "" || password === "") return;
    try {
      const answer = await this.call(AUTHENTICATE, { name: username, password }, deadline);
      this.#token = answer.token;
    } catch (error) {
      const disabled = fail("authNotEnabled").message;
      if (!(error instanceof StatusError) || error.message !== disabled) throw error;
    }
  }

  /** Rejects with `StatusError`. */
  async call<Q, R>(
    method: Unary<Q, R>,
    request: Init<Q>,
    deadline: Deadline = Deadline.never,
  ): Promise<R> {
    const bytes = encodeMessage(method.request, request);
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0) await this.#backOff(attempt);
      try {
        const answer = await this.#attempt(method.path, bytes, attempt, deadline);
        return decodeMessage(method.response, answer);
      } catch (error) {
        if (!(error instanceof StatusError) || attempt + 1 >= ATTEMPTS_MAX) throw error;
        if (!(await this.#mayRetry(method, error, deadline))) throw error;
      }
    }
  }

  async #attempt(
    path: string,
    request: Uint8Array,
    attempt: number,
    deadline: Deadline,
    { isMoved } = { isMoved: false },
  ): Promise<Uint8Array> {
    let transport: Transport | undefined;
    try {
      if (attempt === 0 && deadline.expired) {
        throw new StatusError(CODE.deadlineExceeded, "context deadline exceeded");
      }
      transport = await this.#balancer.pick(deadline.remainingMs);
      return await transport.unary(path, request, this.#callOptions(deadline));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      // A server that stops names the calls that it leaves to others. Source: gRFC A6.
      if (error.isUnprocessed && !isMoved) {
        return this.#attempt(path, request, attempt, deadline, { isMoved: true });
      }
      throw this.#failed(path, attempt, error, transport?.peer);
    }
  }

  #failed(path: string, attempt: number, error: StatusError, peer: Peer | undefined): StatusError {
    if (!this.#closed) this.#options.onFailedAttempt?.({ path, attempt, error, peer });
    return error;
  }

  async #mayRetry<Q, R>(
    method: Unary<Q, R>,
    error: StatusError,
    deadline: Deadline,
  ): Promise<boolean> {
    if (error.isContextError) return !deadline.expired;
    if (this.#tokenIsStale(error)) {
      await this.authenticate(deadline);
      return true;
    }
    if (error.message === fail("notSupportedForLearner").message && this.#balancer.size > 1) {
      return true;
    }
    return method.retry === "repeatable" && error.code === CODE.unavailable;
  }

  #tokenIsStale(error: StatusError): boolean {
    if (this.#options.token !== undefined) return false;
    const { username = "", password = "" } = this.#options;
    if (error.message === fail("userEmpty").message) return username !== "" && password !== "";
    return (
      error.message === fail("invalidAuthToken").message ||
      error.message === fail("authOldRevision").message
    );
  }

  /** After each round over a majority of the endpoints. */
  async #backOff(attempt: number): Promise<void> {
    const quorum = Math.floor(this.#balancer.size / 2) + 1;
    if (attempt % quorum !== 0) return;
    await sleep(BACKOFF_MS * (1 + BACKOFF_JITTER * (Math.random() * 2 - 1)));
  }

  /** Opens a stream. Rejects with `StatusError` when no connection can be had. */
  async stream<Q, R>(
    method: Streaming<Q, R>,
    options: { deadline?: Deadline; requireLeader?: boolean } = {},
  ): Promise<MessageStream<Q, R>> {
    const deadline = options.deadline ?? Deadline.never;
    await this.authenticate(deadline);
    const transport = await this.#balancer.pick(deadline.remainingMs);
    const call = this.#callOptions(deadline);
    const leader = options.requireLeader === true ? { hasleader: "true" } : {};
    const stream = transport.stream(method.path, {
      ...call,
      metadata: { ...call.metadata, ...leader },
    });
    return {
      send: (request) => stream.send(encodeMessage(method.request, request)),
      end: () => stream.end(),
      cancel: () => stream.cancel(),
      next: async () => {
        const bytes = await stream.next();
        return bytes === undefined ? undefined : decodeMessage(method.response, bytes);
      },
    };
  }

  /** From now on calls go to the members that the cluster itself names. */
  async sync(deadline: Deadline = Deadline.never): Promise<void> {
    const { members } = await this.call(cluster.memberList, { linearizable: true }, deadline);
    const voting = members.filter(({ name, isLearner }) => name !== "" && !isLearner);
    this.#balancer.setEndpoints(voting.flatMap(({ clientURLs }) => clientURLs));
  }

  #callOptions(deadline: Deadline): CallOptions {
    const token = this.#token === "" ? {} : { token: this.#token };
    const metadata = { "client-api-version": "3.7", ...token };
    return { metadata, timeoutMs: deadline.remainingMs };
  }

  close(): void {
    this.#closed = true;
    this.#balancer.close();
  }
}

/** A failed call as users read it: a server's refusal plainly, anything else with its code. */
export function describeError(error: unknown, deadline: Deadline = Deadline.never): string {
  if (!(error instanceof StatusError))
    return error instanceof Error ? error.message : String(error);
  if (refusals.has(error.message)) return error.message;
  if (error.code === CODE.deadlineExceeded && deadline.expired) return "context deadline exceeded";
  return error.withCode;
}
