import { EXIT } from "../cli/index.ts";
import type { Ctl } from "./ctl.ts";
import { callOrExit, commandDeadline } from "./define.ts";

/** The endpoints of the flags, or of the whole cluster: those that its members advertise. */
export async function targets(ctl: Ctl, wholeCluster: boolean): Promise<readonly string[]> {
  if (!wholeCluster) return ctl.endpoints();
  const { cluster } = await import("../client/index.ts");
  const client = await ctl.connect(undefined, { status: EXIT.error });
  const request = { linearizable: true };
  const answer = await callOrExit(client, cluster.memberList, request, {
    deadline: await commandDeadline(ctl),
    describe: (reason) => `failed to fetch endpoints from etcd cluster member list: ${reason}`,
  });
  client.close();
  return answer.members.flatMap((member) => member.clientURLs);
}
