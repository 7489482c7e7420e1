import { availableParallelism } from "node:os";
import { join } from "node:path";
import { formatDuration } from "../base/index.ts";
import { idToHex, SERVER_VERSION, shortVersion } from "../cluster/index.ts";
import type { Member } from "../member/index.ts";
import type { Config } from "./config.ts";
import { QUORD_VERSION } from "./version.ts";

const QUOTA_BYTES_DEFAULT = 2 ** 31;

/** What the log says of a member's settings when it starts, under etcd's names. */
export function startFields(config: Config, { isInitialized }: { isInitialized: boolean }): object {
  const retention = formatDuration(
    config.autoCompactionMode === "periodic"
      ? config.autoCompactionRetention
      : config.autoCompactionRetention / 1e6,
  );
  return {
    "etcd-version": SERVER_VERSION,
    "git-sha": `quord-${QUORD_VERSION}`,
    "node-version": process.versions.node,
    "max-cpu-available": availableParallelism(),
    "member-initialized": isInitialized,
    name: config.name,
    "data-dir": config.dataDir,
    "wal-dir": config.walDir,
    "member-dir": join(config.dataDir, "member"),
    "heartbeat-interval": formatDuration(config.tickMs),
    "election-timeout": formatDuration(config.electionMs),
    "snapshot-count": config.snapshotEntries,
    "max-wals": config.walsMax,
    "max-snapshots": config.snapshotsMax,
    "snapshot-catchup-entries": config.snapshotCatchUpEntries,
    ...urlFields(config),
    cors: config.cors,
    "host-whitelist": config.hostWhitelist,
    "initial-cluster": isInitialized ? "" : config.initialCluster,
    "initial-cluster-state": config.initialClusterState,
    "initial-cluster-token": isInitialized ? "" : config.initialClusterToken,
    "quota-backend-bytes": config.quotaBytes || QUOTA_BYTES_DEFAULT,
    "max-request-bytes": config.requestBytesMax,
    "max-concurrent-streams": config.concurrentStreamsMax,
    "feature-gates": gatesText(config),
    "corrupt-check-time-interval": formatDuration(config.corruptCheckMs),
    "compact-check-time-interval": formatDuration(config.compactHashCheckMs),
    "auto-compaction-mode": config.autoCompactionMode,
    "auto-compaction-retention": retention,
  };
}

/** Where a member listens and how it is reached. */
export function urlFields(config: Config): object {
  return {
    "initial-advertise-peer-urls": config.advertisePeerUrls,
    "listen-peer-urls": config.listenPeerUrls.map(urlText),
    "advertise-client-urls": config.advertiseClientUrls,
    "listen-client-urls": config.listenClientUrls.map(urlText),
    "listen-metrics-urls": config.listenMetricsUrls.map(urlText),
  };
}

/** The member and the versions of server and cluster. */
export function versionFields({ ids, state }: Pick<Member, "ids" | "state">): object {
  const { version } = state.members;
  return {
    "local-member-id": idToHex(ids.memberId),
    "local-server-version": SERVER_VERSION,
    ...(version !== "" && { "cluster-id": idToHex(ids.clusterId) }),
    "cluster-version": version === "" ? "to_be_decided" : shortVersion(version),
  };
}

/** As it was given: an URL of Node's has a slash that the address of a port does not need. */
const urlText = (url: URL): string => url.href.replace(/^(https?:\/\/[^/]*)\/$/, "$1");

function gatesText({ featureGates }: Config): string {
  return [...featureGates]
    .map(([name, isOpen]) => `${name}=${isOpen}`)
    .toSorted()
    .join(",");
}
