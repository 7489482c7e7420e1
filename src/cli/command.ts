import { FlagSet, type Flags, type FlagValues, UsageError } from "./flags.ts";
import { type HelpStyle, helpText, usageText } from "./usage.ts";

/** What a command is called with, apart from its flags. */
export interface Invocation<C> {
  readonly args: readonly string[];
  readonly context: C;
  /** The whole command line, for commands that look for a `--` in it themselves. */
  readonly argv: readonly string[];
}

/** A command, or a group of commands. `C` is what the program hands to all of them. */
export interface Command<C> {
  /** Its name and how it is called: `get [options] <key> [range_end]`. */
  readonly use: string;
  readonly short: string;
  readonly long?: string;
  readonly example?: string;
  /** The heading in the root's help under which it is listed. */
  readonly group?: string;
  readonly flags: Flags;
  /** Flags that its subcommands take too. */
  readonly persistentFlags?: Flags;
  readonly commands?: readonly Command<C>[];
  /** Its usage line ends as given, without `[flags]`. */
  readonly plainUseLine?: boolean;
  /** What a shell offers as its next argument, a description behind a tab; see `complete`. */
  readonly offers?: (args: readonly string[]) => Promise<readonly string[]> | readonly string[];
  /** Gets the rest of the command when it is called, so that programs start fast. */
  readonly load?: () => Promise<CommandBody<C>>;
  readonly run?: (
    invocation: Invocation<C>,
    flags: Record<string, unknown>,
  ) => Promise<void> | void;
}

/** A command without what lists of commands show of it. */
export type CommandBody<C> = Omit<Command<C>, "short" | "group">;

/** A command as it is written down: its `run` knows the types of its flags. */
export interface CommandSpec<C, F extends Flags> extends Omit<CommandBody<C>, "flags" | "run"> {
  readonly flags?: F;
  readonly run?: (invocation: Invocation<C>, flags: FlagValues<F>) => Promise<void> | void;
}

export function command<C, F extends Flags = Record<never, never>>(
  spec: CommandSpec<C, F>,
): CommandBody<C> {
  return { ...spec, flags: spec.flags ?? {} } as CommandBody<C>;
}

/** What lists show of a command that is loaded when it is called. `name` is its first word. */
export function lazy<C>(
  name: string,
  short: string,
  load: () => Promise<CommandBody<C>>,
  group?: string,
): Command<C> {
  return { use: name, short, flags: {}, load, ...(group === undefined ? {} : { group }) };
}

/** Ends the program with a status; the message, if any, is shown to the user. */
export class Exit extends Error {
  readonly status: number;

  constructor(status: number, message = "") {
    super(message);
    this.status = status;
  }
}

/** Exit statuses that scripts know. */
export const EXIT = {
  ok: 0,
  error: 1,
  badConnection: 2,
  invalidInput: 3,
  badFeature: 4,
  interrupted: 5,
  io: 6,
  badArgs: 128,
} as const;

export interface Program<C> extends HelpStyle {
  readonly root: Command<C>;
  /** Said after every help text. */
  readonly helpFooter: string;
  /** Says once more at the end why a command line could not be read. */
  readonly repeatsUsageErrors: boolean;
  /** Makes the context once the flags are known. Only called when a command runs. */
  context(flags: FlagSet, path: readonly Command<C>[]): Promise<C> | C;
  out(text: string): void;
  err(text: string): void;
}

/** A command with those above it, the root first. */
export type Path<C> = readonly Command<C>[];

const HELP = {
  help: { kind: "bool", usage: "", fallback: false, short: "h" },
} as const satisfies Flags;

export function nameOf(command: Command<never>): string {
  return command.use.split(" ")[0]!;
}

/** The flags that may be given to the last command of a path. */
export function flagsOf(path: Path<never>): Flags {
  const all: Record<string, Flags[string]> = { ...HELP };
  for (const command of path) Object.assign(all, command.persistentFlags);
  return Object.assign(all, path.at(-1)!.flags);
}

/** Finds the command that a command line names, runs it, and returns the exit status. */
export async function runProgram<C>(program: Program<C>, argv: readonly string[]): Promise<number> {
  if (argv[0]?.startsWith("__complete") === true) {
    const { answerCompletion } = await import("./complete.ts");
    return answerCompletion(program, argv);
  }
  const { path, rest } = await find([program.root], argv);
  const unknown = unknownCommand(path, rest);
  if (unknown !== undefined) {
    return refuse(program, unknown, `Run '${nameOf(program.root)} --help' for usage.`);
  }
  const flags = new FlagSet(flagsOf(path));
  const command = path.at(-1)!;
  try {
    flags.parse(rest);
    if (flags.values.help === true || command.run === undefined) return showHelp(program, path);
    flags.checkRequired();
    const context = await program.context(flags, path);
    await command.run({ args: flags.args, context, argv }, flags.values);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof UsageError) {
      return refuse(program, error.message, usageText(path, program));
    }
    if (!(error instanceof Exit)) throw error;
    if (error.message !== "") program.err(`Error: ${error.message}\n`);
    return error.status;
  }
}

