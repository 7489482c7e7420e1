import { type Command, nameOf, type Path } from "./command.ts";
import { type Flags, flagUsages } from "./flags.ts";

/** Help texts, laid out as users of etcd's commands know them. */

const NAME_WIDTH_MIN = 11;

export interface HelpStyle {
  /** The headings under which the root lists its commands, in order; none for one plain list. */
  readonly groups: readonly string[];
  /** Whether the root's flags are told with every command, or by a command of their own. */
  readonly rootFlagsShown: boolean;
  /** Whether help begins with what the command is for. */
  readonly aboutShown: boolean;
}

/** What `--help` shows. */
export function helpText(path: Path<never>, style: HelpStyle): string {
  const command = path.at(-1)!;
  const about = style.aboutShown ? `${(command.long ?? command.short).trimEnd()}\n\n` : "";
  return about + usageText(path, style);
}

/** What a wrong call is answered with. */
export function usageText(path: Path<never>, style: HelpStyle): string {
  const command = path.at(-1)!;
  const full = path.map(nameOf).join(" ");
  let text = "Usage:";
  if (command.run !== undefined) text += `\n  ${useLine(path)}`;
  if (command.commands !== undefined) text += `\n  ${full} [command]`;
  if (command.example !== undefined) text += `\n\nExamples:\n${command.example}`;
  if (command.commands !== undefined) text += listing(path, style.groups);
  text += flagSection("Flags", localFlags(path, style));
  text += flagSection("Global Flags", inheritedFlags(path, style));
  if (command.commands !== undefined) {
    text += `\n\nUse "${full} [command] --help" for more information about a command.`;
  }
  return `${text}\n`;
}

function useLine(path: Path<never>): string {
  const command = path.at(-1)!;
  const above = path.slice(0, -1).map(nameOf);
  const line = [...above, command.use].join(" ");
  return command.plainUseLine === true ? line : `${line} [flags]`;
}

function flagSection(title: string, flags: Flags): string {
  if (Object.keys(flags).length === 0) return "";
  return `\n\n${title}:\n${flagUsages(flags).trimEnd()}`;
}

/** A command may name a flag that its group has already, to know its type: that is not its own. */
function localFlags(path: Path<never>, style: HelpStyle): Flags {
  if (path.length === 1 && !style.rootFlagsShown) return {};
  const command = path.at(-1)!;
  const usage = `help for ${nameOf(command)}`;
  const help = { kind: "bool", usage, fallback: false, short: "h" } as const;
  const inherited = inheritedFlags(path, style);
  const own = Object.entries({ ...command.persistentFlags, ...command.flags, help });
  return Object.fromEntries(own.filter(([name]) => inherited[name] === undefined));
}

function inheritedFlags(path: Path<never>, style: HelpStyle): Flags {
  const above = path.slice(style.rootFlagsShown ? 0 : 1, -1);
  return Object.assign({}, ...above.map((command) => command.persistentFlags)) as Flags;
}

function listing(path: Path<never>, groups: readonly string[]): string {
  const commands = (path.at(-1)!.commands ?? []).toSorted((a, b) =>
    nameOf(a) < nameOf(b) ? -1 : 1,
  );
  const width = Math.max(NAME_WIDTH_MIN, ...commands.map((command) => nameOf(command).length));
  const lines = (listed: readonly Command<never>[]) =>
    listed.map((command) => `\n  ${nameOf(command).padEnd(width)} ${command.short}`).join("");
  if (path.length > 1 || groups.length === 0) return `\n\nAvailable Commands:${lines(commands)}`;
  return groups
    .map((group) => `\n\n${group}${lines(commands.filter((c) => c.group === group))}`)
    .join("");
}
