import type { IncomingMessage } from "node:http";
import { concatBytes, EMPTY_BYTES } from "../base/index.ts";

/** The body of a request, as it comes. What is not asked for stays where it is. */
export class Body {
  readonly #request: IncomingMessage;
  readonly #timeoutMs: number;
  /** Bytes that have come and that nobody has asked for. */
  #left: Uint8Array = EMPTY_BYTES;
  #end: "open" | "whole" | Error = "open";
  #wake = (): void => {};

  /** The next bytes may take so long (etcd: `ConnReadTimeout` of the listener). */
  constructor(request: IncomingMessage, timeoutMs: number) {
    this.#request = request;
    this.#timeoutMs = timeoutMs;
    request.on("data", (chunk: Buffer) => {
      this.#left = this.#left.length === 0 ? chunk : concatBytes([this.#left, chunk]);
      request.pause();
      this.#wake();
    });
    request.on("end", () => this.#ended("whole"));
    request.on("close", () => this.#ended(new Error("unexpected EOF")));
    request.on("error", (error: NodeJS.ErrnoException) => {
      this.#ended(error.code === "ECONNRESET" ? new Error("unexpected EOF") : error);
    });
    request.pause();
  }

  #ended(how: "whole" | Error): void {
    if (this.#end === "open") this.#end = how;
    this.#wake();
  }

  /** Undefined at the end. Throws when it ends early, or when nothing comes for too long. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#left.length === 0 && this.#end === "open") await this.#more();
    const bytes = this.#left;
    this.#left = EMPTY_BYTES;
    if (bytes.length > 0) return bytes;
    if (this.#end instanceof Error) throw this.#end;
    return undefined;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#ended(new Error("i/o timeout")), this.#timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      this.#request.resume();
    });
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
