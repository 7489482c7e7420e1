/**
 * Who is in the cluster and which version it runs: the replicated member list, the cluster
 * version and the forms in which all of it is stored (buckets `members`, `members_removed`,
 * `cluster`).
 */
export {
  idToHex,
  type Member,
  memberFromJson,
  memberToJson,
  parseExact,
  parseIdArray,
} from "./member.ts";
export { type Downgrade, Members, type MembersOptions } from "./members.ts";
export { parseUrlsMap, type UrlsMap } from "./urls.ts";
export {
  CLUSTER_VERSION,
  MIN_CLUSTER_VERSION,
  SERVER_VERSION,
  versionOf,
} from "./versions.ts";
