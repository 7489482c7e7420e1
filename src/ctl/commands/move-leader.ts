import { GoTextError, parseUint64 } from "../../cli/index.ts";
import type { Client, Deadline } from "../../client/index.ts";
import { api } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, commandDeadline, define } from "../define.ts";
import { messageView } from "../printers/view.ts";

export const moveLeader = define({
  use: "move-leader <transferee-member-id>",
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("move-leader command needs 1 argument");
    const targetID = memberId(args[0]!);
    const endpoints = await ctl.endpoints();
    const deadline = await commandDeadline(ctl);
    const { client, id } = await findLeader(ctl, endpoints, deadline);
    const { maintenance } = await import("../../client/index.ts");
    const answer = await callOrExit(client, maintenance.moveLeader, { targetID }, { deadline });
    const done = `Leadership transferred from ${id.toString(16)} to ${targetID.toString(16)}`;
    ctl.show(messageView(api.MoveLeaderResponse, answer, { simple: (page) => page.line(done) }));
  },
});

/** Only the leader can hand its office on, so it must be among the endpoints. */
async function findLeader(
  ctl: Ctl,
  endpoints: readonly string[],
  deadline: Deadline,
): Promise<{ readonly client: Client; readonly id: bigint }> {
  const { maintenance } = await import("../../client/index.ts");
  for (const endpoint of endpoints) {
    const client = await ctl.connect([endpoint]);
    const { header, leader } = await callOrExit(client, maintenance.status, {}, { deadline });
    if (header?.memberId === leader) return { client, id: leader };
    client.close();
  }
  return badArgs(`no leader endpoint given at [${endpoints.join(" ")}]`);
}

function memberId(text: string): bigint {
  try {
    return parseUint64(text, 16);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    return badArgs(error.message);
  }
}
