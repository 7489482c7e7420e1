import {
  durationFlag,
  EXIT,
  Exit,
  FieldLines,
  FORMATS,
  type FlagValues,
  type Format,
  type Io,
  offering,
  Progress,
  render,
  stringFlag,
  type View,
} from "../cli/index.ts";

type Level = "info" | "warn" | "error";

/** Flags of every command. */
export const globalFlags = {
  timeout: durationFlag(
    "time to wait to obtain a file lock on db file, 0 to block indefinitely",
    10_000,
  ),
  "write-out": offering(
    FORMATS.toSorted(),
    stringFlag("set the output format (fields, json, protobuf, simple, table)", "simple", "w"),
  ),
} as const;

/** What commands work with. */
export class Utl {
  readonly flags: FlagValues<typeof globalFlags>;
  readonly #io: Io;

  constructor(flags: FlagValues<typeof globalFlags>, io: Io) {
    this.flags = flags;
    this.#io = io;
  }

  out(text: string): void {
    this.#io.stdout.write(text);
  }

  /** Throws `Exit`. */
  checkFormat(): void {
    if (FORMATS.includes(this.flags["write-out"])) return;
    throw new Exit(EXIT.badFeature, "unsupported output format");
  }

  show(view: View): void {
    const format = this.flags["write-out"] as Format;
    this.#io.stdout.write(render(view, format, (page) => new FieldLines(page)));
  }

  /** A line of the log; `caller` is where in etcdutl the like of it is written. */
  log(caller: string, msg: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log("info", caller, msg, fields);
  }

  warn(caller: string, msg: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log("warn", caller, msg, fields);
  }

  error(caller: string, msg: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#log("error", caller, msg, fields);
  }

  #log(
    level: Level,
    caller: string,
    msg: string,
    fields: Readonly<Record<string, unknown>> | undefined,
  ): void {
    const parts = [localTime(), level, caller, msg];
    if (fields !== undefined) parts.push(spaced(fields));
    this.#io.stderr.write(`${parts.join("\t")}\n`);
  }

  /** For work of which `total` units are to be done. */
  progress(what: string, total: number): Progress {
    return new Progress(this.#io.stderr, what, total);
  }
}

/** Now, with the offset of the local time zone: `2026-11-25T15:11:18Z`. */
function localTime(): string {
  const now = new Date();
  const offset = -now.getTimezoneOffset();
  const text = new Date(now.getTime() + offset * 60_000).toISOString().slice(0, 19);
  if (offset === 0) return `${text}Z`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const size = Math.abs(offset);
  return `${text}${offset < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
}

/** An object in JSON with blanks after colons and commas. */
function spaced(fields: Readonly<Record<string, unknown>>): string {
  const value = (field: unknown): string =>
    Array.isArray(field) ? `[${field.map(value).join(", ")}]` : JSON.stringify(field);
  const members = Object.entries(fields).map(([name, field]) => `"${name}": ${value(field)}`);
  return `{${members.join(", ")}}`;
}
