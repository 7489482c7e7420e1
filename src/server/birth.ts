import { textToBytes } from "../base/index.ts";
import {
  foundCluster,
  idToHex,
  type Member as ClusterMember,
  memberToJson,
  type UrlsMap,
} from "../cluster/index.ts";
import { clusterId, memberId } from "../keys/index.ts";
import type { LogLines } from "../member/index.ts";
import type { RawNode } from "../raft/index.ts";
import { checkFounding, checkJoining, readNames, refusal } from "./bootstrap.ts";
import type { Config } from "./config.ts";

/** What a member begins with, whose directory is new. */
export interface Birth {
  readonly ids: { readonly memberId: bigint; readonly clusterId: bigint };
  /** The members of its cluster, itself among them. */
  readonly members: readonly ClusterMember[];
  /** Whether these begin the cluster; else it was there before, and its log tells of everything. */
  readonly isFounder: boolean;
}

/** The birth of a member as its settings say it. Throws FlagError with etcd's texts. */
export async function bear(config: Config, lines: LogLines): Promise<Birth> {
  const names = readNames(config.initialCluster);
  if (config.initialClusterState === "existing") {
    checkJoining(config, names);
    const { join } = await import("./join.ts");
    return join(names, { config, lines });
  }
  await checkFounding(config, names, lines);
  const birth = found(config, names);
  if (birth.members.length > 1) await refuseSecondBirth(birth, config, lines);
  return birth;
}

/** The birth of one of the members of `--initial-cluster`, who begin a cluster together. */
export function foundByConfig(config: Config): Birth {
  return found(config, readNames(config.initialCluster));
}

function found(config: Config, names: UrlsMap): Birth {
  const founding = foundCluster(names, config.initialClusterToken, { memberId, clusterId });
  if (typeof founding === "string") throw refusal(founding);
  const { members, clusterId: cluster } = founding;
  const self = members.find(({ name }) => name === config.name)!;
  return { ids: { memberId: self.id, clusterId: cluster }, members, isFounder: true };
}

async function refuseSecondBirth(birth: Birth, config: Config, lines: LogLines): Promise<void> {
  const { wasBornBefore } = await import("./join.ts");
  if (!(await wasBornBefore(birth, { config, lines }))) return;
  const id = idToHex(birth.ids.memberId);
  throw refusal(`member ${id} has already been bootstrapped`);
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
