import { hex, type Local } from "./local.ts";

/** Who is speaking: fields of every request of raft to another member. */
export function identityFields(local: Local): Record<string, string> {
  return {
    "X-Server-From": hex(local.memberId),
    "X-Server-Version": local.version,
    "X-Min-Cluster-Version": local.minClusterVersion,
    "X-Etcd-Cluster-ID": hex(local.clusterId),
    "X-PeerURLs": local.peerUrls.join(","),
  };
}
