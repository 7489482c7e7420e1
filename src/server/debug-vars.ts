import { idToHex } from "../cluster/index.ts";
import type { Page } from "../http/index.ts";
import type { Member } from "../member/index.ts";
import { fileLimit } from "./process-files.ts";

/** `/debug/vars`, in the shape of Go's `expvar`: sorted keys, one a line. */
export async function debugVars(member: Member): Promise<Page> {
  const vars: Record<string, unknown> = {
    cmdline: process.argv,
    file_descriptor_limit: await fileLimit(),
    memstats: memory(),
    "raft.status": raftStatus(member),
  };
  const lines = Object.entries(vars).map(([key, value]) => {
    return `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
  });
  const fields = { "Content-Type": "application/json; charset=utf-8" };
  return { status: 200, fields, body: `{\n${lines.join(",\n")}\n}\n` };
}

/** What V8 can say under the names of Go's runtime, bytes. */
function memory(): object {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    Alloc: heapUsed + external,
    Sys: rss,
    HeapAlloc: heapUsed,
    HeapSys: heapTotal,
    HeapIdle: heapTotal - heapUsed,
    HeapInuse: heapUsed,
    OtherSys: external,
    ArrayBuffers: arrayBuffers,
  };
}

const ROLES = {
  follower: "StateFollower",
  candidate: "StateCandidate",
  preCandidate: "StatePreCandidate",
  leader: "StateLeader",
} as const;

function raftStatus(member: Member): object {
  const { term, vote, commit, applied, softState } = member.raftStatus();
  const id = member.ids.memberId;
  const isLeader = softState.role === "leader";
  const own = { match: commit, next: commit + 1, state: "StateReplicate" };
  return {
    id: idToHex(id),
    term,
    vote: idToHex(vote),
    commit,
    lead: idToHex(softState.lead),
    raftState: ROLES[softState.role],
    applied,
    progress: isLeader ? { [idToHex(id)]: own } : {},
    leadtransferee: "0",
  };
}
