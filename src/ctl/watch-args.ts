/** A wrong number of arguments to `watch`; the message is for the user. */
export class WatchArgsError extends Error {}

export interface WatchArgs {
  /** Key and, perhaps, range end. */
  readonly range: readonly string[];
  /** What to run for each event; empty for nothing. */
  readonly command: readonly string[];
}

/**
 * Tells the range from the command that is run for each event. `line` is everything behind the
 * word `watch`; `args` is what of it are arguments, the command's words included; `fixed` is the
 * range from the environment, and then the line must not name one. Throws `WatchArgsError`.
 */
export function splitWatchArgs(
  line: readonly string[],
  args: readonly string[],
  fixed: readonly string[],
): WatchArgs {
  const dashes = line.indexOf("--");
  if (dashes < 0) {
    if (line.length === 0 && fixed.length === 0) throw badNumber();
    if (args.length > 0 && fixed.length > 0) throw badNumber(CONFLICT);
    return { range: [...fixed, ...args], command: [] };
  }
  const command = line.slice(dashes + 1);
  if (command.length === 0) throw badNumber("found separator --, but no commands");
  const range = args.slice(0, args.length - command.length);
  if (range.length > 0 && fixed.length > 0) throw badNumber(CONFLICT);
  return { range: [...fixed, ...range], command };
}

const CONFLICT = "found conflicting environment key";

function badNumber(why?: string): WatchArgsError {
  return new WatchArgsError(`bad number of arguments${why === undefined ? "" : ` (${why})`}`);
}
