import { bytesToText } from "../base/index.ts";
import type { Reply } from "./call.ts";
import { INCOMPATIBLE, WRONG_CLUSTER } from "./compatibility.ts";
import { hex, type Local, type Remote, REMOVED } from "./local.ts";

/**
 * What the answer to a POST of raft means: undefined is well, else why not. Where the peer says
 * that this member was removed, that is told on.
 */
export function checkPosted(local: Local, remote: Remote, reply: Reply): string | undefined {
  if (reply.status === 204) return undefined;
  if (reply.status === 403) {
    local.onRemoved(REMOVED);
    return REMOVED;
  }
  if (reply.status !== 412) return `unexpected http status ${reply.statusText} while posting`;
  const text = bytesToText(reply.body).replace(/\n$/, "");
  const peer = { "remote-peer-id": hex(remote.id) };
  if (text === INCOMPATIBLE) local.lines.error("request sent was ignored by peer", peer);
  else if (text === WRONG_CLUSTER) {
    local.lines.error("request sent was ignored due to cluster ID mismatch", {
      ...peer,
      "remote-peer-cluster-id": reply.field("x-etcd-cluster-id") ?? "",
      "local-member-cluster-id": hex(local.clusterId),
    });
  } else return `unhandled error ${JSON.stringify(text)} when precondition failed`;
  return text;
}
