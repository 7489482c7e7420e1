import type { ErrorName } from "../proto/index.ts";

/**
 * The version that quord answers wherever API, peers, tools or metrics carry one: clients choose
 * features by it, so it is the etcd release whose behaviour this is.
 */
export const SERVER_VERSION = "3.7.3";

/** Cluster and storage version of a cluster whose members all run `SERVER_VERSION`. */
export const CLUSTER_VERSION = "3.7.0";

export const MIN_CLUSTER_VERSION = "3.0.0";

/** The first version that a page file names itself, and the one that it has while it names none. */
const FIRST_STORED = "3.6.0";
export const UNNAMED_STORAGE_VERSION = "3.5.0";

/** `major.minor` as one comparable number; undefined when the text is no version. */
export function versionOf(text: string): number | undefined {
  const match = /^(\d+)\.(\d+)\.\d+/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * 1000 + Number(match[2]);
}

/** `3.7` of `3.7.0`: how people are told cluster versions. */
export function shortVersion(text: string): string {
  return text.split(".", 2).join(".");
}

/** `3.7.0` of what `versionOf` made of it. */
export function textOf(version: number): string {
  return `${Math.floor(version / 1000)}.${version % 1000}.0`;
}

/** The minor versions through which a storage goes up, one by one; none when it does not. */
export function stepsUp(from: string, to: string): string[] {
  const [low, high] = [versionOf(from), versionOf(to)];
  if (low === undefined || high === undefined) return [];
  return Array.from({ length: Math.max(0, high - low) }, (_, i) => textOf(low + 1 + i));
}

/** What the leader makes of the versions that it sees (etcd: `version.Monitor`). */
export type VersionDecision =
  | { readonly kind: "keep" }
  | { readonly kind: "set"; readonly version: string }
  /** A downgrade was asked for that is not to the minor version right below `from`. */
  | {
      readonly kind: "impossible";
      readonly of: "cluster-version" | "minimal-server-version";
      readonly from: string;
    };

const KEEP: VersionDecision = { kind: "keep" };

/**
 * Which cluster version should be set. `servers` are the versions of all members, undefined for
 * those that could not be asked; `cluster` is empty until a version was decided; `downgrade` is the
 * target of the one under way.
 */
export function decideClusterVersion(seen: {
  readonly cluster: string;
  readonly servers: readonly (string | undefined)[];
  readonly downgrade: string | undefined;
}): VersionDecision {
  const least = leastOf(seen.servers);
  const now = versionOf(seen.cluster);
  if (now === undefined) {
    return { kind: "set", version: least === undefined ? MIN_CLUSTER_VERSION : textOf(least) };
  }
  if (least === undefined) return KEEP;
  if (seen.downgrade === undefined) {
    const isRaise = now < least && isSameMajor(now, least);
    return isRaise ? { kind: "set", version: textOf(least) } : KEEP;
  }
  const target = versionOf(seen.downgrade);
  if (target === now) return KEEP;
  if (target !== now - 1) return { kind: "impossible", of: "cluster-version", from: seen.cluster };
  if (target !== least - 1) {
    return { kind: "impossible", of: "minimal-server-version", from: textOf(least) };
  }
  return { kind: "set", version: textOf(target) };
}

/** Undefined when one of them is not known. */
function leastOf(servers: readonly (string | undefined)[]): number | undefined {
  const versions = servers.map((server) => versionOf(server ?? ""));
  return versions.includes(undefined) ? undefined : Math.min(...(versions as number[]));
}

const isSameMajor = (a: number, b: number) => Math.floor(a / 1000) === Math.floor(b / 1000);

/** Whether all members run the version that a downgrade was to lead to, so that it is over. */
export function isDowngraded(target: string, servers: readonly (string | undefined)[]): boolean {
  return servers.every((server) => versionOf(server ?? "") === versionOf(target));
}

/** The cluster version that a request for a downgrade names; undefined when it names none. */
export function downgradeTarget(text: string): string | undefined {
  const version = versionOf(SEMANTIC.test(text) ? text : `${text}.0`);
  return SEMANTIC.test(text) || SEMANTIC.test(`${text}.0`) ? textOf(version!) : undefined;
}

/** As `go-semver` reads it. */
const SEMANTIC = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]*)?(\+[0-9A-Za-z.-]*)?$/;

/** Whether a downgrade may begin: only by one minor version, and one at a time. */
export function refusalOfDowngrade(
  target: string,
  now: { readonly cluster: string; readonly isDowngrading: boolean },
): ErrorName | undefined {
  const isNext = versionOf(target) === (versionOf(now.cluster) ?? 0) - 1;
  if (!isNext) return "invalidDowngradeTargetVersion";
  return now.isDowngrading ? "downgradeInProcess" : undefined;
}

/** Why a cluster is no place for this server, and which of its members showed it. */
export type Misfit =
  | { readonly kind: "too low" | "too high"; readonly bound: string; readonly id: bigint }
  /** None of the members could be asked. */
  | { readonly kind: "unknown" };

/**
 * Whether this server may join a cluster of whose members these cluster versions are known. While
 * it is being downgraded, that is for servers one minor version below it.
 */
export function findMisfit(
  versions: ReadonlyMap<bigint, string>,
  { isDowngrading }: { readonly isDowngrading: boolean },
): Misfit | undefined {
  const own = versionOf(SERVER_VERSION)!;
  const max = isDowngrading ? own + 1 : own;
  const min = isDowngrading ? max : versionOf(MIN_CLUSTER_VERSION)!;
  let isKnown = false;
  for (const [id, text] of versions) {
    const version = versionOf(text);
    if (version === undefined) continue;
    if (version < min) return { kind: "too low", bound: textOf(min), id };
    if (version > max) return { kind: "too high", bound: textOf(max), id };
    isKnown = true;
  }
  return isKnown ? undefined : { kind: "unknown" };
}

/** Why this server cannot be part of a cluster of this version; undefined when it can. */
export function refusalOfClusterVersion(cluster: string): string | undefined {
  return (versionOf(cluster) ?? 0) > versionOf(SERVER_VERSION)!
    ? "invalid downgrade; server version is lower than determined cluster version"
    : undefined;
}

/**
 * Why this server cannot work on a page file of this storage version, in etcd's words; undefined
 * when it can.
 */
export function refusalOfStorageVersion(storage: string): string | undefined {
  const version = versionOf(storage);
  if (version === undefined) return undefined;
  if (!isSameMajor(version, versionOf(SERVER_VERSION)!)) {
    return "changing major storage version is not supported";
  }
  const [least, most] = [versionOf(UNNAMED_STORAGE_VERSION)!, versionOf(SERVER_VERSION)!];
  if (version >= least && version <= most) return undefined;
  return `version "${textOf(version < least ? version + 1 : version)}" is not supported`;
}

/** Whether page files of this version say so themselves. */
export function isStored(version: string): boolean {
  return versionOf(version)! >= versionOf(FIRST_STORED)!;
}
