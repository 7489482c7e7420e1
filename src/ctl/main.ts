import { helpCommand, type Io, nameOf, type Program, runIfMain, runProgram } from "../cli/index.ts";
import { commands, groups, UTILITY } from "./commands.ts";
import type { Ctl } from "./ctl.ts";
import { globalFlags } from "./global-flags.ts";
import { rawArgs } from "./raw-args.ts";

const NAME = "quordctl";

/**
 * `quordctl`: talks to a cluster the way etcdctl does, with its commands, flags, outputs and exit
 * statuses. Returns the exit status; the output may still be on its way.
 */
export async function main(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  io: Io,
): Promise<number> {
  let ctl: Ctl | undefined;
  const program: Program<Ctl> = {
    root: {
      use: NAME,
      short: "A simple command line client for etcd3.",
      flags: {},
      persistentFlags: globalFlags,
      commands: [...commands(NAME), helpCommand(() => program, UTILITY)],
    },
    groups,
    rootFlagsShown: false,
    aboutShown: true,
    repeatsUsageErrors: false,
    helpFooter:
      `Use "${NAME} options" for a list of global command-line options ` +
      "(applies to all commands).\n",
    context: async (flags, path) => {
      const { Ctl } = await import("./ctl.ts");
      ctl = new Ctl(flags, env, io, { watch: nameOf(path.at(-1)!) === "watch" });
      return ctl;
    },
    out: (text) => io.stdout.write(text),
    err: (text) => io.stderr.write(text),
  };
  try {
    return await runProgram(program, argv);
  } finally {
    ctl?.close();
  }
}

void runIfMain(import.meta.filename, main, rawArgs(process.argv.slice(2)));
