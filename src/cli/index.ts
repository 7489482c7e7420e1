/**
 * What a command line tool is made of: commands in a tree, their flags, help texts and exit
 * statuses. It reads command lines exactly as cobra and pflag do, on which etcd's tools are built,
 * and says the same when it cannot; no library for Node reads them so.
 */
export {
  type Command,
  type CommandBody,
  type CommandSpec,
  command,
  EXIT,
  Exit,
  findCommand,
  flagsOf,
  helpCommand,
  type Invocation,
  lazy,
  nameOf,
  type Path,
  type Program,
  runProgram,
} from "./command.ts";
export { completionCommand } from "./completion.ts";
export { FieldLines } from "./fields.ts";
export {
  boolFlag,
  durationFlag,
  type Flag,
  FlagSet,
  type Flags,
  type FlagValues,
  flagUsages,
  intFlag,
  offering,
  required,
  stringFlag,
  stringsFlag,
  UsageError,
  uintFlag,
} from "./flags.ts";
export { goJson, RawJson } from "./go-json.ts";
export {
  formatBytes,
  GoTextError,
  parseBool,
  parseDurationMs,
  parseInt64,
  parseUint64,
} from "./go-text.ts";
export { type Io, LineReader, readAll, runIfMain } from "./io.ts";
export { type Output } from "./output.ts";
export { Page } from "./page.ts";
export { Progress } from "./progress.ts";
export type { Table } from "./table.ts";
export { usageText } from "./usage.ts";
export { FORMATS, type Format, render, type View } from "./view.ts";
export { lookUpSrv, type SrvRecord } from "./srv.ts";
