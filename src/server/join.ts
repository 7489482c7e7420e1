import {
  clusterText,
  findMisfit,
  foundCluster,
  idToHex,
  type Member as ClusterMember,
  membersFromJson,
  nameMembers,
  unmatchedText,
  type UrlsMap,
} from "../cluster/index.ts";
import { clusterId, memberId } from "../keys/index.ts";
import { dialTimeoutMs, type LogLines, requestTimeoutMs } from "../member/index.ts";
import { TlsIdentity } from "../net/index.ts";
import {
  fetchDowngradeEnabled,
  fetchMembers,
  fetchVersion,
  notReachedLines,
  type Way,
} from "../peer/index.ts";
import type { Birth } from "./birth.ts";
import { refusal } from "./bootstrap.ts";
import type { Config } from "./config.ts";
import { type LookUp, whyUrlsDiffer } from "./same-urls.ts";

/** For one URL to tell who is in the cluster (etcd: `GetClusterFromRemotePeers`). */
const MEMBERS_MS = 10_000;
/** For the same when it is likely that nobody is there yet (etcd: `BootstrapTimeoutEffective`). */
const FOUNDED_MS = 1000;

/** A cluster as one of its members tells of it. */
interface Running {
  readonly clusterId: bigint;
  readonly members: readonly ClusterMember[];
}

export interface JoinOptions {
  readonly config: Config;
  readonly lines: LogLines;
  readonly lookUp?: LookUp;
}

/**
 * The birth of a member in a cluster that is there, which has been told of it before. Throws
 * FlagError with etcd's texts (etcd: `bootstrapExistingClusterNoWAL`).
 */
export async function join(names: UrlsMap, options: JoinOptions): Promise<Birth> {
  const { config } = options;
  const given = foundCluster(names, config.initialClusterToken, { memberId, clusterId });
  if (typeof given === "string") throw refusal(given);
  const running = await askForMembers(otherUrls(given.members, config.name), options);
  if (typeof running === "string") {
    throw refusal(`cannot fetch cluster info from peer urls: ${running}`);
  }
  const members = await matchMembers(running, given.members, options);
  const self = members.find(({ name }) => name === config.name)!;
  if (!(await isCompatible(members, self.id, options))) {
    throw refusal("incompatible with current running cluster");
  }
  if (running.members.filter(({ isLearner }) => isLearner).length > config.learnersMax) {
    throw refusal("membership: too many learner members in cluster");
  }
  const ids = { memberId: self.id, clusterId: running.clusterId };
  return { ids, members, isFounder: false };
}

/**
 * Whether the cluster runs already, and this member was in it with a name: then its directory got
 * lost, and it must not begin once more as if it had never voted.
 */
export async function wasBornBefore(
  { members, ids }: Birth,
  { config }: JoinOptions,
): Promise<boolean> {
  const asked = otherUrls(members, config.name).map((url) =>
    fetchMembers({ ...wayTo([url], config), timeoutMs: FOUNDED_MS }),
  );
  for (const reply of await Promise.all(asked)) {
    if (reply.kind !== "value") continue;
    const found = membersFromJson(reply.value.json).find(({ id }) => id === ids.memberId);
    return found !== undefined && found.clientUrls.length > 0;
  }
  return false;
}

/** URLs of all but one member, sorted. */
function otherUrls(members: readonly ClusterMember[], name: string): string[] {
  return members
    .filter((member) => member.name !== name)
    .flatMap(({ peerUrls }) => peerUrls)
    .sort();
}

async function askForMembers(
  urls: readonly string[],
  { config, lines }: JoinOptions,
): Promise<Running | string> {
  for (const url of urls) {
    const reply = await fetchMembers({ ...wayTo([url], config), timeoutMs: MEMBERS_MS });
    if (reply.kind !== "value") {
      const error = reply.kind === "unreached" ? reply.reason : reply.failure.message;
      lines.warn("failed to get cluster response", { address: `${url}/members`, error });
      continue;
    }
    const members = membersFromJson(reply.value.json);
    if (members.length > 0) return { clusterId: reply.value.clusterId, members };
    return "failed to get raft cluster member(s) from the given URLs";
  }
  return "could not retrieve cluster information from the given URLs";
}

/** The members of the cluster by the names that the operator gave, who must name all of them. */
async function matchMembers(
  running: Running,
  given: readonly ClusterMember[],
  options: JoinOptions,
): Promise<ClusterMember[]> {
  const fail = (why: string) => {
    const cluster = clusterText(running.clusterId, running.members);
    return refusal(`error validating peerURLs ${cluster}: ${why}`);
  };
  if (running.members.length !== given.length) throw fail("member count is unequal");
  const same = new Map<readonly string[], readonly string[]>();
  let why = "";
  for (const { peerUrls } of running.members) {
    for (const member of given) {
      const reason = await whyUrlsDiffer(peerUrls, member.peerUrls, options);
      if (reason === undefined) {
        same.set(peerUrls, member.peerUrls);
        break;
      }
      why = reason;
    }
  }
  const isSame = (a: readonly string[], b: readonly string[]) => same.get(a) === b;
  const members = nameMembers(running.members, given, isSame);
  if ("unmatched" in members) throw fail(unmatchedText(members.unmatched, why));
  const learners = new Set(running.members.filter((one) => one.isLearner).map(({ id }) => id));
  return members.map((member) => Object.assign(member, { isLearner: learners.has(member.id) }));
}

async function isCompatible(
  members: readonly ClusterMember[],
  self: bigint,
  { config, lines }: JoinOptions,
): Promise<boolean> {
  const others = members.filter(({ id }) => id !== self);
  const asked = others.map(async ({ id, peerUrls }) => {
    const failed = notReachedLines(lines, id);
    const reply = await fetchVersion({ ...wayTo(peerUrls, config), failed });
    if (reply.kind === "value") return [id, reply.value.cluster] as const;
    const error = reply.kind === "unreached" ? reply.reason : reply.failure.message;
    lines.warn("failed to get version", { "remote-member-id": idToHex(id), error });
    return [id, ""] as const;
  });
  const versions = new Map(await Promise.all(asked));
  const isDowngrading = await isDowngradeEnabled(others, { config, lines });
  const misfit = findMisfit(versions, { isDowngrading });
  if (misfit === undefined) return true;
  if (misfit.kind === "unknown") return false;
  const which = misfit.kind === "too low" ? "minimum" : "maximum";
  lines.warn(`cluster version of remote member is not compatible; ${misfit.kind}`, {
    "remote-member-id": idToHex(misfit.id),
    "remote-member-cluster-version": versions.get(misfit.id),
    [`${which}-cluster-version-supported`]: misfit.bound,
  });
  return false;
}

/** The first answer counts: all members know it from the log. */
async function isDowngradeEnabled(
  others: readonly ClusterMember[],
  { config, lines }: JoinOptions,
): Promise<boolean> {
  for (const { id, peerUrls } of others) {
    const failed = notReachedLines(lines, id);
    const reply = await fetchDowngradeEnabled({ ...wayTo(peerUrls, config), failed });
    if (reply.kind === "value") return reply.value;
    const error = reply.kind === "unreached" ? reply.reason : reply.failure.message;
    const fields = { "remote-member-id": idToHex(id), error };
    lines.warn("failed to get downgrade enabled status", fields);
  }
  return false;
}

function wayTo(urls: readonly string[], { electionMs, peerTls }: Config): Way {
  const identity = new TlsIdentity(peerTls);
  const timeoutMs = requestTimeoutMs(electionMs);
  return { urls, identity, timeoutMs, dialTimeoutMs: dialTimeoutMs(electionMs) };
}
