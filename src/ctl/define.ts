import {
  type Command,
  type CommandBody,
  type CommandSpec,
  command,
  EXIT,
  Exit,
  type Flags,
} from "../cli/index.ts";
import type { Client, Deadline, Unary } from "../client/index.ts";
import type { Init } from "../proto/index.ts";
import type { Ctl } from "./ctl.ts";

/** A command of this program; what the list of commands says of it stands in `main.ts`. */
export function define<F extends Flags = Record<never, never>>(
  spec: CommandSpec<Ctl, F>,
): CommandBody<Ctl> {
  return command(spec);
}

/** A command within a group. */
export function defineSub<F extends Flags = Record<never, never>>(
  spec: CommandSpec<Ctl, F> & { readonly short: string },
): Command<Ctl> {
  return { ...command(spec), short: spec.short };
}

export function badArgs(message: string): never {
  throw new Exit(EXIT.badArgs, message);
}

/** When a short command must be done: `--command-timeout` from now. */
export async function commandDeadline(ctl: Ctl): Promise<Deadline> {
  const { Deadline } = await import("../client/index.ts");
  ctl.configure();
  return Deadline.in(ctl.flags["command-timeout"]);
}

export interface CallStyle {
  /** Without one the call waits for ever. */
  readonly deadline?: Deadline;
  /** The exit status when the call fails. */
  readonly status?: number;
  /** Puts the reason into a sentence. */
  readonly describe?: (reason: string) => string;
}

/** One call; a failure ends the program. */
export async function callOrExit<Q, R>(
  client: Client,
  method: Unary<Q, R>,
  request: Init<Q>,
  style: CallStyle = {},
): Promise<R> {
  const { describeError } = await import("../client/index.ts");
  try {
    return await client.call(method, request, style.deadline);
  } catch (error) {
    const reason = describeError(error, style.deadline);
    throw new Exit(style.status ?? EXIT.error, style.describe?.(reason) ?? reason);
  }
}

/** Work of several calls; a failed one ends the program. */
export async function orExit<T>(work: () => Promise<T>): Promise<T> {
  const { describeError } = await import("../client/index.ts");
  try {
    return await work();
  } catch (error) {
    throw new Exit(EXIT.error, describeError(error));
  }
}
