import { CLUSTER_VERSION, idToHex, SERVER_VERSION } from "../cluster/index.ts";
import type { Histogram } from "../base/index.ts";
import { OPERATION, type Times } from "../member/index.ts";
import type { Family, Labels, Sample } from "../observe/index.ts";
import { api } from "../proto/index.ts";
import { GATES } from "./features.ts";
import type { Sources } from "./metrics.ts";

type Etcd = Sources & { readonly authRevision: () => number };
type Read<T> = (sources: Etcd) => T;
type Row = readonly [
  type: "counter" | "gauge" | "histogram",
  name: string,
  help: string,
  value: Read<number | Histogram | Iterable<Sample>>,
];

/** The parts of a version that labels show: `3.7` of `3.7.0`. */
const short = (version: string) => version.split(".").slice(0, 2).join(".");

const one = (labels: Labels): Sample[] => [[labels, 1]];

/** Names, kinds, helps, labels and buckets are etcd's. What there are none of is left out. */
const ROWS: readonly Row[] = [
  [
    "gauge",
    "etcd_cluster_version",
    "Which version is running. 1 for 'cluster_version' label with current cluster version",
    ({ member }) =>
      one({ cluster_version: short(member.state.members.version || CLUSTER_VERSION) }),
  ],
  [
    "gauge",
    "etcd_debugging_auth_revision",
    "The current revision of auth store.",
    ({ authRevision }) => authRevision(),
  ],
  [
    "histogram",
    "etcd_debugging_disk_backend_commit_spill_duration_seconds",
    "The latency distributions of commit.spill called by bboltdb backend.",
    ({ member }) => member.meters.commitSpill,
  ],
  [
    "histogram",
    "etcd_debugging_disk_backend_commit_write_duration_seconds",
    "The latency distributions of commit.write called by bboltdb backend.",
    ({ member }) => member.meters.commitWrite,
  ],
  [
    "counter",
    "etcd_debugging_lease_granted_total",
    "The total number of granted leases.",
    ({ member }) => member.state.lessor.granted,
  ],
  [
    "counter",
    "etcd_debugging_lease_renewed_total",
    "The number of renewed leases seen by the leader.",
    ({ member }) => member.state.lessor.renewed,
  ],
  [
    "counter",
    "etcd_debugging_lease_revoked_total",
    "The total number of revoked leases.",
    ({ member }) => member.state.lessor.revoked,
  ],
  [
    "histogram",
    "etcd_debugging_lease_ttl_total",
    "Bucketed histogram of lease TTLs.",
    ({ member }) => member.state.lessor.ttls,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_compact_revision",
    "The revision of the last compaction in store.",
    ({ member }) => member.state.store.compactedRevision,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_current_revision",
    "The current revision of store.",
    ({ member }) => member.state.store.currentRevision,
  ],
  [
    "counter",
    "etcd_debugging_mvcc_db_compaction_keys_total",
    "Total number of db keys compacted.",
    ({ member }) => member.meters.compactedKeys,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_db_compaction_last",
    "The unix time of the last db compaction. Resets to 0 on start.",
    ({ member: { meters } }) => unixTime(meters.compactionEndedAt),
  ],
  [
    "histogram",
    "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
    "Bucketed histogram of db compaction pause duration.",
    ({ member }) => member.meters.compactionPauseMs,
  ],
  [
    "histogram",
    "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
    "Bucketed histogram of db compaction total duration.",
    ({ member }) => member.meters.compactionTotalMs,
  ],
  [
    "counter",
    "etcd_debugging_mvcc_events_total",
    "Total number of events sent by this member.",
    ({ hub }) => hub.counters.events,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_keys_total",
    "Total number of keys.",
    ({ member }) => member.state.store.keyCount,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_slow_watcher_total",
    "Total number of unsynced slow watchers.",
    ({ hub }) => hub.counters.slowWatchers,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_total_put_size_in_bytes",
    "The total size of put kv pairs seen by this member.",
    ({ member }) => member.state.store.counters.putBytes,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_watch_stream_total",
    "Total number of watch streams.",
    ({ hub }) => hub.counters.streams,
  ],
  [
    "gauge",
    "etcd_debugging_mvcc_watcher_total",
    "Total number of watchers.",
    ({ hub }) => hub.counters.watchers,
  ],
  [
    "gauge",
    "etcd_debugging_server_alarms",
    "Alarms for every member in cluster. 1 for 'server_id' label with current ID. 2 for " +
      "'alarm_type' label with type of this alarm",
    alarmSamples,
  ],
  [
    "counter",
    "etcd_debugging_server_lease_expired_total",
    "The total number of expired leases.",
    ({ member }) => member.leases.expired,
  ],
  [
    "histogram",
    "etcd_debugging_snap_save_total_duration_seconds",
    "The total latency distributions of save called by snapshot.",
    ({ member }) => member.meters.snapshotSave,
  ],
  [
    "histogram",
    "etcd_disk_backend_commit_duration_seconds",
    "The latency distributions of commit called by backend.",
    ({ member }) => member.meters.commit,
  ],
  [
    "histogram",
    "etcd_disk_backend_defrag_duration_seconds",
    "The latency distribution of backend defragmentation.",
    ({ member }) => member.meters.defragment,
  ],
  [
    "histogram",
    "etcd_disk_backend_snapshot_duration_seconds",
    "The latency distribution of backend snapshots.",
    ({ member }) => member.meters.snapshotSend,
  ],
  [
    "gauge",
    "etcd_disk_defrag_inflight",
    "Whether or not defrag is active on the member. 1 means active, 0 means not.",
    ({ member }) => Number(member.meters.defragmenting > 0),
  ],
  [
    "histogram",
    "etcd_disk_wal_fsync_duration_seconds",
    "The latency distributions of fsync called by WAL.",
    ({ member }) => member.meters.logSync,
  ],
  [
    "gauge",
    "etcd_disk_wal_write_bytes_total",
    "Total number of bytes written in WAL.",
    ({ member }) => member.meters.logBytes,
  ],
  [
    "histogram",
    "etcd_disk_wal_write_duration_seconds",
    "The latency distributions of write called by WAL.",
    // One call writes and syncs.
    ({ member }) => member.meters.logSync,
  ],
  [
    "gauge",
    "etcd_mvcc_db_open_read_transactions",
    "The number of currently open read transactions",
    ({ member }) => member.db.pins,
  ],
  [
    "gauge",
    "etcd_mvcc_db_total_size_in_bytes",
    "Total size of the underlying database physically allocated in bytes.",
    ({ member: { db } }) => db.sizeInPages * db.pageSize,
  ],
  [
    "gauge",
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "Total size of the underlying database logically in use in bytes.",
    ({ member: { db } }) => (db.sizeInPages - db.freePages) * db.pageSize,
  ],
  [
    "counter",
    "etcd_mvcc_delete_total",
    "Total number of deletes seen by this member.",
    ({ member }) => member.state.store.counters.deletes,
  ],
  [
    "histogram",
    "etcd_mvcc_hash_duration_seconds",
    "The latency distribution of storage hash operation.",
    ({ member }) => member.meters.hash,
  ],
  [
    "histogram",
    "etcd_mvcc_hash_rev_duration_seconds",
    "The latency distribution of storage hash by revision operation.",
    ({ member }) => member.meters.hashRevision,
  ],
  [
    "counter",
    "etcd_mvcc_put_total",
    "Total number of puts seen by this member.",
    ({ member }) => member.state.store.counters.puts,
  ],
  [
    "counter",
    "etcd_mvcc_range_total",
    "Total number of ranges seen by this member.",
    ({ member }) => member.state.store.counters.ranges,
  ],
  [
    "counter",
    "etcd_mvcc_txn_total",
    "Total number of txns seen by this member.",
    ({ member }) => member.state.store.counters.txns,
  ],
  [
    "counter",
    "etcd_network_client_grpc_received_bytes_total",
    "The total number of bytes received from grpc clients.",
    ({ grpc }) => grpc.receivedBytes,
  ],
  [
    "counter",
    "etcd_network_client_grpc_sent_bytes_total",
    "The total number of bytes sent to grpc clients.",
    ({ grpc }) => grpc.sentBytes,
  ],
  [
    "gauge",
    "etcd_network_known_peers",
    "The current number of known peers.",
    ({ member }) => peerSamples(member.ids.memberId, member.state.members.list()),
  ],
  [
    "histogram",
    "etcd_server_apply_duration_seconds",
    "The latency distributions of v2 apply called by backend.",
    ({ member }) =>
      timesSamples(member.meters.applied, (op, success) => ({ op, success, version: "v3" })),
  ],
  [
    "counter",
    "etcd_server_client_requests_total",
    "The total number of client requests per client version.",
    ({ requests }) =>
      Array.from(requests.entries(), ({ type, version, count }) => [
        { client_api_version: version, type },
        count,
      ]),
  ],
  [
    "gauge",
    "etcd_server_feature_enabled",
    "Whether or not a feature is enabled. 1 is enabled, 0 is not.",
    featureSamples,
  ],
  [
    "gauge",
    "etcd_server_has_leader",
    "Whether or not a leader exists. 1 is existence, 0 is not.",
    ({ member }) => Number(member.hasLeader),
  ],
  [
    "counter",
    "etcd_server_health_failures",
    "The total number of failed health checks",
    ({ health }) => health.failures,
  ],
  [
    "counter",
    "etcd_server_health_success",
    "The total number of successful health checks",
    ({ health }) => health.successes,
  ],
  [
    "gauge",
    "etcd_server_healthcheck",
    "The result of each kind of healthcheck.",
    ({ probes }) =>
      Array.from(probes.tallies, ({ probe, name, isWell }) => [
        { name, type: probe },
        Number(isWell),
      ]),
  ],
  [
    "counter",
    "etcd_server_healthchecks_total",
    "The total number of each kind of healthcheck.",
    healthSamples,
  ],
  [
    "counter",
    "etcd_server_heartbeat_send_failures_total",
    "The total number of leader heartbeat send failures (likely overloaded from slow disk).",
    ({ member }) => member.meters.heartbeatsLate,
  ],
  [
    "gauge",
    "etcd_server_id",
    "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
    ({ member }) => one({ server_id: idToHex(member.ids.memberId) }),
  ],
  [
    "gauge",
    "etcd_server_is_leader",
    "Whether or not this member is a leader. 1 if is, 0 otherwise.",
    ({ member }) => Number(member.leader === member.ids.memberId),
  ],
  [
    "gauge",
    "etcd_server_is_learner",
    "Whether or not this member is a learner. 1 if is, 0 otherwise.",
    ({ member }) => Number(member.state.members.get(member.ids.memberId)?.isLearner ?? false),
  ],
  [
    "counter",
    "etcd_server_leader_changes_seen_total",
    "The number of leader changes seen.",
    ({ member }) => member.meters.leaderChanges,
  ],
  [
    "counter",
    "etcd_server_learner_promote_failures",
    "The total number of failed learner promotions (likely learner not ready) while this member is leader.",
    ({ member }) =>
      Array.from(member.meters.failedPromotions, ([Reason, count]) => [{ Reason }, count]),
  ],
  [
    "counter",
    "etcd_server_learner_promote_successes",
    "The total number of successful learner promotions while this member is leader.",
    ({ member }) => member.meters.promotions,
  ],
  [
    "gauge",
    "etcd_server_proposals_applied_total",
    "The total number of consensus proposals applied.",
    ({ member }) => member.state.appliedIndex,
  ],
  [
    "gauge",
    "etcd_server_proposals_committed_total",
    "The total number of consensus proposals committed.",
    ({ member }) => member.committedIndex,
  ],
  [
    "counter",
    "etcd_server_proposals_failed_total",
    "The total number of failed proposals seen.",
    ({ member }) => member.failedProposals,
  ],
  [
    "gauge",
    "etcd_server_proposals_pending",
    "The current number of pending proposals to commit.",
    ({ member }) => member.pendingProposals,
  ],
  [
    "gauge",
    "etcd_server_quota_backend_bytes",
    "Current backend storage quota size in bytes.",
    ({ member: { state } }) => (Number.isFinite(state.quota.bytesMax) ? state.quota.bytesMax : 0),
  ],
  [
    "histogram",
    "etcd_server_range_duration_seconds",
    "The latency distributions of txn.Range",
    ({ member }) => timesSamples(member.meters.ranges, (_, success) => ({ success })),
  ],
  [
    "counter",
    "etcd_server_read_indexes_failed_total",
    "The total number of failed read indexes seen.",
    ({ member }) => member.meters.readIndexesFailed,
  ],
  [
    "histogram",
    "etcd_server_request_duration_seconds",
    "Response latency distribution in seconds for each type.",
    ({ member }) => timesSamples(member.meters.requests, (type, success) => ({ success, type })),
  ],
  [
    "counter",
    "etcd_server_slow_apply_total",
    "The total number of slow apply requests (likely overloaded from slow disk).",
    ({ member }) => member.meters.slowApplies,
  ],
  [
    "counter",
    "etcd_server_slow_read_indexes_total",
    "The total number of pending read indexes not in sync with leader's or timed out read index " +
      "requests.",
    ({ member }) => member.meters.slowReadIndexes,
  ],
  [
    "gauge",
    "etcd_server_snapshot_apply_in_progress_total",
    "1 if the server is applying the incoming snapshot. 0 if none.",
    ({ member }) => member.meters.snapshotsApplying,
  ],
  [
    "gauge",
    "etcd_server_version",
    "Which version is running. 1 for 'server_version' label with current version.",
    () => one({ server_version: SERVER_VERSION }),
  ],
  [
    "histogram",
    "etcd_snap_db_fsync_duration_seconds",
    "The latency distributions of fsyncing .snap.db file",
    ({ member }) => member.meters.snapshotDbSync,
  ],
  [
    "histogram",
    "etcd_snap_db_save_total_duration_seconds",
    "The total latency distributions of v3 snapshot save",
    ({ member }) => member.meters.snapshotDbSave,
  ],
  [
    "histogram",
    "etcd_snap_fsync_duration_seconds",
    "The latency distributions of fsync called by snap.",
    ({ member }) => member.meters.snapshotSave,
  ],
];

