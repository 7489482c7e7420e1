import type { State } from "../apply/index.ts";
import { textToBytes } from "../base/index.ts";
import { idToHex, memberToJson } from "../cluster/index.ts";
import type { OpenedWal } from "../disk/index.ts";
import type { LogLines } from "../member/index.ts";
import {
  CONF_CHANGE_TYPE,
  decodeConfChange,
  encodeConfChange,
  ENTRY_TYPE,
  type Entry,
  type HardState,
} from "../proto/index.ts";
import type { MemoryStorage } from "../raft/index.ts";

/** Where etcd believes a member to be that its own log does not name. */
const PEER_URLS = ["http://localhost:2380"];

const NO_STATE: HardState = { term: 0, vote: 0n, commit: 0 };

/**
 * Makes a member the only one of its cluster (`--force-new-cluster`): its log ends with the removal
 * of all others, committed by nobody's leave. To be used when the others are lost for good; should
 * one of them come back, there would be two clusters. Fills raft's memory of the log, and resolves
 * when the log is durable (etcd: `bootstrapWALFromSnapshot`).
 *
 * etcd drops what the log does not know to be committed. But that a write is committed, and
 * acknowledged, is often written with a later one only: the last ones would be lost. What the log
 * holds is kept instead; the others can disagree no more.
 */
export async function forceNewCluster(
  opened: OpenedWal,
  storage: MemoryStorage,
  { state, lines }: { readonly state: State; readonly lines: LogLines },
): Promise<void> {
  const { metadata, hardState: before = NO_STATE, wal } = opened;
  const members = new Set(state.members.allKnown().map(({ id }) => id));
  for await (const entries of opened.entries()) {
    storage.append(entries);
    for (const entry of entries) if (entry.index > state.storedIndex) follow(members, entry);
  }
  const after = storage.lastIndex;
  const forced = removals(members, metadata.nodeId, { term: before.term, after });
  const hardState = { ...before, commit: after + forced.length };
  await wal.append({ hardState, entries: forced, mustSync: true });
  storage.append(forced);
  storage.setHardState(hardState);
  lines.info("forcing restart member", {
    "cluster-id": idToHex(metadata.clusterId),
    "local-member-id": idToHex(metadata.nodeId),
    "wal-commit-index": before.commit,
    "commit-index": hardState.commit,
  });
}

/** What an entry does to the members. */
function follow(members: Set<bigint>, { type, data }: Entry): void {
  if (type !== ENTRY_TYPE.confChange) return;
  const change = decodeConfChange(data);
  if (change.type === CONF_CHANGE_TYPE.removeNode) members.delete(change.nodeId);
  else members.add(change.nodeId);
}

/** The member itself first, if it is not known: there must always be one who votes. */
function removals(
  members: ReadonlySet<bigint>,
  self: bigint,
  { term, after }: { readonly term: number; readonly after: number },
): Entry[] {
  const named = { id: self, peerUrls: PEER_URLS, isLearner: false, name: "", clientUrls: [] };
  const add = {
    type: CONF_CHANGE_TYPE.addNode,
    nodeId: self,
    context: textToBytes(memberToJson(named, { withId: true })),
  };
  const others = [...members].filter((id) => id !== self).sort((a, b) => (a < b ? -1 : 1));
  const changes = others.map((nodeId) => ({
    type: CONF_CHANGE_TYPE.removeNode,
    nodeId,
    context: new Uint8Array(0),
  }));
  return (members.has(self) ? changes : [add, ...changes]).map((change, i) => ({
    term,
    index: after + 1 + i,
    type: ENTRY_TYPE.confChange,
    data: encodeConfChange({ id: 0n, ...change }),
  }));
}
