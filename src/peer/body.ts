import type { IncomingMessage } from "node:http";
import { concatBytes, EMPTY_BYTES } from "../base/index.ts";

/** How long the next bytes of a body may take (etcd: `ConnReadTimeout` of the listener). */
const READ_TIMEOUT_MS = 5000;

/** The body of a request, as it comes. What is not asked for stays where it is. */
export class Body {
  readonly #request: IncomingMessage;
  readonly #chunks: AsyncIterator<Buffer>;
  #left: Uint8Array = EMPTY_BYTES;

  constructor(request: IncomingMessage) {
    this.#request = request;
    this.#chunks = request.iterator({ destroyOnReturn: false });
  }

  /** Undefined at the end. Throws when it ends early, or when nothing comes for too long. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#left.length > 0) {
      const left = this.#left;
      this.#left = EMPTY_BYTES;
      return left;
    }
    const timer = setTimeout(
      () => this.#request.destroy(new Error("i/o timeout")),
      READ_TIMEOUT_MS,
    );
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? undefined : value;
    } catch (error) {
      const isCut = (error as NodeJS.ErrnoException).code === "ECONNRESET";
      throw isCut ? new Error("unexpected EOF") : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** So many bytes of their own. Throws `EOF` when there are none, `unexpected EOF` when fewer. */
  async exactly(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const bytes = await this.next();
      if (bytes === undefined) throw new Error(parts.length === 0 ? "EOF" : "unexpected EOF");
      parts.push(bytes.subarray(0, missing));
      this.#left = bytes.subarray(Math.min(missing, bytes.length));
      missing -= Math.min(missing, bytes.length);
    }
    return concatBytes(parts);
  }

  /** All of it; undefined when it is longer than `bytesMax`. Throws as `next` does. */
  async whole(bytesMax: number): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let bytes = await this.next(); bytes !== undefined; bytes = await this.next()) {
      length += bytes.length;
      if (length > bytesMax) return undefined;
      parts.push(bytes);
    }
    return concatBytes(parts);
  }
}
