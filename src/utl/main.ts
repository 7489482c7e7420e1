import {
  type FlagValues,
  helpCommand,
  type Io,
  lazy,
  type Program,
  runIfMain,
  runProgram,
} from "../cli/index.ts";
import { globalFlags, Utl } from "./utl.ts";

const NAME = "quordutl";

/**
 * `quordutl`: works on a member's files while the member is not running, as etcdutl does. Returns
 * the exit status; the output may still be on its way.
 */
export function main(argv: readonly string[], _env: NodeJS.ProcessEnv, io: Io): Promise<number> {
  const program: Program<Utl> = {
    root: {
      use: NAME,
      short: "An administrative command line tool for etcd3.",
      flags: {},
      persistentFlags: globalFlags,
      commands: [
        lazy("snapshot", "Manages etcd node snapshots", () =>
          import("./commands/snapshot.ts").then((m) => m.snapshot),
        ),
        lazy("hashkv", "Prints the KV history hash of a given file", () =>
          import("./commands/hashkv.ts").then((m) => m.hashKv),
        ),
        lazy("defrag", "Defragments the storage of the etcd", () =>
          import("./commands/defrag.ts").then((m) => m.defrag),
        ),
        lazy(
          "migrate",
          "Migrates schema of etcd data dir files to make them compatible with different etcd version",
          () => import("./commands/migrate.ts").then((m) => m.migrate),
        ),
        lazy("completion", "Generate completion script", () =>
          import("./commands/completion.ts").then((m) => m.completion(NAME)),
        ),
        lazy("version", "Prints the version of etcdutl", () =>
          import("./commands/version.ts").then((m) => m.version),
        ),
        helpCommand(() => program),
      ],
    },
    groups: [],
    rootFlagsShown: true,
    aboutShown: false,
    helpFooter: "",
    repeatsUsageErrors: true,
    context: (flags) => new Utl(flags.values as FlagValues<typeof globalFlags>, io),
    out: (text) => io.stdout.write(text),
    err: (text) => io.stderr.write(text),
  };
  return runProgram(program, argv);
}

void runIfMain(import.meta.filename, main, process.argv.slice(2));
