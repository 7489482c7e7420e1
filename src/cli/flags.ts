import { formatDuration, quoteText } from "../base/index.ts";
import { GoTextError, parseBool, parseDurationMs, parseInt64, parseUint64 } from "./go-text.ts";

/** A command line that cannot be read; the message is for the user, in the words of `pflag`. */
export class UsageError extends Error {}

/** For command lines within a program, which have no help to show. */
const HELP_REQUESTED = "pflag: help requested";

type Kind = "bool" | "string" | "int" | "uint" | "duration" | "strings";

/** An option of a command: what it is called with, and what it is when it is not given. */
export interface Flag<T = unknown> {
  readonly kind: Kind;
  readonly usage: string;
  readonly fallback: T;
  /** A single letter, for `-w`. */
  readonly short?: string;
  /** The command does not run without it. */
  readonly isRequired?: true;
  /** What a shell offers as its value. */
  readonly offers?: "directories" | readonly string[];
}

/** Flags by their names, as in `--name`. */
export type Flags = Readonly<Record<string, Flag>>;

/** What a command's `run` gets: the value of each of its flags. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

export const boolFlag = (usage: string, fallback = false, short?: string): Flag<boolean> =>
  flag("bool", usage, fallback, short);
export const stringFlag = (usage: string, fallback = "", short?: string): Flag<string> =>
  flag("string", usage, fallback, short);
export const intFlag = (usage: string, fallback = 0): Flag<number> => flag("int", usage, fallback);
export const uintFlag = (usage: string, fallback = 0): Flag<number> =>
  flag("uint", usage, fallback);
/** In milliseconds; on the command line as in Go: `5s`, `1m30s`. */
export const durationFlag = (usage: string, fallback: number): Flag<number> =>
  flag("duration", usage, fallback);
/** A list with commas between; each further use of the flag adds to it. */
export const stringsFlag = (usage: string, fallback: readonly string[]): Flag<readonly string[]> =>
  flag("strings", usage, fallback);

function flag<T>(kind: Kind, usage: string, fallback: T, short?: string): Flag<T> {
  return short === undefined ? { kind, usage, fallback } : { kind, usage, fallback, short };
}

/** The command does not run without this flag. */
export const required = <T>(of: Flag<T>): Flag<T> => ({ ...of, isRequired: true });

/** Has shells offer these as values of a flag. */
export const offering = <T>(offers: "directories" | readonly string[], of: Flag<T>): Flag<T> => ({
  ...of,
  offers,
});

/** The flags of one run of the program: their values, and which were given. */
export class FlagSet {
  readonly specs: Flags;
  readonly values: Record<string, unknown> = {};
  /** Names of the flags that were given. */
  readonly given = new Set<string>();
  /** What is left of the command line when the flags are taken out. */
  readonly args: string[] = [];

  constructor(specs: Flags) {
    this.specs = specs;
    for (const [name, spec] of Object.entries(specs)) this.values[name] = spec.fallback;
  }

  /** Throws `UsageError` when a flag was not given that must be. */
  checkRequired(): void {
    const missing = Object.keys(this.specs)
      .filter((name) => this.specs[name]!.isRequired === true && !this.given.has(name))
      .toSorted();
    if (missing.length === 0) return;
    throw new UsageError(`required flag(s) ${missing.map(quoteText).join(", ")} not set`);
  }

  /** Throws `UsageError`. Flags may stand anywhere before `--`. */
  parse(argv: readonly string[]): void {
    const rest = [...argv];
    while (rest.length > 0) {
      const arg = rest.shift()!;
      if (arg === "--") {
        this.args.push(...rest);
        return;
      }
      if (arg.length < 2 || !arg.startsWith("-")) this.args.push(arg);
      else if (arg.startsWith("--")) this.#long(arg, rest);
      else this.#shorts(arg.slice(1), rest);
    }
  }

