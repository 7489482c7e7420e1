import type { Init, Schema } from "../proto/index.ts";

/** Whether a call may be sent again after the connection broke under it. */
export type RetryPolicy = "repeatable" | "once";

/** A call with one request and one answer. */
export interface Unary<Q, R> {
  readonly path: string;
  readonly request: Schema<Q>;
  readonly response: Schema<R>;
  readonly retry: RetryPolicy;
}

/** A call with many answers, many requests, or both. */
export interface Streaming<Q, R> {
  readonly path: string;
  readonly request: Schema<Q>;
  readonly response: Schema<R>;
}

export function unary<Q, R>(
  path: string,
  request: Schema<Q>,
  response: Schema<R>,
  retry: RetryPolicy = "once",
): Unary<Q, R> {
  return { path, request, response, retry };
}

export function streaming<Q, R>(
  path: string,
  request: Schema<Q>,
  response: Schema<R>,
): Streaming<Q, R> {
  return { path, request, response };
}

/** Messages in both directions, decoded. */
export interface MessageStream<Q, R> {
  send(request: Init<Q>): void;
  end(): void;
  /** Undefined when the server ended well. Rejects with `StatusError`. */
  next(): Promise<R | undefined>;
  cancel(): void;
}
