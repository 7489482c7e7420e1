import { urlProblem } from "../../base/index.ts";
import {
  boolFlag,
  EXIT,
  Exit,
  GoTextError,
  parseUint64,
  stringFlag,
  type Table,
} from "../../cli/index.ts";
import { api, type Schema } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, commandDeadline, define, defineSub } from "../define.ts";
import type { AnswerLines } from "../printers/fields.ts";
import { type AnswerView, messageView } from "../printers/view.ts";
import { isSerializable } from "./get.ts";

type MembersAnswer = Pick<api.MemberListResponse, "header" | "members">;

const add = defineSub({
  use: "add <memberName> [options]",
  short: "Adds a member into the cluster",
  flags: {
    "peer-urls": stringFlag("comma separated peer URLs for the new member."),
    learner: boolFlag("indicates if the new member is raft learner"),
  },
  run: async ({ args, context: ctl }, flags) => {
    const name = newMemberName(args);
    if (flags["peer-urls"] === "") badArgs("member peer urls not provided");
    const peerURLs = flags["peer-urls"].split(",");
    const deadline = await commandDeadline(ctl);
    const { cluster } = await import("../../client/index.ts");
    const request = { peerURLs, isLearner: flags.learner };
    const client = await ctl.connect();
    checkUrls(peerURLs);
    const answer = await callOrExit(client, cluster.memberAdd, request, { deadline });
    const id = answer.member?.ID ?? 0n;
    const learner = answer.member?.isLearner === true ? " as learner " : " ";
    ctl.show(
      membersView(ctl, api.MemberAddResponse, answer, {
        simple: (page) =>
          page.line(`Member ${wide(id)} added${learner}to cluster ${clusterOf(answer)}`),
      }),
    );
    if (ctl.format === "simple") ctl.out(startVariables(name, answer, peerURLs));
  },
});

/** Nothing is asked of the server with addresses that cannot be. Throws `Exit`. */
function checkUrls(urls: readonly string[]): void {
  for (const url of urls) {
    const problem = urlProblem(url);
    if (problem !== undefined) throw new Exit(EXIT.error, problem);
  }
}

function newMemberName(args: readonly string[]): string {
  if (args.length === 0) badArgs("member name not provided");
  if (args.length > 1) {
    const hints = args
      .filter((arg) => arg.toLowerCase().startsWith("http"))
      .map((url) => `, did you mean --peer-urls=${url}`);
    badArgs(`too many arguments${hints.join("")}`);
  }
  return args[0]!;
}

/** What the new member is to be started with. */
function startVariables(
  name: string,
  answer: api.MemberAddResponse,
  peerURLs: readonly string[],
): string {
  const newId = answer.member?.ID;
  const cluster = answer.members.flatMap((member) =>
    member.peerURLs.map((url) => `${member.ID === newId ? name : member.name}=${url}`),
  );
  return (
    `\nETCD_NAME="${name}"\nETCD_INITIAL_CLUSTER="${cluster.join(",")}"\n` +
    `ETCD_INITIAL_ADVERTISE_PEER_URLS="${peerURLs.join(",")}"\n` +
    'ETCD_INITIAL_CLUSTER_STATE="existing"\n'
  );
}

const remove = defineSub({
  use: "remove <memberID>",
  short: "Removes a member from the cluster",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("member ID is not provided");
    const ID = memberId(args[0]!);
    const deadline = await commandDeadline(ctl);
    const { cluster } = await import("../../client/index.ts");
    const answer = await callOrExit(
      await ctl.connect(),
      cluster.memberRemove,
      { ID },
      { deadline },
    );
    ctl.show(
      membersView(ctl, api.MemberRemoveResponse, answer, {
        simple: (page) => page.line(`Member ${wide(ID)} removed from cluster ${clusterOf(answer)}`),
      }),
    );
  },
});

const update = defineSub({
  use: "update <memberID> [options]",
  short: "Updates a member in the cluster",
  flags: { "peer-urls": stringFlag("comma separated peer URLs for the updated member.") },
  run: async ({ args, context: ctl }, flags) => {
    if (args.length !== 1) badArgs("member ID is not provided");
    const ID = memberId(args[0]!);
    if (flags["peer-urls"] === "") badArgs("member peer urls not provided");
    const request = { ID, peerURLs: flags["peer-urls"].split(",") };
    const deadline = await commandDeadline(ctl);
    const { cluster } = await import("../../client/index.ts");
    const client = await ctl.connect();
    checkUrls(request.peerURLs);
    const answer = await callOrExit(client, cluster.memberUpdate, request, { deadline });
    ctl.show(
      membersView(ctl, api.MemberUpdateResponse, answer, {
        simple: (page) => page.line(`Member ${wide(ID)} updated in cluster ${clusterOf(answer)}`),
      }),
    );
  },
});

