import { quoteText, textToBytes } from "../base/index.ts";
import {
  foundCluster,
  hasDuplicateUrl,
  idToHex,
  type Member as ClusterMember,
  memberToJson,
  type UrlsMap,
  urlsMapText,
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

/**
 * The birth of a member as its settings say it. `begun` is called first. Throws FlagError with
 * etcd's texts.
 */
export async function bear(
  settings: Config,
  lines: LogLines,
  begun = (): void => {},
): Promise<Birth> {
  begun();
  const config = await named(settings, lines);
  const names = readNames(config.initialCluster);
  if (config.initialClusterState === "existing") {
    checkJoining(config, names);
    const { join } = await import("./join.ts");
    return join(names, { config, lines });
  }
  await checkFounding(config, names, lines);
  const birth = found(config, names);
  if (birth.members.length > 1) await refuseSecondBirth(birth, config, lines);
  return config.discovery === undefined ? birth : meetOthers(birth, config, lines);
}

/**
 * The settings with the members that DNS names, or with this one alone while the others are yet to
 * be met: the token of the meeting is that of the cluster.
 */
async function named(config: Config, lines: LogLines): Promise<Config> {
  const { discovery, discoverySrv, name, advertisePeerUrls } = config;
  if (discovery !== undefined) {
    const initialCluster = advertisePeerUrls.map((url) => `${name}=${url}`).join(",");
    return { ...config, initialCluster, initialClusterToken: discovery.token };
  }
  if (discoverySrv.domain === "") return config;
  const { discoverBySrv } = await import("./discovery-srv.ts");
  const initialCluster = await discoverBySrv({ config, lines }).catch((error: unknown) => {
    throw refusal(`error setting up initial cluster: ${(error as Error).message}`);
  });
  if (!readNames(initialCluster).has(name)) {
    const problem = `cannot find local etcd member ${quoteText(name)} in SRV records`;
    throw refusal(`error setting up initial cluster: ${problem}`);
  }
  return { ...config, initialCluster };
}

/** The cluster of all who meet in another one. */
async function meetOthers(alone: Birth, config: Config, lines: LogLines): Promise<Birth> {
  const { discover } = await import("./discovery.ts");
  lines.info("Bootstrapping cluster using v3 discovery.");
  const initialCluster = await discover({
    discovery: config.discovery!,
    memberId: idToHex(alone.ids.memberId),
    self: urlsMapText(readNames(config.initialCluster)),
    lines,
  });
  const names = readNames(initialCluster);
  if (hasDuplicateUrl(names)) {
    throw refusal(`discovery cluster ${urlsMapText(names)} has duplicate url`);
  }
  return found(config, names);
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
