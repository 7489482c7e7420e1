/**
 * Ids as etcd computes them (`membership.NewMember`, `genID`): anybody who starts or restores a
 * member with the same URLs and token comes to the same ones.
 */

/** First eight bytes of SHA-1 over the sorted peer URLs and the cluster's token. */
export function memberId(peerUrls: readonly string[], token: string): bigint {
  return firstEight(Buffer.from(peerUrls.toSorted().join("") + token));
}

/** First eight bytes of SHA-1 over the member ids, ascending. */
export function clusterId(memberIds: readonly bigint[]): bigint {
  const bytes = Buffer.alloc(8 * memberIds.length);
  memberIds
    .toSorted((a, b) => (a < b ? -1 : 1))
    .forEach((id, at) => bytes.writeBigUInt64BE(id, 8 * at));
  return firstEight(bytes);
}

function firstEight(bytes: Buffer): bigint {
  // Loaded here: a member that has its ids need not wait for it.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha1").update(bytes).digest().readBigUInt64BE(0);
}
