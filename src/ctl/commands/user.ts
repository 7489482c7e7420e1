import { boolFlag, stringFlag } from "../../cli/index.ts";
import { api } from "../../proto/index.ts";
import { change } from "../change.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, define, defineSub } from "../define.ts";
import { askPassword } from "../password.ts";
import { messageView } from "../printers/view.ts";
import { showRole } from "./role.ts";

const addFlags = {
  interactive: boolFlag("Read password from stdin instead of interactive terminal", true),
  "new-user-password": stringFlag("Supply password from the command line flag"),
  "no-password": boolFlag("Create a user without password (CN based auth only)"),
} as const;

const add = defineSub({
  use: "add <user name or user:password> [options]",
  short: "Adds a new user",
  flags: addFlags,
  run: async ({ args, context: ctl }, flags) => {
    if (args.length !== 1) badArgs("user add command requires user name as its argument");
    const noPassword = flags["no-password"];
    const named = { name: args[0]!, password: "" };
    const { name, password } = noPassword
      ? named
      : flags["new-user-password"] !== ""
        ? { ...named, password: flags["new-user-password"] }
        : await nameAndPassword(ctl, args[0]!, flags.interactive);
    const request = { name, password, options: { noPassword } };
    await change(ctl, (calls) => calls.userAdd, request, `User ${name} created`);
  },
});

/** Reads `name:password`, and asks for the password when there is only a name. */
async function nameAndPassword(
  ctl: Ctl,
  arg: string,
  interactive: boolean,
): Promise<{ readonly name: string; readonly password: string }> {
  const colon = arg.indexOf(":");
  if (colon < 0) return { name: arg, password: await newPassword(ctl, arg, interactive) };
  if (colon === 0) badArgs("empty user name is not allowed");
  return { name: arg.slice(0, colon), password: arg.slice(colon + 1) };
}

/** Asks twice at a terminal; otherwise the first word of standard input is the password. */
async function newPassword(ctl: Ctl, user: string, interactive: boolean): Promise<string> {
  if (!interactive) return (await ctl.lines.lastOrNext()).trimStart().split(/\s/, 1)[0]!;
  const ask = (prompt: string) => askPassword(ctl.io, ctl.lines, prompt);
  const password = await ask(`Password of ${user}: `);
  if (password === "") badArgs("empty password");
  const again = await ask(`Type password of ${user} again for confirmation: `);
  return password === again ? password : badArgs("given passwords are different");
}

const remove = defineSub({
  use: "delete <user name>",
  short: "Deletes a user",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("user delete command requires user name as its argument");
    const name = args[0]!;
    await change(ctl, (calls) => calls.userDelete, { name }, `User ${name} deleted`);
  },
});

const get = defineSub({
  use: "get <user name> [options]",
  short: "Gets detailed information of a user",
  flags: { detail: boolFlag("Show permissions of roles granted to the user") },
  run: async ({ args, context: ctl }, { detail }) => {
    if (args.length !== 1) badArgs("user get command requires user name as its argument");
    const name = args[0]!;
    const client = await ctl.connect();
    const { auth } = await import("../../client/index.ts");
    const answer = await callOrExit(client, auth.userGet, { name });
    if (!detail) return showUser(ctl, name, answer);
    ctl.out(`User: ${name}\n`);
    for (const role of answer.roles) {
      ctl.out("\n");
      showRole(ctl, role, await callOrExit(client, auth.roleGet, { role }));
    }
  },
});

function showUser(ctl: Ctl, name: string, answer: api.AuthUserGetResponse): void {
  const roles = answer.roles.map((role) => ` ${role}`).join("");
  ctl.show(
    messageView(api.AuthUserGetResponse, answer, {
      simple: (page) => page.line(`User: ${name}`).line(`Roles:${roles}`),
    }),
  );
}

const list = defineSub({
  use: "list",
  short: "Lists all users",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("user list command requires no arguments");
    const client = await ctl.connect();
    const { auth } = await import("../../client/index.ts");
    const answer = await callOrExit(client, auth.userList, {});
    ctl.show(
      messageView(api.AuthUserListResponse, answer, {
        simple: (page) => {
          for (const user of answer.users) page.line(user);
        },
      }),
    );
  },
});

const passwd = defineSub({
  use: "passwd <user name> [options]",
  short: "Changes password of user",
  flags: {
    interactive: boolFlag(
      "If true, read password from stdin instead of interactive terminal",
      true,
    ),
  },
  run: async ({ args, context: ctl }, { interactive }) => {
    if (args.length !== 1) badArgs("user passwd command requires user name as its argument");
    const name = args[0]!;
    const password = await newPassword(ctl, name, interactive);
    const request = { name, password };
    await change(ctl, (calls) => calls.userChangePassword, request, "Password updated");
  },
});

const grantRole = defineSub({
  use: "grant-role <user name> <role name>",
  short: "Grants a role to a user",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 2) {
      badArgs("user grant command requires user name and role name as its argument");
    }
    const [user = "", role = ""] = args;
    const done = `Role ${role} is granted to user ${user}`;
    await change(ctl, (calls) => calls.userGrantRole, { user, role }, done);
  },
});

const revokeRole = defineSub({
  use: "revoke-role <user name> <role name>",
  short: "Revokes a role from a user",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 2) {
      badArgs("user revoke-role requires user name and role name as its argument");
    }
    const [name = "", role = ""] = args;
    const done = `Role ${role} is revoked from user ${name}`;
    await change(ctl, (calls) => calls.userRevokeRole, { name, role }, done);
  },
});

export const user = define({
  use: "user <subcommand>",
  long: "User related commands",
  commands: [add, remove, get, list, passwd, grantRole, revokeRole],
});