function refuse<C>(program: Program<C>, reason: string, hint: string): number {
  program.err(`Error: ${reason}\n${hint}\n`);
  if (program.repeatsUsageErrors) program.err(`Error: ${reason}\n`);
  return EXIT.error;
}

function showHelp<C>(program: Program<C>, path: Path<C>): number {
  program.out(helpText(path, program));
  program.out(program.helpFooter);
  return EXIT.ok;
}

/** The command `help`: explains the command that its arguments name. */
export function helpCommand<C>(program: () => Program<C>, group?: string): Command<C> {
  const name = () => nameOf(program().root);
  return {
    use: "help [command]",
    short: "Help about any command",
    get long() {
      return `Help provides help for any command in the application.
Simply type ${name()} help [path to command] for full details.`;
    },
    ...(group === undefined ? {} : { group }),
    flags: {},
    offers: async (args) => {
      const { listOf } = await import("./complete.ts");
      const found = await findCommand(program().root, args);
      return found === undefined ? [] : listOf(found.path.at(-1)!);
    },
    run: async ({ args }) => {
      const { root, err } = program();
      const { path, rest } = await find([root], args);
      if (unknownCommand(path, rest) === undefined) {
        showHelp(program(), path);
        return;
      }
      const topic = args.map((arg) => `\`${arg}\``).join(" ");
      err(`Unknown help topic [${topic}]\n${usageText([root], program())}`);
    },
  };
}

// --- Finding the command ---

/** The command that a line names; for programs with a command line inside. */
export async function findCommand<C>(
  root: Command<C>,
  argv: readonly string[],
): Promise<Found<C> | undefined> {
  const found = await find([root], argv);
  return unknownCommand(found.path, found.rest) === undefined ? found : undefined;
}

interface Found<C> {
  readonly path: Path<C>;
  /** The line without the command's names. */
  readonly rest: readonly string[];
}

async function find<C>(path: Path<C>, argv: readonly string[]): Promise<Found<C>> {
  const at = firstArgument(argv, flagsOf(path));
  const next = at < 0 ? undefined : matching(path.at(-1)!.commands ?? [], argv[at]!);
  if (next === undefined) return { path, rest: argv };
  const whole = next.load === undefined ? next : { ...next, ...(await next.load()) };
  return find([...path, whole], argv.toSpliced(at, 1));
}

/** Where the first argument stands that is neither a flag nor a flag's value; -1 for nowhere. */
function firstArgument(argv: readonly string[], flags: Flags): number {
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at]!;
    if (arg === "--") return -1;
    if (takesNext(arg, flags)) at++;
    else if (arg !== "" && !arg.startsWith("-")) return at;
  }
  return -1;
}

function takesNext(arg: string, flags: Flags): boolean {
  if (!arg.startsWith("-") || arg.includes("=")) return false;
  if (arg.startsWith("--")) return flags[arg.slice(2)]?.kind !== "bool";
  const short = Object.values(flags).find((flag) => flag.short === arg[1]);
  return arg.length === 2 && short?.kind !== "bool";
}

/** By name, or by the beginning of a name that no other command shares. */
function matching<C>(commands: readonly Command<C>[], typed: string): Command<C> | undefined {
  const exact = commands.find((command) => nameOf(command) === typed);
  const candidates = commands.filter((command) => nameOf(command).startsWith(typed));
  return exact ?? (candidates.length === 1 ? candidates[0] : undefined);
}

/** Why the rest of the command line cannot follow the root; groups take anything. */
function unknownCommand<C>(path: Path<C>, rest: readonly string[]): string | undefined {
  if (path.length > 1) return undefined;
  const at = firstArgument(rest, flagsOf(path));
  if (at < 0) return undefined;
  const typed = rest[at]!;
  const near = (path[0]!.commands ?? [])
    .map(nameOf)
    .filter(
      (name) => distance(typed.toLowerCase(), name) <= 2 || name.startsWith(typed.toLowerCase()),
    );
  const hint =
    near.length === 0 ? "" : `\n\nDid you mean this?\n${near.map((n) => `\t${n}\n`).join("")}`;
  return `unknown command "${typed}" for "${nameOf(path[0]!)}"${hint}`;
}

/** Levenshtein distance: letters to change, add or drop. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
