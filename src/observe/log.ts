import { consoleLine, jsonLine, type LogEntry } from "./log-line.ts";
import { callerOf, stackOf, takePlace } from "./caller.ts";
import { Sampler } from "./sampler.ts";
import { type Sink, standardSink } from "./sinks.ts";

/** From least to most urgent. Nothing is written at dpanic or panic; they are thresholds. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFormat = "json" | "console";

type Written = Exclude<LogLevel, "dpanic" | "panic">;

export interface LoggerOptions {
  /** Lines below it are left out. */
  readonly level: LogLevel;
  readonly format?: LogFormat;
  /** Standard error when not given. */
  readonly sinks?: readonly Sink[];
  /** In its lines as `logger`. */
  readonly name?: string;
}

/** Where lines go, for all logs of one origin. */
interface Outlet {
  readonly least: number;
  readonly toLine: (entry: LogEntry) => string;
  readonly sampler: Sampler;
  sinks: readonly Sink[] | undefined;
}

/**
 * A log in the shape of etcd's (zap): a JSON object or a line of text for each event. Writing never
 * throws and never waits for a reader: what cannot be written is lost, not the store.
 */
export class Logger {
  readonly #options: LoggerOptions;
  readonly #outlet: Outlet;

  constructor(options: LoggerOptions, outlet?: Outlet) {
    const { level, format = "json", sinks } = options;
    this.#options = options;
    this.#outlet = outlet ?? {
      least: LOG_LEVELS.indexOf(level),
      toLine: format === "json" ? jsonLine : consoleLine,
      sampler: new Sampler(),
      sinks: undefined,
    };
    if (outlet === undefined && sinks !== undefined) this.#use(sinks);
  }

  /** The same log for one part of the program, whose name its lines bear (zap: `Named`). */
  named(name: string): Logger {
    return new Logger({ ...this.#options, name }, this.#outlet);
  }

  debug(message: string, fields?: object): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: object): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: object): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: object): void {
    this.#write("error", message, fields);
  }

  /** Says why the process stops; stopping it is the caller's act. */
  fatal(message: string, fields?: object): void {
    this.#write("fatal", message, fields);
  }

  /** Whether lines of a level are written, for callers whose fields are dear. */
  isOn(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#outlet.least;
  }

  /** Writes out what waits, as far as that can be done at once: the process is about to end. */
  flush(): void {
    for (const sink of this.#outlet.sinks ?? []) sink.flush();
  }

  #use(sinks: readonly Sink[]): readonly Sink[] {
    for (const sink of sinks) {
      sink.onLost = (lines) => this.warn("lines of the log were lost", { lines });
    }
    this.#outlet.sinks = sinks;
    return sinks;
  }

  #write(level: Written, message: string, fields: object = {}): void {
    const place = takePlace();
    const { sampler, toLine, sinks } = this.#outlet;
    if (!this.isOn(level) || !sampler.admits(level, message)) return;
    const isGrave = level === "error" || level === "fatal";
    const from = Logger.prototype[level];
    const entry = {
      level,
      name: this.#options.name,
      message,
      fields,
      caller: place ?? callerOf(from),
      stack: isGrave ? stackOf(fields, from) : undefined,
    };
    const line = toLine(entry);
    for (const sink of sinks ?? this.#use([standardSink(2)])) sink.write(line, level);
  }
}
