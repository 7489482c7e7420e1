/** A gRPC client that shares no code with quord: @grpc/grpc-js, with messages left as bytes. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { DescMethod } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

/** How a call ended: a body exactly when the code is 0. */
export interface Answer {
  readonly code: number;
  readonly text: string;
  readonly body: Uint8Array;
}

/** All that a server stream sent before it ended. */
export interface StreamAnswer {
  readonly code: number;
  readonly text: string;
  readonly messages: readonly Uint8Array[];
}

/** A call that is open in both directions. */
export interface Duplex {
  send(message: Uint8Array): void;
  cancel(): void;
}

/** A status other than OK, as an exception. */
export class GrpcError extends Error {
  readonly code: number;
  readonly text: string;
  constructor(path: string, code: number, text: string) {
    super(`${path}: ${grpc.status[code] ?? code}: ${text}`);
    this.code = code;
    this.text = text;
  }
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const asIs = (bytes: Buffer): Uint8Array => bytes;
const NOTHING = new Uint8Array(0);
const MESSAGE_BYTES_MAX = 2 ** 31 - 1;

export interface WithMetadata {
  readonly metadata?: Readonly<Record<string, string>>;
}

function metadataOf(options: WithMetadata): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  return metadata;
}

/** The name of a method on the wire. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** One connection to one server. */
export class Client {
  readonly #client: grpc.Client;

  constructor(endpoint: string) {
    this.#client = new grpc.Client(endpoint, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** A unary call with bytes in and out. Never rejects. */
  unary(
    path: string,
    message: Uint8Array,
    options: grpc.CallOptions & WithMetadata = {},
  ): Promise<Answer> {
    return this.begin(path, message, options).answer;
  }

  /** A unary call that may be given up. Never rejects. */
  begin(
    path: string,
    message: Uint8Array,
    options: grpc.CallOptions & WithMetadata = {},
  ): { readonly answer: Promise<Answer>; readonly cancel: () => void } {
    let cancel = () => {};
    const answer = new Promise<Answer>((resolve) => {
      const done = (error: grpc.ServiceError | null, body?: Uint8Array) => {
        if (error) resolve({ code: error.code, text: error.details, body: NOTHING });
        else resolve({ code: 0, text: "", body: body! });
      };
      const metadata = metadataOf(options);
      const call = this.#client.makeUnaryRequest(
        path,
        asBuffer,
        asIs,
        message,
        metadata,
        options,
        done,
      );
      cancel = () => call.cancel();
    });
    return { answer, cancel };
  }

  /** A server stream that goes on until it is given up. */
  observe(path: string, message: Uint8Array, receive: (message: Uint8Array) => void): () => void {
    const call = this.#client.makeServerStreamRequest(path, asBuffer, asIs, message);
    call.on("data", receive);
    call.on("error", () => {});
    return () => call.cancel();
  }

  /** A server stream, collected to its end. Never rejects. */
  collect(path: string, message: Uint8Array): Promise<StreamAnswer> {
    return new Promise((resolve) => {
      const messages: Uint8Array[] = [];
      const call = this.#client.makeServerStreamRequest(path, asBuffer, asIs, message);
      call.on("data", (bytes: Uint8Array) => messages.push(bytes));
      call.on("error", () => {});
      call.on("status", ({ code, details }) => resolve({ code, text: details, messages }));
    });
  }

  /** A call in both directions; each arriving message goes to `receive`, its status to `end`. */
  duplex(
    path: string,
    receive: (message: Uint8Array) => void,
    options: WithMetadata & { readonly end?: (code: number, text: string) => void } = {},
  ): Duplex {
    const call = this.#client.makeBidiStreamRequest(path, asBuffer, asIs, metadataOf(options));
    call.on("data", receive);
    call.on("error", () => {});
    call.on("status", ({ code, details }) => options.end?.(code, details));
    return { send: (message) => void call.write(message), cancel: () => call.cancel() };
  }

  /** A unary call with messages in and out. Rejects with GrpcError. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    request: MessageInitShape<I>,
    options: grpc.CallOptions = {},
  ): Promise<MessageShape<O>> {
    const bytes = toBinary(method.input, create(method.input, request));
    const answer = await this.unary(pathOf(method), bytes, options);
    if (answer.code !== 0) throw new GrpcError(pathOf(method), answer.code, answer.text);
    return fromBinary(method.output, answer.body);
  }
}
