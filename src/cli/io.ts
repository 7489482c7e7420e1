import { realpathSync } from "node:fs";
import { Descriptor, type Output } from "./output.ts";

/** The program's surroundings, so that tests can be its surroundings too. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** All of standard input. */
export async function readAll(io: Io): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Uint8Array | string));
  return Buffer.concat(chunks);
}

/** Standard input line by line, without the newlines. */
export class LineReader {
  readonly #chunks: AsyncIterator<string | Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(io: Io) {
    this.#chunks = io.stdin[Symbol.asyncIterator]();
  }

  /** Undefined at the end of the input; a last line without a newline does not count. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end >= 0) {
        const line = this.#rest.toString("utf8", 0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      const chunk = await this.#chunks.next();
      if (chunk.done === true) return undefined;
      this.#rest = Buffer.concat([this.#rest, Buffer.from(chunk.value)]);
    }
  }

  /** The next line, or at the end of the input what there is of one. */
  async lastOrNext(): Promise<string> {
    const line = await this.next();
    if (line !== undefined) return line;
    const rest = this.#rest.toString();
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}

/** What a program's `main` is: it returns the exit status, with the output perhaps on its way. */
export type Main = (argv: readonly string[], env: NodeJS.ProcessEnv, io: Io) => Promise<number>;

/**
 * Runs a program when its file, or the bundle it is in, is what Node was started with. Ends when
 * everything is written, whatever sockets and timers may still be there.
 */
export async function runIfMain(file: string, main: Main, argv: readonly string[]): Promise<void> {
  if (process.argv[1] === undefined || !isFile(process.argv[1], file)) return;
  // Should there be nothing left to wait for before the end, that is no success.
  process.exitCode = 1;
  const stdout = new Descriptor(1);
  const stderr = new Descriptor(2);
  const io = {
    stdout,
    stderr,
    get stdin() {
      return process.stdin;
    },
  };
  const status = await main(argv, process.env, io);
  await Promise.all([stdout.flushed(), stderr.flushed()]);
  process.exit(status);
}

function isFile(path: string, file: string): boolean {
  try {
    return realpathSync(path) === file;
  } catch {
    return false;
  }
}
