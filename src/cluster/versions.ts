/**
 * The version that quord answers wherever API, peers, tools or metrics carry one: clients choose
 * features by it, so it is the etcd release whose behaviour this is.
 */
export const SERVER_VERSION = "3.7.3";

/** Cluster and storage version of a cluster whose members all run `SERVER_VERSION`. */
export const CLUSTER_VERSION = "3.7.0";

export const MIN_CLUSTER_VERSION = "3.0.0";

/** `major.minor` as one comparable number; undefined when the text is no version. */
export function versionOf(text: string): number | undefined {
  const match = /^(\d+)\.(\d+)\.\d+/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 1000 + Number(match[2]);
}
