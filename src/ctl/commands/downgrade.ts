import { api } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, commandDeadline, define, defineSub } from "../define.ts";
import { messageView } from "../printers/view.ts";

const { VALIDATE, ENABLE, CANCEL } = api.DOWNGRADE_ACTION;

const validate = defineSub({
  use: "validate <TARGET_VERSION>",
  short: "Validate downgrade capability before starting downgrade",
  run: ({ args, context: ctl }) =>
    downgradeTo(ctl, { action: VALIDATE, version: targetVersion(args) }, "validate"),
});

const enable = defineSub({
  use: "enable <TARGET_VERSION>",
  short: "Start a downgrade action to cluster",
  run: ({ args, context: ctl }) =>
    downgradeTo(ctl, { action: ENABLE, version: targetVersion(args) }, "enable"),
});

const cancel = defineSub({
  use: "cancel",
  short: "Cancel the ongoing downgrade action to cluster",
  run: ({ context: ctl }) => downgradeTo(ctl, { action: CANCEL, version: "" }, "cancel"),
});

function targetVersion(args: readonly string[]): string {
  if (args.length < 1) badArgs("TARGET_VERSION not provided");
  if (args.length > 1) badArgs("too many arguments");
  return args[0] === "" ? badArgs("target version not provided") : args[0]!;
}

async function downgradeTo(ctl: Ctl, request: api.DowngradeRequest, verb: string): Promise<void> {
  const deadline = await commandDeadline(ctl);
  const client = await ctl.connect();
  const { maintenance } = await import("../../client/index.ts");
  const answer = await callOrExit(client, maintenance.downgrade, request, { deadline });
  ctl.show(
    messageView(api.DowngradeResponse, answer, {
      simple: (page) => page.line(`Downgrade ${verb} success, cluster version ${answer.version}`),
    }),
  );
}

export const downgrade = define({
  use: "downgrade <TARGET_VERSION>",
  long: "Downgrade related commands",
  commands: [validate, enable, cancel],
});
