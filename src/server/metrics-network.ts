import type { Family, Sample } from "../observe/index.ts";
import type { Meters, Tally, Times } from "../peer/index.ts";

type Kind = Family["type"];
type Row = readonly [type: Kind, name: string, help: string, label: string, of: Read];
type Read = (meters: Meters) => Tally | Times;

/** etcd's `rafthttp/metrics.go`; what there are none of is left out. */
const ROWS: readonly Row[] = [
  [
    "counter",
    "peer_sent_bytes_total",
    "The total number of bytes sent to peers.",
    "To",
    (meters) => meters.sentBytes,
  ],
  [
    "counter",
    "peer_received_bytes_total",
    "The total number of bytes received from peers.",
    "From",
    (meters) => meters.receivedBytes,
  ],
  [
    "counter",
    "peer_sent_failures_total",
    "The total number of send failures from peers.",
    "To",
    (meters) => meters.sendFailures,
  ],
  [
    "counter",
    "peer_received_failures_total",
    "The total number of receive failures from peers.",
    "From",
    (meters) => meters.receiveFailures,
  ],
  [
    "counter",
    "snapshot_send_success",
    "Total number of successful snapshot sends",
    "To",
    (meters) => meters.snapshotsSent,
  ],
  [
    "gauge",
    "snapshot_send_inflights_total",
    "Total number of inflight snapshot sends",
    "To",
    (meters) => meters.snapshotsSending,
  ],
  [
    "counter",
    "snapshot_send_failures",
    "Total number of snapshot send failures",
    "To",
    (meters) => meters.snapshotSendFailures,
  ],
  [
    "histogram",
    "snapshot_send_total_duration_seconds",
    "Total latency distributions of v3 snapshot sends",
    "To",
    (meters) => meters.snapshotSendSeconds,
  ],
  [
    "counter",
    "snapshot_receive_success",
    "Total number of successful snapshot receives",
    "From",
    (meters) => meters.snapshotsReceived,
  ],
  [
    "gauge",
    "snapshot_receive_inflights_total",
    "Total number of inflight snapshot receives",
    "From",
    (meters) => meters.snapshotsReceiving,
  ],
  [
    "counter",
    "snapshot_receive_failures",
    "Total number of snapshot receive failures",
    "From",
    (meters) => meters.snapshotReceiveFailures,
  ],
  [
    "histogram",
    "snapshot_receive_total_duration_seconds",
    "Total latency distributions of v3 snapshot receives",
    "From",
    (meters) => meters.snapshotReceiveSeconds,
  ],
  [
    "histogram",
    "peer_round_trip_time_seconds",
    "Round-Trip-Time histogram between peers",
    "To",
    (meters) => meters.roundTripSeconds,
  ],
];

/** What etcd tells of a member's links, each by the member at the other end. */
export function networkFamilies({
  meters,
  localId,
}: {
  readonly meters: Meters;
  /** In hexadecimal. */
  readonly localId: string;
}): Family[] {
  const pairs = (tally: Tally): Sample[] =>
    [...tally].map(([Remote, value]) => [{ Local: localId, Remote }, value]);
  return [
    {
      name: "etcd_network_active_peers",
      type: "gauge",
      help: "The current number of active peer connections.",
      samples: () => pairs(meters.activePeers),
    },
    {
      name: "etcd_network_disconnected_peers_total",
      type: "counter",
      help: "The total number of disconnected peers.",
      samples: () => pairs(meters.disconnectedPeers),
    },
    ...ROWS.map(([type, name, help, label, of]) => ({
      name: `etcd_network_${name}`,
      type,
      help,
      samples: (): Sample[] => [...of(meters)].map(([who, value]) => [{ [label]: who }, value]),
    })),
  ];
}
