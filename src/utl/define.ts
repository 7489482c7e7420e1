import {
  type Command,
  type CommandBody,
  type CommandSpec,
  command,
  type Flags,
} from "../cli/index.ts";
import type { Utl } from "./utl.ts";

/** A command of this program; what the list of commands says of it stands in `main.ts`. */
export function define<F extends Flags = Record<never, never>>(
  spec: CommandSpec<Utl, F>,
): CommandBody<Utl> {
  return command(spec);
}

/** A command within a group. */
export function defineSub<F extends Flags = Record<never, never>>(
  spec: CommandSpec<Utl, F> & { readonly short: string },
): Command<Utl> {
  return { ...command(spec), short: spec.short };
}
