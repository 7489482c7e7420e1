import { quoteText } from "../base/index.ts";
import { idToHex, type Member } from "./member.ts";
import type { UrlsMap } from "./urls.ts";

/** The ids that etcd gives, by hashing (see `keys`). */
export interface Hashing {
  readonly memberId: (peerUrls: readonly string[], token: string) => bigint;
  readonly clusterId: (memberIds: readonly bigint[]) => bigint;
}

/** The members that a new cluster begins with, all voters, ascending by id. */
export interface Founding {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

/**
 * The cluster of these members (etcd: `NewClusterFromURLsMap`). A text: why it cannot be.
 */
export function foundCluster(names: UrlsMap, token: string, hashing: Hashing): Founding | string {
  const members = new Map<bigint, Member>();
  for (const [name, peerUrls] of names) {
    const id = hashing.memberId(peerUrls, token);
    const member = { id, name, peerUrls, clientUrls: [], isLearner: false };
    if (members.has(id)) return `member exists with identical ID ${shortText(member)}`;
    if (id === 0n) return "cannot use 0 as member id";
    members.set(id, member);
  }
  const ascending = [...members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { clusterId: hashing.clusterId(ascending.map(({ id }) => id)), members: ascending };
}

/** A member as Go prints the pointer to one. */
function shortText({ id, peerUrls, isLearner, name, clientUrls }: Member): string {
  const [peers, clients] = [peerUrls.join(" "), clientUrls.join(" ")];
  return `&{${idToHex(id)} {[${peers}] ${isLearner}} {${name} [${clients}]}}`;
}

/**
 * The members of a running cluster by the names that the operator gives them, who gave as many with
 * the same URLs: `isSame` compares those. Answers who has no match instead (etcd:
 * `ValidateClusterAndAssignIDs`).
 */
export function nameMembers(
  existing: readonly Member[],
  given: readonly Member[],
  isSame: (a: readonly string[], b: readonly string[]) => boolean,
): Member[] | { readonly unmatched: Member } {
  const ids = new Map<Member, bigint>();
  for (const member of existing) {
    const match = given.find(({ peerUrls }) => isSame(member.peerUrls, peerUrls));
    if (match === undefined) return { unmatched: member };
    ids.set(match, member.id);
  }
  return given
    .map((member) => ({ ...member, id: ids.get(member) ?? member.id }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A cluster as its members are told of in etcd's errors. */
export function clusterText(clusterId: bigint, members: readonly Member[]): string {
  const parts = members.map((member) => `&${memberText(member)}`);
  return `{ClusterID:${idToHex(clusterId)} Members:[${parts.join(" ")}] RemovedMemberIDs:[]}`;
}

/** A member as Go prints one with the names of its fields. */
export function memberText(member: Member): string {
  const { id, peerUrls, isLearner } = member;
  return (
    `{ID:${idToHex(id)} RaftAttributes:{PeerURLs:[${peerUrls.join(" ")}] IsLearner:${isLearner}} ` +
    `Attributes:${attributesText(member)}}`
  );
}

/** The part of it that a member tells of itself. */
export function attributesText(member: Pick<Member, "name" | "clientUrls">): string {
  return `{Name:${member.name} ClientURLs:[${member.clientUrls.join(" ")}]}`;
}

/** Why the members that were given are none of the running cluster's, in etcd's words. */
export function unmatchedText({ id, peerUrls }: Member, reason: string): string {
  const urls = peerUrls.join(" ");
  return (
    `PeerURLs: no match found for existing member (${idToHex(id)}, [${urls}]), ` +
    `last resolver error (${reason})`
  );
}

/** Who is named, and who is missing. */
export function localNameProblem(names: UrlsMap, name: string): string | undefined {
  if (names.has(name)) return undefined;
  return `couldn't find local name ${quoteText(name)} in the initial cluster configuration`;
}
