import {
  type Command,
  EXIT,
  findCommand,
  flagsOf,
  nameOf,
  type Path,
  type Program,
} from "./command.ts";
import { type Flag, FlagSet, type Flags, UsageError } from "./flags.ts";

/**
 * What may come next on a command line, for the scripts of `completion`. The answer has the form
 * that cobra's scripts read as well: a candidate on each line, its description behind a tab, and
 * on the last line what the shell may offer of its own.
 */

/** Asks for candidates without their descriptions. */
const WITHOUT_DESCRIPTIONS = "__completeNoDesc";

/** What the shell adds: files where nothing else is known, nothing, or directories. */
const SHELL_ADDS = {
  files: { code: 0, name: "ShellCompDirectiveDefault" },
  nothing: { code: 4, name: "ShellCompDirectiveNoFileComp" },
  directories: { code: 16, name: "ShellCompDirectiveFilterDirs" },
} as const;

interface Completion {
  /** Each with its description behind a tab. */
  readonly candidates: readonly string[];
  readonly shellAdds: keyof typeof SHELL_ADDS;
  /** Why there can be none. */
  readonly problem?: string;
}

const NOTHING: Completion = { candidates: [], shellAdds: "nothing" };

/**
 * Answers a shell that calls the program with `__complete` and the words of a command line, of
 * which the last one is being typed. Returns the exit status.
 */
export async function answerCompletion<C>(
  program: Program<C>,
  [request, ...words]: readonly string[],
): Promise<number> {
  if (words.length === 0) {
    program.err("Error: requires at least 1 arg(s), only received 0\n");
    return EXIT.error;
  }
  const { candidates, shellAdds, problem } = await complete(program.root, words);
  for (const candidate of candidates) {
    const isPlain = request === WITHOUT_DESCRIPTIONS;
    program.out(`${isPlain ? candidate.split("\t", 1)[0] : candidate}\n`);
  }
  const { code, name } = SHELL_ADDS[shellAdds];
  program.out(`:${code}\n`);
  if (problem !== undefined) program.err(`[Debug] [Error] ${problem}\n`);
  program.err(`Completion ended with directive: ${name}\n`);
  return EXIT.ok;
}

async function complete<C>(root: Command<C>, words: readonly string[]): Promise<Completion> {
  const before = words.slice(0, -1);
  const found = await findCommand(root, before);
  if (found === undefined) {
    return impossible(`unable to find a command for arguments: [${before.join(" ")}]`);
  }
  const command = found.path.at(-1)!;
  const flags = new FlagSet(inOrder(found.path));
  const typed = splitTyped(words.at(-1)!, found.rest, flags.specs);
  try {
    flags.parse(typed.before);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const line = typed.before.join(" ");
    return impossible(`Error while parsing flags from args [${line}]: ${error.message}`);
  }
  if (flags.values["help"] === true) return NOTHING;
  if (typed.flag !== undefined) return valuesOf(typed.flag);
  const isFlag = typed.word.startsWith("-") && !typed.before.includes("--");
  return isFlag ? completeFlag(flags, typed.word) : completeWord(command, flags, typed.word);
}

function impossible(problem: string): Completion {
  return { candidates: [], shellAdds: "files", problem };
}

/** The flags of a command, first those of the commands above it, each part by name. */
function inOrder<C>(path: Path<C>): Flags {
  const above = Object.assign({}, ...path.slice(0, -1).map((command) => command.persistentFlags));
  const byName = ([a]: [string, Flag], [b]: [string, Flag]) => (a < b ? -1 : 1);
  const all = flagsOf(path);
  const help = { ...all["help"]!, usage: `help for ${nameOf(path.at(-1)!)}` };
  const own = Object.entries({ ...all, help }).filter(([name]) => above[name] === undefined);
  return Object.fromEntries([
    ...Object.entries(above as Flags).toSorted(byName),
    ...own.toSorted(byName),
  ]);
}

interface Typed {
  /** What stands before it, without the flag whose value it is. */
  readonly before: readonly string[];
  readonly word: string;
  /** The flag whose value it is. */
  readonly flag?: Flag;
}

function splitTyped(word: string, before: readonly string[], flags: Flags): Typed {
  const withValue = /^(-[^=]+)=(.*)$/s.exec(word);
  const last = before.at(-1) ?? "";
  if (withValue !== null) {
    const flag = flagOf(withValue[1]!, flags);
    return flag === undefined ? { before, word } : { before, word: withValue[2]!, flag };
  }
  if (word.startsWith("-") || before.includes("--") || last.includes("=")) return { before, word };
  const flag = flagOf(last, flags);
  if (flag === undefined || flag.kind === "bool") return { before, word };
  return { before: before.slice(0, -1), word, flag };
}

/** The flag that `--name`, or `-n`, or the last letter of `-abn` stands for. */
function flagOf(text: string, flags: Flags): Flag | undefined {
  if (text.startsWith("--")) return flags[text.slice(2)];
  if (!/^-./.test(text)) return undefined;
  return Object.values(flags).find((flag) => flag.short === text.at(-1));
}

function valuesOf({ offers }: Flag): Completion {
  if (offers === "directories") return { candidates: [], shellAdds: "directories" };
  return { candidates: offers ?? [], shellAdds: "files" };
}

function completeFlag(flags: FlagSet, word: string): Completion {
  const required = requiredFlags(flags, word);
  const candidates = required.length > 0 ? required : namesOf(flags, word, () => true);
  return { candidates, shellAdds: "nothing" };
}

const requiredFlags = (flags: FlagSet, word: string) =>
  namesOf(flags, word, (flag) => flag.isRequired === true);

/** The names of flags that were not given. */
function namesOf(flags: FlagSet, word: string, isMeant: (flag: Flag) => boolean): string[] {
  return Object.entries(flags.specs)
    .filter(([name, flag]) => isMeant(flag) && (!flags.given.has(name) || flag.kind === "strings"))
    .flatMap(([name, { usage, short }]) => {
      const forms = short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
      return forms.filter((form) => form.startsWith(word)).map((form) => `${form}\t${usage}`);
    });
}

async function completeWord<C>(
  command: Command<C>,
  flags: FlagSet,
  word: string,
): Promise<Completion> {
  const commands = flags.args.length === 0 ? listOf(command) : [];
  const offered = (await command.offers?.(flags.args)) ?? [];
  const begun = [...commands, ...offered].filter((candidate) => candidate.startsWith(word));
  const isKnown = commands.length > 0 || command.offers !== undefined;
  return {
    candidates: [...begun, ...requiredFlags(flags, word)],
    shellAdds: isKnown ? "nothing" : "files",
  };
}

/** The commands of a group, each with what it is for behind a tab. */
export function listOf<C>({ commands = [] }: Command<C>): string[] {
  return commands.map((command) => `${nameOf(command)}\t${command.short}`).toSorted();
}
