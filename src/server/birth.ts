import { textToBytes } from "../base/index.ts";
import {
  foundCluster,
  type Member as ClusterMember,
  memberToJson,
  parseUrlsMap,
} from "../cluster/index.ts";
import { clusterId, memberId } from "../keys/index.ts";
import type { RawNode } from "../raft/index.ts";
import type { Config } from "./config.ts";
import { FlagError } from "./flags.ts";

/** What a member begins with, whose directory is new. */
export interface Birth {
  readonly ids: { readonly memberId: bigint; readonly clusterId: bigint };
  /** The members of its cluster, itself among them. */
  readonly members: readonly ClusterMember[];
  /** Whether these begin the cluster; else it was there before, and its log tells of everything. */
  readonly isFounder: boolean;
}

/** The birth of one of the members of `--initial-cluster`, who begin a cluster together. */
export function foundByConfig(config: Config): Birth {
  const names = parseUrlsMap(config.initialCluster);
  const founding = foundCluster(names, config.initialClusterToken, { memberId, clusterId });
  if (typeof founding === "string") throw new FlagError(founding, "start");
  const { members, clusterId: cluster } = founding;
  const self = members.find(({ name }) => name === config.name)!;
  return { ids: { memberId: self.id, clusterId: cluster }, members, isFounder: true };
}

/** The first entries of the log of every founder are the same: they name all of them. */
export function writeFounders(node: RawNode, { members }: Birth): void {
  node.bootstrap(
    members.map((member) => ({
      id: member.id,
      context: textToBytes(memberToJson(member, { withId: true })),
    })),
  );
}
