import { boolFlag, EXIT, Exit, GoTextError, parseInt64 } from "../../cli/index.ts";
import { api, fail } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, commandDeadline, define, defineSub } from "../define.ts";
import { leaseHex } from "../printers/fields.ts";
import { headerBytes, headerMembers, messageView } from "../printers/view.ts";

const grant = defineSub({
  use: "grant <ttl>",
  short: "Creates leases",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("lease grant command needs TTL argument");
    const TTL = Number(int64Of(args[0]!, 10, (reason) => `bad TTL (${reason})`));
    const deadline = await commandDeadline(ctl);
    const { lease } = await import("../../client/index.ts");
    const describe = (reason: string) => `failed to grant lease (${reason})`;
    const client = await ctl.connect();
    const answer = await callOrExit(client, lease.grant, { TTL }, { deadline, describe });
    const { ID, error } = answer;
    ctl.show({
      simple: (page) => page.line(`lease ${leaseHex(ID)} granted with TTL(${answer.TTL}s)`),
      fields: (lines) => {
        lines.header(answer.header);
        lines.lease("ID", ID);
        lines.add("TTL", answer.TTL);
      },
      json: () => ({ ...headerMembers(answer.header), ID, TTL: answer.TTL, Error: error }),
      protobuf: () => headerBytes(answer.header),
    });
  },
});

const revoke = defineSub({
  use: "revoke <leaseID>",
  short: "Revokes leases",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("lease revoke command needs 1 argument");
    const ID = leaseId(args[0]!);
    const deadline = await commandDeadline(ctl);
    const { lease } = await import("../../client/index.ts");
    const describe = (reason: string) => `failed to revoke lease (${reason})`;
    const client = await ctl.connect();
    const answer = await callOrExit(client, lease.revoke, { ID }, { deadline, describe });
    ctl.show(
      messageView(api.LeaseRevokeResponse, answer, {
        simple: (page) => page.line(`lease ${leaseHex(ID)} revoked`),
        fields: (lines) => lines.header(answer.header),
      }),
    );
  },
});

const timeToLive = defineSub({
  use: "timetolive <leaseID> [options]",
  short: "Get lease information",
  flags: { keys: boolFlag("Get keys attached to this lease") },
  run: async ({ args, context: ctl }, flags) => {
    if (args.length !== 1) badArgs("lease timetolive command needs lease ID as argument");
    const client = await ctl.connect();
    const { lease } = await import("../../client/index.ts");
    const request = { ID: leaseId(args[0]!), keys: flags.keys };
    const status = EXIT.badConnection;
    const answer = await callOrExit(client, lease.timeToLive, request, { status });
    showTimeToLive(ctl, answer, flags.keys);
  },
});

function showTimeToLive(ctl: Ctl, answer: api.LeaseTimeToLiveResponse, withKeys: boolean): void {
  const { ID, TTL, grantedTTL, keys } = answer;
  ctl.show({
    simple: (page) => {
      const name = `lease ${leaseHex(ID)}`;
      if (grantedTTL === 0 && TTL === -1) page.line(`${name} already expired`);
      else if (!withKeys) page.line(`${name} granted with TTL(${grantedTTL}s), remaining(${TTL}s)`);
      else {
        const times = `granted with TTL(${grantedTTL}s), remaining(${TTL}s)`;
        const head = `${name} ${times}, attached keys([`;
        page.line(head, ...keys.flatMap((key, at) => (at === 0 ? [key] : [" ", key])), "])");
      }
    },
    fields: (lines) => {
      lines.header(answer.header);
      lines.lease("ID", ID);
      lines.add("TTL", TTL);
      lines.add("GrantedTTL", grantedTTL);
      for (const key of keys) lines.quoted("Key", key);
    },
    json: () => ({
      ...headerMembers(answer.header),
      id: ID,
      ttl: TTL,
      "granted-ttl": grantedTTL,
      keys: keys.length === 0 ? null : keys,
    }),
    protobuf: () => headerBytes(answer.header),
  });
}

const list = defineSub({
  use: "list",
  short: "List all active leases",
  run: async ({ context: ctl }) => {
    const client = await ctl.connect();
    const { lease } = await import("../../client/index.ts");
    const answer = await callOrExit(client, lease.leases, {}, { status: EXIT.badConnection });
    const ids = answer.leases.map(({ ID }) => ID);
    ctl.show({
      simple: (page) => {
        page.line(`found ${ids.length} leases`);
        for (const id of ids) page.line(leaseHex(id));
      },
      fields: (lines) => {
        lines.header(answer.header);
        for (const id of ids) lines.lease("ID", id);
      },
      json: () => ({ ...headerMembers(answer.header), leases: ids.map((id) => ({ id })) }),
      protobuf: () => headerBytes(answer.header),
    });
  },
});

const keepAlive = defineSub({
  use: "keep-alive [options] <leaseID>",
  short: "Keeps leases alive (renew)",
  flags: {
    once: boolFlag(
      "Resets the keep-alive time to its original value and cobrautl.Exits immediately",
    ),
  },
  run: async ({ args, context: ctl }, flags) => {
    if (args.length !== 1) badArgs("lease keep-alive command needs lease ID as argument");
    const id = leaseId(args[0]!);
    await (flags.once ? renewOnce(ctl, id) : renewForever(ctl, id));
  },
});

async function renewOnce(ctl: Ctl, id: bigint): Promise<void> {
  const client = await ctl.connect();
  const { describeError, keepAliveOnce } = await import("../../client/index.ts");
  try {
    const answer = await keepAliveOnce(client, id);
    if (answer.TTL <= 0) throw new Exit(EXIT.badConnection, fail("leaseNotFound").message);
    showRenewal(ctl, answer);
  } catch (error) {
    if (error instanceof Exit) throw error;
    throw new Exit(EXIT.badConnection, describeError(error));
  }
}

async function renewForever(ctl: Ctl, id: bigint): Promise<void> {
  const client = await ctl.connect();
  const { keepAlive } = await import("../../client/index.ts");
  // As long as a connection may take, and a second for the answer.
  const firstTimeoutMs = ctl.flags["dial-timeout"] + 1_000;
  for await (const answer of keepAlive(client, id, firstTimeoutMs)) showRenewal(ctl, answer);
  if (ctl.format === "simple") ctl.out(`lease ${leaseHex(id)} expired or revoked.\n`);
}

function showRenewal(ctl: Ctl, answer: api.LeaseKeepAliveResponse): void {
  const { ID, TTL } = answer;
  ctl.show({
    simple: (page) => page.line(`lease ${leaseHex(ID)} keepalived with TTL(${TTL})`),
    fields: (lines) => {
      lines.header(answer.header);
      lines.lease("ID", ID);
      lines.add("TTL", TTL);
    },
    json: () => ({ ...headerMembers(answer.header), ID, TTL }),
    protobuf: () => headerBytes(answer.header),
  });
}

function leaseId(text: string): bigint {
  return int64Of(text, 16, (reason) => `bad lease ID arg (${reason}), expecting ID in Hex`);
}

function int64Of(text: string, base: 10 | 16, refuse: (reason: string) => string): bigint {
  try {
    return parseInt64(text, base);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    return badArgs(refuse(error.message));
  }
}

export const lease = define({
  use: "lease <subcommand>",
  long: "Lease related commands",
  commands: [grant, revoke, timeToLive, list, keepAlive],
});
