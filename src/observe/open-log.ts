import { existsSync, fstatSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type LogFormat, Logger, type LogLevel } from "./log.ts";
import { type Rotation, RotatingFile } from "./rotation.ts";
import { FileSink, PlainFile, type Sink, standardSink } from "./sinks.ts";

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** `default`, `stderr`, `stdout`, `systemd/journal` or paths; `/dev/null` silences all others. */
  readonly outputs: readonly string[];
  /** Of the one path among the outputs. */
  readonly rotation?: Rotation | undefined;
}

const JOURNAL_SOCKET = "/run/systemd/journal/socket";

/** Opens a log. Throws an Error with zap's text when an output cannot be opened. */
export function openLogger({ level, format, outputs, rotation }: LogOptions): Logger {
  const paths = outputs.map((output) => (output === "default" ? "stderr" : output));
  const isSilent = paths.includes("/dev/null");
  const sinks = isSilent ? [] : [...new Set(paths)].map((path) => openSink(path, rotation));
  return new Logger({ level, format, sinks });
}

function openSink(path: string, rotation: Rotation | undefined): Sink {
  if (path === "stderr") return standardSink(2);
  if (path === "stdout") return standardSink(1);
  if (path === "systemd/journal") return new JournalSink();
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(path)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "file") {
    throw new Error(`open sink "${path}": no sink found for scheme "${scheme}"`);
  }
  const file = scheme === undefined ? path : fileURLToPath(path);
  if (rotation !== undefined) return new FileSink(new RotatingFile(file, rotation));
  return new FileSink(new PlainFile(openFile(file)));
}

function openFile(path: string): number {
  try {
    return openSync(path, "a", 0o666);
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code!] ?? (error as Error).message;
    throw new Error(`open sink "${path}": open ${path}: ${reason}`, { cause: error });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EROFS: "read-only file system",
};

/** Syslog's numbers of urgency. */
const PRIORITIES: Readonly<Record<string, number>> = {
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
  fatal: 2,
};

/**
 * systemd's journal, by way of standard error, which a unit has connected to it. The number before
 * each line tells its urgency; the journal's own socket takes datagrams, which Node cannot send.
 */
class JournalSink implements Sink {
  readonly #stderr: Sink;

  constructor() {
    if (!existsSync(JOURNAL_SOCKET)) {
      const reason = "connect: no such file or directory";
      throw new Error(`can't find journal (dial unixgram ${JOURNAL_SOCKET}: ${reason})`);
    }
    const { dev, ino } = fstatSync(2);
    if (process.env["JOURNAL_STREAM"] !== `${dev}:${ino}`) {
      throw new Error("can't find journal (standard error is not connected to it)");
    }
    this.#stderr = standardSink(2);
  }

  write(line: string, level: string): void {
    this.#stderr.write(`<${PRIORITIES[level]}>${line}`, level);
  }

  flush(): void {
    this.#stderr.flush();
  }

  set onLost(hear: Sink["onLost"]) {
    this.#stderr.onLost = hear;
  }
}
