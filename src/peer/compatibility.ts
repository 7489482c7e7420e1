import { hex, type Local } from "./local.ts";

export const INCOMPATIBLE = "incompatible version";
export const WRONG_CLUSTER = "cluster ID mismatch";

/** What a request or a response says of its sender. */
export type Field = (name: string) => string | undefined;

/** Negative, zero or positive; only major and minor count. Undefined texts are not compared. */
export function compareMajorMinor(a: string, b: string): number {
  const [left, right] = [majorMinor(a), majorMinor(b)];
  if (left === undefined || right === undefined) return Number.NaN;
  return left - right;
}

function majorMinor(text: string): number | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})\.\d{1,18}(?:[-+].*)?$/.exec(text);
  return match === null ? undefined : Number(match[1]) * 1e6 + Number(match[2]);
}

/**
 * Why a request of raft is not for this member: another version, another cluster. `unreadable`: it
 * names a version that is none, for which etcd closes the connection.
 */
export function refusalOf(
  local: Local,
  field: Field,
): typeof INCOMPATIBLE | typeof WRONG_CLUSTER | "unreadable" | undefined {
  const version = field("x-server-version") || "2.0.0";
  const minimum = field("x-min-cluster-version") || "2.0.0";
  const said = {
    "local-member-id": hex(local.memberId),
    "local-member-cluster-id": hex(local.clusterId),
    "local-member-server-version": local.version,
    "local-member-server-minimum-cluster-version": local.minClusterVersion,
    "remote-peer-server-name": field("x-server-from") ?? "",
    "remote-peer-server-version": version,
    "remote-peer-server-minimum-cluster-version": minimum,
  };
  const age = compareMajorMinor(version, local.minClusterVersion);
  const need = compareMajorMinor(minimum, local.version);
  if (Number.isNaN(age) || Number.isNaN(need)) return "unreadable";
  if (age < 0 || need > 0) {
    const which = age < 0 ? "remote" : "local";
    const at = `remote[${said["remote-peer-server-name"]}]=${version}, local=${local.version}`;
    const error = `${which} version is too low: ${at}`;
    local.lines.warn("failed version compatibility check", { ...said, error });
    return INCOMPATIBLE;
  }
  const cluster = field("x-etcd-cluster-id");
  if (cluster === hex(local.clusterId)) return undefined;
  const fields = { ...said, "remote-peer-cluster-id": cluster ?? "" };
  local.lines.warn("request cluster ID mismatch", fields);
  return WRONG_CLUSTER;
}
