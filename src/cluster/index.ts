/**
 * Who is in the cluster and which version it runs: the replicated member list, the rules of
 * changing it, the versions of cluster and storage, and the forms in which all of it is stored
 * (buckets `members`, `members_removed`, `cluster`).
 */
export {
  carryOut,
  type Change,
  type ChangeEffect,
  readChange,
  refusalOf,
  textOfVoid,
} from "./changes.ts";
export {
  attributesText,
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
  countConnected,
  HEALTH_MS,
  LEARNER_READY_SHARE,
  type Outlook,
  outlookOf,
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
  stepsUp,
  textOf as textOfVersion,
  UNNAMED_STORAGE_VERSION,
  type VersionDecision,
  versionOf,
} from "./versions.ts";