  #long(arg: string, rest: string[]): void {
    const body = arg.slice(2);
    if (/^[-=]/.test(body)) throw new UsageError(`bad flag syntax: ${arg}`);
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const spec = this.specs[name];
    if (spec === undefined && name === "help") throw new UsageError(HELP_REQUESTED);
    if (spec === undefined) throw new UsageError(`unknown flag: --${name}`);
    if (equals >= 0) this.#set(name, spec, body.slice(equals + 1));
    else if (spec.kind === "bool") this.#set(name, spec, "true");
    else if (rest.length > 0) this.#set(name, spec, rest.shift()!);
    else throw new UsageError(`flag needs an argument: --${name}`);
  }

  /** `-abc`, `-wjson`, `-w=json` or `-w` with the value behind it. */
  #shorts(letters: string, rest: string[]): void {
    for (let left = letters; left !== ""; ) {
      const letter = left[0]!;
      const entry = Object.entries(this.specs).find(([, spec]) => spec.short === letter);
      if (entry === undefined && letter === "h") throw new UsageError(HELP_REQUESTED);
      if (entry === undefined) {
        throw new UsageError(`unknown shorthand flag: ${quoteRune(letter)} in -${left}`);
      }
      const [name, spec] = entry;
      const tail = left.slice(1);
      left = "";
      if (tail.length > 1 && tail.startsWith("=")) this.#set(name, spec, tail.slice(1));
      else if (spec.kind === "bool") {
        this.#set(name, spec, "true");
        left = tail;
      } else if (tail !== "") this.#set(name, spec, tail);
      else if (rest.length > 0) this.#set(name, spec, rest.shift()!);
      else throw new UsageError(`flag needs an argument: ${quoteRune(letter)} in -${letter}`);
    }
  }

  #set(name: string, spec: Flag, text: string): void {
    try {
      this.set(name, text);
    } catch (error) {
      if (!(error instanceof GoTextError)) throw error;
      const shown = spec.short === undefined ? `--${name}` : `-${spec.short}, --${name}`;
      const what = `invalid argument ${quoteText(text)} for ${quoteText(shown)} flag`;
      throw new UsageError(`${what}: ${error.message}`);
    }
  }

  /** Sets a flag from text; throws `GoTextError`. */
  set(name: string, text: string): void {
    const spec = this.specs[name]!;
    const value = parseValue(spec.kind, text);
    const before = this.given.has(name) ? (this.values[name] as readonly string[]) : [];
    this.values[name] = spec.kind === "strings" ? [...before, ...(value as string[])] : value;
    this.given.add(name);
  }
}

function parseValue(kind: Kind, text: string): unknown {
  switch (kind) {
    case "bool":
      return parseBool(text);
    case "int":
      return Number(parseInt64(text, 0));
    case "uint":
      return Number(parseUint64(text, 0));
    case "duration":
      return parseDurationMs(text);
    case "strings":
      return text === "" ? [] : text.split(",");
    case "string":
      return text;
  }
}

/** A letter as Go's `%q` writes a rune: in single quotes. */
function quoteRune(letter: string): string {
  return letter === "'" ? "'\\''" : `'${letter === '"' ? letter : quoteText(letter).slice(1, -1)}'`;
}

const TYPE_NAMES: Readonly<Record<Kind, string>> = {
  bool: "",
  string: " string",
  int: " int",
  uint: " uint",
  duration: " duration",
  strings: " strings",
};

/** The table of flags in a help text: one line each, sorted, the texts aligned. */
export function flagUsages(flags: Flags): string {
  const lines = Object.entries(flags)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, spec]) => {
      const named = /`([^`]*)`/.exec(spec.usage);
      const type = named === null ? TYPE_NAMES[spec.kind] : ` ${named[1]}`;
      const head = `${spec.short === undefined ? "      " : `  -${spec.short}, `}--${name}${type}`;
      return {
        head,
        text: spec.usage.replaceAll("`", named === null ? "`" : "") + defaultOf(spec),
      };
    });
  const width = Math.max(...lines.map(({ head }) => head.length));
  return lines.map(({ head, text }) => `${head.padEnd(width)}   ${text}\n`).join("");
}

function defaultOf(spec: Flag): string {
  const { kind, fallback } = spec;
  if (kind === "strings")
    return (fallback as string[]).length === 0 ? "" : ` (default [${fallback}])`;
  if (fallback === "" || fallback === 0 || fallback === false) return "";
  if (kind === "string") return ` (default ${quoteText(fallback as string)})`;
  const text = kind === "duration" ? formatDuration(fallback as number) : String(fallback);
  return ` (default ${text})`;
}
