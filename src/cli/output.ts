import { writeSync } from "node:fs";

/** What a program writes to. */
export interface Output {
  write(chunk: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
}

/** What a shell reports of a program that a broken pipe ended. */
const STATUS_BROKEN_PIPE = 141;

/**
 * Standard output or error, written at once. Node's own streams do the same, but to load them
 * takes a tenth of the time of a short command.
 */
export class Descriptor implements Output {
  readonly #fd: 1 | 2;
  /** Node's stream, once the other end has turned out not to take what it is given. */
  #stream: NodeJS.WriteStream | undefined;

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  get isTTY(): boolean {
    return this.#nodeStream().isTTY === true;
  }

  write(chunk: string | Uint8Array): void {
    let rest: Uint8Array = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    while (rest.length > 0 && this.#stream === undefined) rest = rest.subarray(this.#some(rest));
    if (rest.length > 0) this.#stream!.write(rest);
  }

  /** Resolves when all is written. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stream === undefined) resolve();
      else this.#stream.write("", () => resolve());
    });
  }

  /** How many bytes went out. */
  #some(bytes: Uint8Array): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (isGone(code)) process.exit(STATUS_BROKEN_PIPE);
      if (code !== "EAGAIN") throw error;
      this.#stream = this.#nodeStream();
      this.#stream.on("error", (failed: NodeJS.ErrnoException) => {
        if (!isGone(failed.code)) throw failed;
        process.exit(STATUS_BROKEN_PIPE);
      });
      return 0;
    }
  }

  #nodeStream(): NodeJS.WriteStream {
    return this.#fd === 1 ? process.stdout : process.stderr;
  }
}

/** A socket whose reader left something unread says so with a reset. */
function isGone(code: string | undefined): boolean {
  return code === "EPIPE" || code === "ECONNRESET";
}
