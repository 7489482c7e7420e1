/**
 * etcd's command line: Go's flag syntax (`-x`, `--x`, `--x=v`, booleans without a value), then
 * `ETCD_*` variables for what the line left unset.
 */
import { quoteText } from "../base/index.ts";
import { parseBool } from "../cli/index.ts";
import { FLAGS, type Flag, type FlagName, flagNamed } from "./flag-table.ts";
import { valueProblem } from "./flag-values.ts";

/**
 * How the process ends on an error, and what it shows. The words are etcd's.
 *
 * usage: the text and a hint, status 2. panic: etcd crashes with the text, status 2. text: the
 * text alone. verify: a line of the log, "failed to verify flags". conflict: a fatal line. start: a
 * fatal line, "discovery failed". discovery: warnings about the token. Status 1 for all but the
 * first two.
 */
type Manner = "usage" | "panic" | "text" | "verify" | "conflict" | "start" | "discovery";

/** Why the member cannot be started with these settings. */
export class FlagError extends Error {
  readonly manner: Manner;
  readonly fields: object;

  constructor(message: string, manner: Manner = "verify", fields: object = {}) {
    super(message);
    this.manner = manner;
    this.fields = fields;
  }

  get exitCode(): number {
    return this.manner === "usage" || this.manner === "panic" ? 2 : 1;
  }
}

/** A line for the log, which is not open yet when it is known. */
export interface Note {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly fields?: object;
}

export interface ParsedFlags {
  /** Of flags that were set; texts as a command line has them, checked. */
  readonly values: ReadonlyMap<FlagName, string>;
  /** Where the values are from. With a file, nothing else counts. */
  readonly source: "flags" | "file";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Help was asked for. */
export class HelpRequest extends Error {}

/** Hears of settings that are allowed, but worth a word. */
export type Say = (note: Note) => void;

const sayNothing: Say = () => {};

/** Reads the command line and the environment. Throws FlagError or HelpRequest. */
export function parseFlags(
  argv: readonly string[],
  env: Environment,
  say: Say = sayNothing,
): ParsedFlags {
  const values = parseArguments(argv);
  const isRun = !parseBool(values.get("version") ?? "false");
  if (isRun && configFileOf(values, env) === undefined) addEnvironment(values, env, say);
  return { values, source: "flags" };
}

/** The configuration file to read instead of all else. */
export function configFileOf(
  values: ReadonlyMap<FlagName, string>,
  env: Environment,
): string | undefined {
  return values.get("config-file") || env["ETCD_CONFIG_FILE"] || undefined;
}

function parseArguments(argv: readonly string[]): Map<FlagName, string> {
  const values = new Map<FlagName, string>();
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === "--") {
      if (i + 1 < argv.length) throw notAFlag(argv[i + 1]!);
      break;
    }
    if (argument.length < 2 || !argument.startsWith("-")) throw notAFlag(argument);
    const [, name, given] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === undefined) throw new FlagError(`bad flag syntax: ${argument}`, "usage");
    const flag = flagNamed(name);
    if (flag === undefined) {
      if (name === "help" || name === "h") throw new HelpRequest();
      throw new FlagError(`flag provided but not defined: -${name}`, "usage");
    }
    const value = given ?? (isSwitch(flag) ? "true" : argv[++i]);
    if (value === undefined) throw new FlagError(`flag needs an argument: -${name}`, "usage");
    setFlag(values, name as FlagName, value);
  }
  return values;
}

const isSwitch = ({ kind }: Flag): boolean => kind === "bool" || kind === "ignored";

function notAFlag(argument: string): FlagError {
  return new FlagError(`${quoteText(argument)} is not a valid flag`);
}

function setFlag(values: Map<FlagName, string>, name: FlagName, value: string): void {
  const problem = valueProblem(FLAGS[name], value);
  if (problem === undefined) return store(values, name, value);
  const [kind, what] = FLAGS[name].kind === "bool" ? ["boolean ", ""] : ["", "flag "];
  const message = `invalid ${kind}value ${quoteText(value)} for ${what}-${name}: ${problem}`;
  throw new FlagError(message, "usage");
}

/** Later values take the place of earlier ones, but gates add up. */
function store(values: Map<FlagName, string>, name: FlagName, value: string): void {
  const before = values.get(name);
  const adds = FLAGS[name].kind === "gates" && before !== undefined;
  values.set(name, adds ? `${before},${value}` : value);
}

/** `ETCD_DATA_DIR` stands for `--data-dir`, where the line does not say it. */
function addEnvironment(values: Map<FlagName, string>, env: Environment, say: Say): void {
  const given = new Set([...values.keys()].map(variableOf));
  const used = new Set<string>();
  if (env["ETCD_VERSION"]) {
    const fields = { key: "ETCD_VERSION", value: env["ETCD_VERSION"] };
    say({ level: "warn", message: "cannot set special environment variable", fields });
    used.add("ETCD_VERSION");
  }
  let problem: FlagError | undefined;
  for (const name of (Object.keys(FLAGS) as FlagName[]).toSorted()) {
    const variable = variableOf(name);
    const value = env[variable];
    if (given.has(variable) || used.has(variable) || !value) continue;
    used.add(variable);
    problem = readVariable(values, name, value, say) ?? problem;
  }
  checkVariables(env, { given, used }, say);
  if (problem !== undefined) throw problem;
}

const variableOf = (name: string): string => `ETCD_${name.toUpperCase().replaceAll("-", "_")}`;

function readVariable(
  values: Map<FlagName, string>,
  name: FlagName,
  value: string,
  say: Say,
): FlagError | undefined {
  const variable = variableOf(name);
  const problem = valueProblem(FLAGS[name], value);
  if (problem !== undefined) {
    return new FlagError(`invalid value ${quoteText(value)} for ${variable}: ${problem}`);
  }
  store(values, name, value);
  say({
    level: "info",
    message: "recognized and used environment variable",
    fields: { "variable-name": variable, "variable-value": value },
  });
  return undefined;
}

function checkVariables(
  env: Environment,
  { given, used }: { given: ReadonlySet<string>; used: ReadonlySet<string> },
  say: Say,
): void {
  for (const [variable, value] of Object.entries(env)) {
    if (used.has(variable) || value === undefined || !variable.startsWith("ETCD_")) continue;
    if (given.has(variable)) {
      throw new FlagError(
        "conflicting environment variable is shadowed by corresponding command-line flag " +
          "(either unset environment variable or disable flag))",
        "conflict",
        { "environment-variable": variable },
      );
    }
    say({
      level: "warn",
      message: "unrecognized environment variable",
      fields: { "environment-variable": `${variable}=${value}` },
    });
  }
}

/** Shown after a mistake of syntax. */
export const HINT = `Usage:

  quord [flags]
  quord --config-file FILE
  quord --version
  quord --help
  quord shims DIR
`;

/** Every flag, its default and what it does. */
export function usage(): string {
  const lines = Object.entries<Flag>(FLAGS)
    .filter(([, flag]) => flag.kind !== "ignored")
    .map(([name, flag]) => `  --${name} '${flag.default}'\n    ${helpOf(flag)}`);
  return `\n${lines.join("\n")}\n`;
}

function helpOf({ help, later, valid }: Flag): string {
  const state = {
    refuse: " (not supported yet)",
    warn: " (no effect yet)",
    ignore: " (no effect)",
  };
  const words = help === "" && valid !== undefined ? valid.join(" or ") : help;
  return `${words}${later === undefined ? "" : state[later]}`;
}
