import { boolFlag, EXIT, Exit, GoTextError, parseInt64 } from "../../cli/index.ts";
import { badArgs, callOrExit, commandDeadline, define } from "../define.ts";

export const compaction = define({
  use: "compaction [options] <revision>",
  flags: {
    physical: boolFlag("'true' to wait for compaction to physically remove all old revisions"),
  },
  run: async ({ args, context: ctl }, flags) => {
    if (args.length !== 1) badArgs("compaction command needs 1 argument");
    const revision = revisionOf(args[0]!);
    const client = await ctl.connect();
    const deadline = await commandDeadline(ctl);
    const { kv } = await import("../../client/index.ts");
    const request = { revision: Number(revision), physical: flags.physical };
    await callOrExit(client, kv.compact, request, { deadline });
    ctl.out(`compacted revision ${revision}\n`);
  },
});

function revisionOf(text: string): bigint {
  try {
    return parseInt64(text, 10);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    throw new Exit(EXIT.error, error.message);
  }
}
