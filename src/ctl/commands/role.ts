import { EMPTY_BYTES, endOfPrefix } from "../../base/index.ts";
import { boolFlag, type FlagValues, type Page } from "../../cli/index.ts";
import { api } from "../../proto/index.ts";
import { change } from "../change.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, define, defineSub } from "../define.ts";
import type { KeyRange } from "../key-range.ts";
import { messageView } from "../printers/view.ts";
import { argBytes } from "../raw-args.ts";

const ROOT = "root";
/** The lowest key; as an end it means that there is none. */
const ZERO = Uint8Array.of(0);
const { READ, WRITE, READWRITE } = api.PERMISSION_TYPE;

const add = defineSub({
  use: "add <role name>",
  short: "Adds a new role",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("role add command requires role name as its argument");
    const name = args[0]!;
    await change(ctl, (calls) => calls.roleAdd, { name }, `Role ${name} created`);
  },
});

const remove = defineSub({
  use: "delete <role name>",
  short: "Deletes a role",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("role delete command requires role name as its argument");
    const role = args[0]!;
    await change(ctl, (calls) => calls.roleDelete, { role }, `Role ${role} deleted`);
  },
});

const get = defineSub({
  use: "get <role name>",
  short: "Gets detailed information of a role",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("role get command requires role name as its argument");
    const role = args[0]!;
    const client = await ctl.connect();
    const { auth } = await import("../../client/index.ts");
    showRole(ctl, role, await callOrExit(client, auth.roleGet, { role }));
  },
});

export function showRole(ctl: Ctl, role: string, answer: api.AuthRoleGetResponse): void {
  ctl.show(
    messageView(api.AuthRoleGetResponse, answer, {
      simple: (page) => {
        page.line(`Role ${role}`);
        const open = role === ROOT && answer.perm.length === 0;
        const permissions = open ? [EVERYTHING] : answer.perm;
        showPermissions(page, "KV Read:", permissions, READ);
        showPermissions(page, "KV Write:", permissions, WRITE);
      },
      fields: (lines) => {
        lines.header(answer.header);
        for (const { permType, key, rangeEnd } of answer.perm) {
          lines.add("PermType", ` ${PERMISSION_NAMES[permType] ?? permType}`);
          lines.quoted("Key", key);
          lines.quoted("RangeEnd", rangeEnd);
        }
      },
    }),
  );
}

const EVERYTHING: api.Permission = { permType: READWRITE, key: EMPTY_BYTES, rangeEnd: ZERO };

const PERMISSION_NAMES = Object.keys(api.PERMISSION_TYPE);

function showPermissions(
  page: Page,
  title: string,
  permissions: readonly api.Permission[],
  type: number,
): void {
  page.line(title);
  for (const { permType, key, rangeEnd } of permissions) {
    if (permType !== type && permType !== READWRITE) continue;
    if (rangeEnd.length === 0) page.line("\t", key);
    else page.line("\t[", key, ", ", ...endOf(rangeEnd), ...prefixNote(key, rangeEnd));
  }
}

const isOpen = (rangeEnd: Uint8Array) => Buffer.compare(rangeEnd, ZERO) === 0;

function endOf(rangeEnd: Uint8Array): readonly (string | Uint8Array)[] {
  return isOpen(rangeEnd) ? ["<open ended>"] : [rangeEnd, ")"];
}

function prefixNote(key: Uint8Array, rangeEnd: Uint8Array): readonly (string | Uint8Array)[] {
  const isPrefix = key.length > 0 && Buffer.compare(endOfPrefix(key) ?? ZERO, rangeEnd) === 0;
  return isPrefix ? [" (prefix ", key, ")"] : [];
}

const list = defineSub({
  use: "list",
  short: "Lists all roles",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 0) badArgs("role list command requires no arguments");
    const client = await ctl.connect();
    const { auth } = await import("../../client/index.ts");
    const answer = await callOrExit(client, auth.roleList, {});
    ctl.show(
      messageView(api.AuthRoleListResponse, answer, {
        simple: (page) => {
          for (const role of answer.roles) page.line(role);
        },
        fields: (lines) => {
          lines.header(answer.header);
          lines.quotedList("Roles", answer.roles);
        },
      }),
    );
  },
});

const rangeFlags = (verb: string) =>
  ({
    prefix: boolFlag(`${verb} a prefix permission`),
    "from-key": boolFlag(
      `${verb} a permission of keys that are greater than or equal to the given key using byte ` +
        "compare",
    ),
  }) as const;

type RangeFlags = FlagValues<ReturnType<typeof rangeFlags>>;

const grantPermission = defineSub({
  use: "grant-permission [options] <role name> <permission type> <key> [endkey]",
  short: "Grants a key to a role",
  flags: rangeFlags("grant"),
  run: async ({ args, context: ctl }, flags) => {
    if (args.length < 3) {
      badArgs(
        "role grant command requires role name, permission type, and key [endkey] as its argument",
      );
    }
    const [name = "", type = "", ...keys] = args;
    const perm = { permType: permissionType(type), ...permittedRange(keys, flags) };
    const request = { name, perm };
    await change(ctl, (calls) => calls.roleGrantPermission, request, `Role ${name} updated`);
  },
});

function permissionType(text: string): number {
  const type = PERMISSION_NAMES.indexOf(text.toUpperCase());
  return type < 0 ? badArgs(`invalid permission type: ${text}`) : type;
}

const revokePermission = defineSub({
  use: "revoke-permission <role name> <key> [endkey]",
  short: "Revokes a key from a role",
  flags: rangeFlags("revoke"),
  run: async ({ args, context: ctl }, flags) => {
    if (args.length < 2) {
      badArgs("role revoke-permission command requires role name and key [endkey] as its argument");
    }
    const [role = "", ...keys] = args;
    const range = permittedRange(keys, flags);
    const done = `Permission of ${rangeName(keys[0]!, range)} is revoked from role ${role}`;
    await change(ctl, (calls) => calls.roleRevokePermission, { role, ...range }, done);
  },
});

function rangeName(key: string, { rangeEnd }: KeyRange): string {
  if (rangeEnd.length === 0) return `key ${key}`;
  const end = isOpen(rangeEnd) ? "<open ended>" : `${Buffer.from(rangeEnd).toString()})`;
  return `range [${key}, ${end}`;
}

/** The keys that a permission is for. An empty key stands for the lowest. Throws `Exit`. */
function permittedRange(args: readonly string[], flags: RangeFlags): KeyRange {
  const both = "--from-key and --prefix flags are mutually exclusive";
  const [first = "", end] = args;
  const key = argBytes(first);
  const { prefix, "from-key": fromKey } = flags;
  if (key.length === 0) {
    if (prefix && fromKey) badArgs(both);
    return { key: ZERO, rangeEnd: prefix || fromKey ? ZERO : EMPTY_BYTES };
  }
  if (end !== undefined) {
    if (prefix) badArgs("unexpected endkey argument with --prefix flag");
    if (fromKey) badArgs("unexpected endkey argument with --from-key flag");
    return { key, rangeEnd: argBytes(end) };
  }
  if (prefix && fromKey) badArgs(both);
  if (prefix) return { key, rangeEnd: endOfPrefix(key) ?? ZERO };
  return { key, rangeEnd: fromKey ? ZERO : EMPTY_BYTES };
}

export const role = define({
  use: "role <subcommand>",
  long: "Role related commands",
  commands: [add, remove, get, list, grantPermission, revokePermission],
});
