/**
 * Unary gRPC calls over node:http2: half the work of a whole gRPC client, and another one beside it
 * for the servers to get along with.
 */
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import type { Answer } from "../lib/grpc.ts";

const NOTHING = new Uint8Array(0);
const FRAME_HEADER_BYTES = 5;
const UNKNOWN = 2;
const UNAVAILABLE = 14;
/** Large answers must not wait for the window of a connection that many share. */
const WINDOW_BYTES = 16 * 1024 * 1024;

export class FastUnary {
  readonly #session: ClientHttp2Session;

  constructor(endpoint: string) {
    const settings = { initialWindowSize: WINDOW_BYTES };
    this.#session = connect(`http://${endpoint}`, { settings });
    this.#session.on("connect", () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    this.#session.on("error", () => {});
  }

  close(): void {
    this.#session.destroy();
  }

  /** Never rejects: a broken connection is UNAVAILABLE. */
  unary(path: string, message: Uint8Array): Promise<Answer> {
    return new Promise((resolve) => {
      if (this.#session.destroyed) return resolve(failed("the connection is closed"));
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const chunks: Buffer[] = [];
      let headers: IncomingHttpHeaders = {};
      stream.on("response", (response) => (headers = response));
      stream.on("trailers", (trailers) => (headers = trailers));
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", (error) => resolve(failed(error.message)));
      stream.on("close", () => resolve(answerOf(headers, chunks)));
      stream.end(framed(message));
    });
  }
}

function failed(text: string): Answer {
  return { code: UNAVAILABLE, text, body: NOTHING };
}

function framed(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

function answerOf(headers: IncomingHttpHeaders, chunks: readonly Buffer[]): Answer {
  const code = Number(headers["grpc-status"] ?? UNKNOWN);
  const text = decodeURIComponent(String(headers["grpc-message"] ?? ""));
  if (code !== 0) return { code, text, body: NOTHING };
  const frame = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  if (frame.length < FRAME_HEADER_BYTES) return failed("an answer without a message");
  const body = frame.subarray(FRAME_HEADER_BYTES);
  const isWhole = frame[0] === 0 && frame.readUInt32BE(1) === body.length;
  return isWhole ? { code, text, body } : failed("an answer that is not one message");
}
