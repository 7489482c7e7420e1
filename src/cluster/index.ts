/**
 * Who is in the cluster and which version it runs: the replicated member list, the rules of
 * changing it, the versions of cluster and storage, and the forms in which all of it is stored
 * (buckets `members`, `members_removed`, `cluster`).
 */
export { carryOut, type Change, type ChangeEffect, readChange, refusalOf } from "./changes.ts";
export {
  clusterText,
  foundCluster,
  type Founding,
  type Hashing,
  localNameProblem,
  memberText,
  nameMembers,
  unmatchedText,
} from "./founding.ts";
export { versionForEntry } from "./log-version.ts";
export {
  confStateOf,
  idToHex,
  type Member,
  memberFromJson,
  membersFromJson,
  membersToJson,
  memberToJson,
  promotionToJson,
} from "./member.ts";
export { type Downgrade, Members, type MembersOptions } from "./members.ts";
export {
  HEALTH_MS,
  LEARNER_READY_SHARE,
  refusalOfLearner,
  refusalToAdd,
  refusalToPromote,
  refusalToRemove,
  type Standing,
} from "./reconfiguration.ts";
export { parseSize, Registry, registryKeys } from "./registry.ts";
export { hasDuplicateUrl, parseUrlsMap, type UrlsMap, urlsMapText } from "./urls.ts";
export {
  CLUSTER_VERSION,
  decideClusterVersion,
  downgradeTarget,
  findMisfit,
  isDowngraded,
  MIN_CLUSTER_VERSION,
  type Misfit,
  refusalOfClusterVersion,
  refusalOfDowngrade,
  refusalOfStorageVersion,
  SERVER_VERSION,
  shortVersion,
  textOf as textOfVersion,
  type VersionDecision,
  versionOf,
} from "./versions.ts";
