import { constants, fstatSync, openSync, write, writeSync } from "node:fs";
import { Socket } from "node:net";

/** Where lines of the log go. No method throws, and none waits for a reader or a disk. */
export interface Sink {
  write(line: string, level: string): void;
  /** Writes what waits, as far as it goes at once. */
  flush(): void;
  /** Who hears how many lines were lost, when there is room again. */
  onLost: (lines: number) => void;
}

/** Lines that wait for a slow reader. Beyond it new lines are lost, and counted. */
const WAITING_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 50;
/** How much goes into a file in one call. */
const CHUNK_BYTES = 64 * 1024;

/** What waits to be written, in a bounded amount. */
class Waiting {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #lost = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  add(line: string): void {
    const chunk = Buffer.from(line);
    if (this.#bytes + chunk.length > WAITING_BYTES_MAX) {
      this.#lost++;
      return;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Takes the oldest lines, about `CHUNK_BYTES` of them. */
  take(): Buffer {
    let bytes = 0;
    let count = 0;
    while (count < this.#chunks.length && bytes < CHUNK_BYTES) {
      bytes += this.#chunks[count++]!.length;
    }
    const taken = Buffer.concat(this.#chunks.splice(0, count));
    this.#bytes -= taken.length;
    return taken;
  }

  putBack(rest: Buffer): void {
    this.#chunks.unshift(rest);
    this.#bytes += rest.length;
  }

  /** How many lines were lost since it was last asked. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }
}

/** A pipe, a socket or a terminal that was made not to block: it takes what its reader leaves room for. */
export class StreamSink implements Sink {
  onLost = (_lines: number): void => {};
  readonly #fd: number;
  readonly #waiting = new Waiting();
  #retry: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    this.#waiting.add(line);
    if (this.#retry === undefined) this.flush();
  }

  flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    while (!this.#waiting.isEmpty) {
      const chunk = this.#waiting.take();
      const rest = this.#push(chunk);
      if (rest.length === 0) continue;
      this.#waiting.putBack(rest);
      this.#retry = setTimeout(() => this.flush(), RETRY_MS).unref();
      return;
    }
    const lost = this.#waiting.takeLost();
    if (lost > 0) this.onLost(lost);
  }

  /** What the stream had no room for. */
  #push(chunk: Buffer): Buffer {
    let at = 0;
    try {
      while (at < chunk.length) at += writeSync(this.#fd, chunk, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return chunk.subarray(at);
      // Nobody reads the log any more: the store goes on.
    }
    return chunk.subarray(chunk.length);
  }
}

/** Where in which file lines go. */
export interface Room {
  readonly fd: number;
  /** How many bytes of the lines fit, up to the end of a line. */
  readonly bytes: number;
}

/** What a `FileSink` writes to. */
export interface LogFile {
  /** The file that is open, if one is. */
  readonly fd: number | undefined;
  /** Makes room for at least the first line. Throws what the system says. */
  makeRoom(lines: Buffer): Room;
}

/** A file that only grows, open for appending. */
export class PlainFile implements LogFile {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  makeRoom(lines: Buffer): Room {
    return { fd: this.fd, bytes: lines.length };
  }
}

/** How long the last words wait for a write that is under way. */
const LAST_WAIT_MS = 100;

/**
 * A file. Lines of one turn are written together, and by the thread pool: a disk may be slow. A
 * full disk costs lines, and no more.
 */
export class FileSink implements Sink {
  onLost = (_lines: number): void => {};
  readonly #file: LogFile;
  readonly #waiting = new Waiting();
  #state: "idle" | "soon" | "writing" = "idle";
  /** Of the file when the write under way is done. */
  #sizeThen = 0;

  constructor(file: LogFile) {
    this.#file = file;
  }

  write(line: string): void {
    this.#waiting.add(line);
    if (this.#state !== "idle") return;
    this.#state = "soon";
    setImmediate(() => this.#next());
  }

  flush(): void {
    if (this.#state === "writing") waitForSize(this.#file.fd!, this.#sizeThen);
    while (!this.#waiting.isEmpty) {
      const lines = this.#waiting.take();
      try {
        writeSync(this.#file.fd ?? this.#file.makeRoom(lines).fd, lines);
      } catch {
        // The disk is full, or gone: the store goes on.
      }
    }
  }

  #next(): void {
    this.#state = "idle";
    while (!this.#waiting.isEmpty) {
      if (this.#begin(this.#waiting.take())) return;
    }
    const lost = this.#waiting.takeLost();
    if (lost > 0) this.onLost(lost);
  }

  /** Whether a write is under way now. */
  #begin(lines: Buffer): boolean {
    try {
      const { fd, bytes } = this.#file.makeRoom(lines);
      if (bytes < lines.length) this.#waiting.putBack(lines.subarray(bytes));
      this.#sizeThen = fstatSync(fd).size + bytes;
      write(fd, lines, 0, bytes, null, () => this.#next());
      this.#state = "writing";
      return true;
    } catch {
      return false;
    }
  }
}

/** The only way to see, without giving way, how far the thread pool is. */
function waitForSize(fd: number, size: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let ms = 0; ms < LAST_WAIT_MS && fstatSync(fd).size < size; ms++)
    Atomics.wait(cell, 0, 0, 1);
}

/** Handles that keep a shared descriptor from blocking. */
const unblocked: Socket[] = [];

/** Standard output (1) or standard error (2). */
export function standardSink(fd: 1 | 2): Sink {
  const stat = fstatSync(fd);
  if (stat.isFile()) return new FileSink(new PlainFile(fd));
  try {
    // A description of our own: whoever shares the old one keeps it as it was.
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return new StreamSink(openSync(`/proc/self/fd/${fd}`, flags));
  } catch {
    // A socket cannot be opened, nor the pipe of another user.
    if (stat.isFIFO() || stat.isSocket()) {
      unblocked.push(new Socket({ fd, readable: false, writable: true }).unref());
    }
    return new StreamSink(fd);
  }
}
