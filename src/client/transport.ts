import { CODE, codeName } from "../proto/index.ts";

/**
 * What the client needs of a connection. Bytes are single messages, without the gRPC frame.
 */
export interface Transport {
  /** Rejects with `StatusError`. */
  unary(path: string, request: Uint8Array, call: CallOptions): Promise<Uint8Array>;
  stream(path: string, call: CallOptions): ByteStream;
  /** False once the connection broke or the server said goodbye: dial again. */
  readonly usable: boolean;
  readonly peer: Peer;
  close(): void;
}

export interface CallOptions {
  /** Names in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds from now until the call fails with DeadlineExceeded. */
  readonly timeoutMs?: number | undefined;
}

/** Both halves of a stream. */
export interface ByteStream {
  send(message: Uint8Array): void;
  /** Nothing more will be sent. */
  end(): void;
  /** The next message, undefined when the server ended well. Rejects with `StatusError`. */
  next(): Promise<Uint8Array | undefined>;
  cancel(): void;
}

export interface Peer {
  readonly remote: string;
  readonly local: string;
  readonly secure: boolean;
}

/** How to reach a server. */
export interface DialOptions {
  readonly timeoutMs: number;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly receiveBytesMax: number;
  readonly sendBytesMax: number;
  readonly tls: ClientTls | undefined;
}

/** Contents of PEM files. */
export interface ClientTls {
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Who may sign the server's certificate: without, those whom Node knows; without any, nobody. */
  readonly authorities?: string | readonly string[] | undefined;
  /** The name the server's certificate must carry, when it is not the endpoint's host. */
  readonly serverName?: string | undefined;
  readonly unverified?: boolean | undefined;
}

/** Opens a connection. Rejects with an error whose message is the reason, as Go would say it. */
export type Dial = (endpoint: string, options: DialOptions) => Promise<Transport>;

/** How a call ended that did not end well. */
export class StatusError extends Error {
  readonly code: number;
  /** The server has not begun with the call: anybody may be asked instead, whatever it is. */
  readonly isUnprocessed: boolean;

  constructor(code: number, message: string, isUnprocessed = false) {
    super(message);
    this.code = code;
    this.isUnprocessed = isUnprocessed;
  }

  /** With its code, as gRPC libraries print it. */
  get withCode(): string {
    return `rpc error: code = ${codeName(this.code)} desc = ${this.message}`;
  }

  /** Whether the call's own time ran out or it was given up. */
  get isContextError(): boolean {
    return this.code === CODE.deadlineExceeded || this.code === CODE.canceled;
  }
}