export function etcdFamilies(sources: Etcd): Family[] {
  return ROWS.map(([type, name, help, read]) => {
    const samples = (): Iterable<Sample> => {
      const value = read(sources);
      const isOne = typeof value === "number" || "observe" in value;
      return isOne ? [[{}, value]] : value;
    };
    return { type, name, help, samples };
  });
}

/** As etcd names operations: `Put` for `put`. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(OPERATION).map(([name, number]) => [
    number,
    name[0]!.toUpperCase() + name.slice(1),
  ]),
);

function timesSamples(times: Times, labels: (name: string, success: string) => Labels): Sample[] {
  return Array.from(times.entries(), ({ operation, isOk, histogram }) => [
    labels(NAMES.get(operation) ?? "unknown", String(isOk)),
    histogram,
  ]);
}

function alarmSamples({ member }: Sources): Sample[] {
  return member.state.alarms.list().map(({ memberID, alarm }) => {
    const names: Readonly<Record<string, number>> = api.ALARM_TYPE;
    const name = Object.keys(names).find((each) => names[each] === alarm) ?? String(alarm);
    return [{ alarm_type: name, server_id: idToHex(memberID) }, 1];
  });
}

function featureSamples({ config }: Sources): Sample[] {
  const stages: Readonly<Record<string, { stage: string }>> = {
    ...GATES,
    AllAlpha: { stage: "ALPHA" },
    AllBeta: { stage: "BETA" },
  };
  return Array.from(config.featureGates, ([name, isOn]) => [
    { name, stage: stages[name]!.stage },
    Number(isOn),
  ]);
}

function* healthSamples({ probes }: Sources): Iterable<Sample> {
  for (const { probe, name, success, error } of probes.tallies) {
    if (error > 0) yield [{ name, status: "error", type: probe }, error];
    if (success > 0) yield [{ name, status: "success", type: probe }, success];
  }
}

function peerSamples(self: bigint, members: readonly { id: bigint }[]): Sample[] {
  return members.map(({ id }) => [{ Local: idToHex(self), Remote: idToHex(id) }, 1]);
}

function unixTime(endedAt: number | undefined): number {
  return endedAt === undefined ? 0 : Math.floor((performance.timeOrigin + endedAt) / 1000);
}
