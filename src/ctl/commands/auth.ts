import { EXIT, Exit } from "../../cli/index.ts";
import type { Client, Deadline } from "../../client/index.ts";
import { api, fail } from "../../proto/index.ts";
import { badArgs, callOrExit, commandDeadline, define, defineSub } from "../define.ts";
import { messageView } from "../printers/view.ts";

/** Both the user and the role that must exist before authentication is switched on. */
const ROOT = "root";

const enable = defineSub({
  use: "enable",
  short: "Enables authentication",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("auth enable command does not accept any arguments");
    const deadline = await commandDeadline(ctl);
    await enableWithRoot(await ctl.connect(), deadline);
    ctl.out("Authentication Enabled\n");
  },
});

/** The role `root` is made and given to the user `root` where only that is missing. */
async function enableWithRoot(client: Client, deadline: Deadline): Promise<void> {
  const { auth, describeError } = await import("../../client/index.ts");
  try {
    await client.call(auth.enable, {}, deadline);
  } catch (error) {
    const reason = describeError(error, deadline);
    if (reason !== fail("rootRoleNotExist").message) throw new Exit(EXIT.error, reason);
    await callOrExit(client, auth.roleAdd, { name: ROOT }, { deadline });
    await callOrExit(client, auth.userGrantRole, { user: ROOT, role: ROOT }, { deadline });
    await enableWithRoot(client, deadline);
  }
}

const disable = defineSub({
  use: "disable",
  short: "Disables authentication",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("auth disable command does not accept any arguments");
    const deadline = await commandDeadline(ctl);
    const { auth } = await import("../../client/index.ts");
    await callOrExit(await ctl.connect(), auth.disable, {}, { deadline });
    ctl.out("Authentication Disabled\n");
  },
});

const status = defineSub({
  use: "status",
  short: "Returns authentication status",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("auth status command does not accept any arguments");
    const deadline = await commandDeadline(ctl);
    const { auth } = await import("../../client/index.ts");
    const answer = await callOrExit(await ctl.connect(), auth.status, {}, { deadline });
    ctl.show(
      messageView(api.AuthStatusResponse, answer, {
        simple: (page) => {
          page.line(`Authentication Status: ${answer.enabled}`);
          page.line(`AuthRevision: ${answer.authRevision}`);
        },
      }),
    );
  },
});

export const auth = define({
  use: "auth <enable or disable>",
  long: "Enable or disable authentication",
  commands: [enable, disable, status],
});