const list = defineSub({
  use: "list",
  short: "Lists all members in the cluster",
  long:
    "When --write-out is set to simple, this command prints out comma-separated member " +
    "lists for each endpoint.\n" +
    "The items in the lists are ID, Status, Name, Peer Addrs, Client Addrs, Is Learner.\n",
  flags: { consistency: stringFlag("Linearizable(l) or Serializable(s)", "l") },
  run: async ({ context: ctl }, flags) => {
    const linearizable = !isSerializable(flags.consistency);
    const deadline = await commandDeadline(ctl);
    const { cluster } = await import("../../client/index.ts");
    const client = await ctl.connect();
    const answer = await callOrExit(client, cluster.memberList, { linearizable }, { deadline });
    const table = memberTable(answer.members);
    ctl.show(
      membersView(ctl, api.MemberListResponse, answer, {
        simple: (page) => {
          for (const row of table.rows) page.line(row.join(", "));
        },
        fields: (lines) => memberFields(lines, answer),
        table: () => table,
      }),
    );
  },
});

const promote = defineSub({
  use: "promote <memberID>",
  short: "Promotes a non-voting member in the cluster",
  long: `Promotes a non-voting learner member to a voting one in the cluster.
`,
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("member ID is not provided");
    const ID = memberId(args[0]!);
    const deadline = await commandDeadline(ctl);
    const { cluster } = await import("../../client/index.ts");
    const client = await ctl.connect();
    const answer = await callOrExit(client, cluster.memberPromote, { ID }, { deadline });
    ctl.show(
      membersView(ctl, api.MemberPromoteResponse, answer, {
        simple: (page) => page.line(`Member ${wide(ID)} promoted in cluster ${clusterOf(answer)}`),
      }),
    );
  },
});

/** Only answers about members show their ids in hexadecimal in JSON, when asked to. */
function membersView<T extends MembersAnswer>(
  ctl: Ctl,
  schema: Schema<T>,
  answer: T,
  rest: Omit<AnswerView, "json" | "protobuf">,
): AnswerView {
  const view = messageView(schema, answer, rest);
  return ctl.flags.hex ? { ...view, json: () => hexJson(answer) } : view;
}

function hexJson(answer: MembersAnswer & { readonly member?: api.Member | undefined }): unknown {
  const { header, members, member } = answer;
  return {
    header: {
      cluster_id: (header?.clusterId ?? 0n).toString(16),
      member_id: (header?.memberId ?? 0n).toString(16),
      revision: header?.revision || undefined,
      raft_term: header?.raftTerm || undefined,
    },
    member: member === undefined ? undefined : hexMember(member),
    members: members.map(hexMember),
  };
}

function hexMember(member: api.Member): unknown {
  return {
    ID: member.ID.toString(16),
    name: member.name || undefined,
    peerURLs: member.peerURLs.length === 0 ? undefined : member.peerURLs,
    clientURLs: member.clientURLs.length === 0 ? undefined : member.clientURLs,
    isLearner: member.isLearner || undefined,
  };
}

function memberTable(members: readonly api.Member[]): Table {
  return {
    header: ["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"],
    rows: members.map((member) => [
      member.ID.toString(16),
      member.name === "" ? "unstarted" : "started",
      member.name,
      member.peerURLs.join(","),
      member.clientURLs.join(","),
      String(member.isLearner),
    ]),
  };
}

function memberFields(lines: AnswerLines, answer: api.MemberListResponse): void {
  lines.header(answer.header);
  for (const member of answer.members) {
    lines.id("ID", member.ID);
    lines.quoted("Name", member.name);
    for (const url of member.peerURLs) lines.quoted("PeerURL", url);
    for (const url of member.clientURLs) lines.quoted("ClientURL", url);
    lines.add("IsLearner", member.isLearner);
    lines.gap();
  }
}

function memberId(text: string): bigint {
  try {
    return parseUint64(text, 16);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    return badArgs(`bad member ID arg (${error.message}), expecting ID in Hex`);
  }
}

/** An id in a column of sixteen. */
const wide = (id: bigint) => id.toString(16).padStart(16);
const clusterOf = (answer: MembersAnswer) => wide(answer.header?.clusterId ?? 0n);

export const member = define({
  use: "member <subcommand>",
  long: "Membership related commands",
  commands: [add, remove, update, list, promote],
});
