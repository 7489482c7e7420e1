import { Exit, EXIT, type FlagSet, GoTextError } from "../cli/index.ts";
import { globalFlags } from "./global-flags.ts";
import { type LogEntry, logLine } from "./log-line.ts";

const PREFIX = "ETCDCTL_";
/** Read by `watch` itself, so that they are no mistake there. */
const WATCH_VARIABLES = ["ETCDCTL_WATCH_KEY", "ETCDCTL_WATCH_RANGE_END"];

export function variableOf(flag: string): string {
  return PREFIX + flag.toUpperCase().replaceAll("-", "_");
}

/**
 * Sets the flags that were not given from the environment. A variable beside a given flag ends
 * the program, one that means nothing is reported, and a value that cannot be read is ignored.
 */
export function applyEnvironment(
  flags: FlagSet,
  env: NodeJS.ProcessEnv,
  options: { readonly watch: boolean; readonly log: (line: string) => void },
): void {
  const used = new Set(options.watch ? WATCH_VARIABLES : []);
  const shadowed = new Set<string>();
  for (const name of Object.keys(globalFlags)) {
    const variable = variableOf(name);
    const value = env[variable];
    if (flags.given.has(name)) shadowed.add(variable);
    else if (value !== undefined && value !== "") {
      used.add(variable);
      setOrIgnore(flags, name, value);
    }
  }
  const log = (entry: LogEntry) => options.log(logLine(entry));
  for (const [variable, value] of Object.entries(env)) {
    if (used.has(variable)) continue;
    if (shadowed.has(variable)) {
      log(SHADOWED(variable));
      throw new Exit(EXIT.error);
    }
    if (variable.startsWith(PREFIX)) log(UNRECOGNIZED(`${variable}=${value}`));
  }
}

function setOrIgnore(flags: FlagSet, name: string, value: string): void {
  try {
    flags.set(name, value);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
  }
}

const SHADOWED = (variable: string): LogEntry => ({
  level: "fatal",
  caller: "flags/flag.go:86",
  msg:
    "conflicting environment variable is shadowed by corresponding command-line flag (either " +
    "unset environment variable or disable flag))",
  fields: { "environment-variable": variable },
});

const UNRECOGNIZED = (assignment: string): LogEntry => ({
  level: "warn",
  caller: "flags/flag.go:94",
  msg: "unrecognized environment variable",
  fields: { "environment-variable": assignment },
});
