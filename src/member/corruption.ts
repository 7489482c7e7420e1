import { idToHex, type Member as ClusterMember } from "../cluster/index.ts";
import type { KvHash, Store } from "../mvcc/index.ts";
import { api, encodeMessage, type Failure, fail, REQUEST } from "../proto/index.ts";
import type { ErrorLines, NetworkPort, PeerHash, PeerReply, TextPort } from "./ports.ts";
import type { ProposalWaiter } from "./proposals.ts";
import type { Slicer } from "./slices.ts";

const { CORRUPT } = api.ALARM_TYPE;
const { ACTIVATE } = api.ALARM_ACTION;

/** The whole cluster, where it cannot be said which member is wrong. */
const EVERYBODY = 0n;

export interface CorruptionOptions {
  readonly memberId: bigint;
  readonly store: Store;
  readonly slicer: Slicer;
  readonly network: NetworkPort;
  readonly lines: ErrorLines;
  readonly text: TextPort;
  readonly requestTimeoutMs: number;
  readonly members: () => readonly ClusterMember[];
  readonly caughtUp: () => Promise<Failure | undefined>;
  readonly propose: (field: number, request: Uint8Array, waiter: ProposalWaiter) => void;
}

/** What another member said to the question for its hash. */
interface Answer {
  readonly id: bigint;
  readonly urls: readonly string[];
  readonly reply: PeerReply<PeerHash>;
}

/** The lines' fields that name a hash, with `local-member`, `remote-peer` and the like before them. */
function hashFields(of: string, { hash, compactRevision }: KvHash, revision: number): object {
  return {
    [`${of}-revision`]: revision,
    [`${of}-compact-revision`]: compactRevision,
    [`${of}-hash`]: hash,
  };
}

/**
 * Compares the members' stores by hashes of their history, as etcd does in three ways (etcd:
 * `corrupt.go`): before a member serves, on the leader every so often, and on the leader at the
 * revisions of the last compactions. Lines and alarms are etcd's.
 */
export class CorruptionChecker {
  readonly #options: CorruptionOptions;
  /** All members were found alike at this revision of a compaction. */
  #checkedRevision = 0;

  constructor(options: CorruptionOptions) {
    this.#options = options;
  }

  /** Before anything is served. Answers why the member must not be. */
  async checkInitially(): Promise<string | undefined> {
    const { memberId, lines, text, requestTimeoutMs } = this.#options;
    const local = { "local-member-id": idToHex(memberId) };
    lines.info("starting initial corruption check", {
      ...local,
      timeout: text.duration(requestTimeoutMs),
    });
    const own = await this.#hash();
    const answers = await this.#ask(own.hashRevision);
    const differing = answers.filter((answer) => this.#differsInitially(own, answer));
    if (differing.length > 0) return `${idToHex(memberId)} found data inconsistency with peers`;
    lines.info("initial corruption checking passed; no corruption", local);
    return undefined;
  }

  #differsInitially(own: KvHash, { id, urls, reply }: Answer): boolean {
    const { memberId, lines } = this.#options;
    const facts = {
      "local-member-id": idToHex(memberId),
      ...hashFields("local-member", own, own.hashRevision),
      "remote-peer-id": idToHex(id),
      "remote-peer-endpoints": urls,
    };
    if (reply.kind !== "value") {
      const message = initialRefusal(reply);
      if (message !== undefined) lines.warn(message, facts);
      return false;
    }
    const { value } = reply;
    if (value.hash === own.hash) return false;
    const fields = { ...facts, ...hashFields("remote-peer", value, value.revision) };
    if (value.compactRevision === own.compactRevision) {
      lines.warn("found different hash values from remote peer", fields);
      return true;
    }
    lines.warn("found different compact revision values from remote peer", fields);
    return false;
  }

  /** On the leader: nobody may be ahead of it, or have something else at the same revision. */
  async checkNow(): Promise<void> {
    const { memberId, lines, store } = this.#options;
    const before = await this.#hash();
    const answers = await this.#ask(before.hashRevision);
    const failure = await this.#options.caughtUp();
    if (failure !== undefined) {
      lines.warn("failed to check hash KV", { error: failure.message });
      return;
    }
    const now = await this.#hash();
    const revision = store.currentRevision;
    const differing: bigint[] = [];
    if (differsFromItself(before, now)) {
      lines.warn("found hash mismatch", {
        ...numbered(before, 1),
        ...numbered(now, 2),
      });
      differing.push(memberId);
    }
    let checked = 0;
    for (const { id, reply } of answers) {
      if (reply.kind !== "value") continue;
      checked++;
      if (this.#differs(id, reply.value, { before, now, revision })) differing.push(id);
    }
    if (differing[0] !== undefined) this.#raise(differing[0]);
    lines.info("finished peer corruption check", { "number-of-peers-checked": checked });
  }

  #differs(
    id: bigint,
    peer: PeerHash,
    { before, now, revision }: { before: KvHash; now: KvHash; revision: number },
  ): boolean {
    const { lines } = this.#options;
    const follower = { "follower-peer-id": idToHex(id) };
    let differs = false;
    if (peer.revision > revision) {
      differs = true;
      lines.warn("revision from follower must be less than or equal to leader's", {
        "leader-revision": revision,
        "follower-revision": peer.revision,
        ...follower,
      });
    }
    const compactRevisions = {
      "leader-compact-revision": now.compactRevision,
      "follower-compact-revision": peer.compactRevision,
    };
    if (peer.compactRevision > now.compactRevision) {
      differs = true;
      const message = "compact revision from follower must be less than or equal to leader's";
      lines.warn(message, { ...compactRevisions, ...follower });
    }
    if (peer.compactRevision === before.compactRevision && peer.hash !== before.hash) {
      differs = true;
      const hashes = { "leader-hash": before.hash, "follower-hash": peer.hash };
      const message = "same compact revision then hashes must match";
      lines.warn(message, { ...compactRevisions, ...hashes, ...follower });
    }
    return differs;
  }

  /**
   * On the leader: compactions are at the same revision everywhere, and each made a hash. Looks for
   * the newest that all members have, or two that differ.
   */
  async checkCompactions(): Promise<void> {
    const { memberId, lines, text, requestTimeoutMs, store } = this.#options;
    lines.info("starting compact hash check", {
      "local-member-id": idToHex(memberId),
      timeout: text.duration(requestTimeoutMs),
    });
    const hashes = store
      .compactionHashes()
      .filter(({ hashRevision }) => hashRevision > this.#checkedRevision)
      .toReversed();
    let count = 0;
    for (const hash of hashes) {
      count++;
      const answers = await this.#ask(hash.hashRevision);
      if (answers.length > 0 && this.#compare(hash, answers)) break;
    }
    lines.info("finished compaction hash check", { "number-of-hashes-checked": count });
  }

  /** Answers whether there is no need to look at older ones. */
  #compare(own: KvHash, answers: readonly Answer[]): boolean {
    const membersOf = new Map<number, bigint[]>([[own.hash, [this.#options.memberId]]]);
    let checked = 0;
    for (const { id, reply } of answers) {
      const found = comparable(own, reply);
      if (typeof found === "string") {
        this.#options.lines.warn("Skipped peer's hash", {
          "number-of-peers": answers.length,
          "leader-id": idToHex(this.#options.memberId),
          "peer-id": idToHex(id),
          reason: found,
        });
        continue;
      }
      checked++;
      membersOf.set(found, [...(membersOf.get(found) ?? []), id]);
    }
    if (membersOf.size === 1) return this.#areAlike(own, { checked, peers: answers.length });
    this.#accuse(own, membersOf, answers.length + 1);
    return true;
  }

  #areAlike(own: KvHash, count: { readonly checked: number; readonly peers: number }): boolean {
    const { lines } = this.#options;
    const revisions = { revision: own.hashRevision, compactRevision: own.compactRevision };
    const checked = { "number-of-peers-checked": count.checked };
    if (count.checked === count.peers) {
      lines.info("successfully checked hash on whole cluster", { ...checked, ...revisions });
      this.#checkedRevision = Math.max(this.#checkedRevision, own.hashRevision);
      return true;
    }
    const message = "skipped revision in compaction hash check; was not able to check all peers";
    lines.warn(message, { ...checked, "number-of-peers": count.peers, ...revisions });
    return false;
  }

  /** Those are wrong who differ from what more than half of all members have. */
  #accuse(own: KvHash, membersOf: ReadonlyMap<number, readonly bigint[]>, count: number): void {
    const { lines, memberId } = this.#options;
    const leader = {
      "leader-id": idToHex(memberId),
      ...hashFields("leader", own, own.hashRevision),
    };
    const right = [...membersOf].find(([, ids]) => ids.length > Math.floor(count / 2))?.[0];
    if (right === undefined) {
      const message =
        "Detected compaction hash mismatch but cannot identify the corrupted members, " +
        "so intentionally set the memberID as 0";
      lines.error(message, leader);
      this.#raise(EVERYBODY);
    }
    for (const [hash, ids] of membersOf) {
      if (hash === right) continue;
      if (right !== undefined) for (const id of ids) this.#raise(id);
      lines.error("Detected compaction hash mismatch", {
        ...leader,
        "peer-hash": hash,
        "peer-ids": ids.map(idToHex).join(","),
        "quorum-exist": right !== undefined,
      });
    }
  }

  async #hash(): Promise<KvHash> {
    const { slicer, store } = this.#options;
    const hash = await slicer.run(store.hashKv(0));
    if (typeof hash === "string") throw new Error(`the current revision cannot be read: ${hash}`);
    return hash;
  }

  /** Asks all other members at once. */
  #ask(revision: number): Promise<Answer[]> {
    const { memberId, network, members, lines } = this.#options;
    const others = members().filter(({ id, peerUrls }) => id !== memberId && peerUrls.length > 0);
    return Promise.all(
      others.map(async ({ id, peerUrls: urls }) => {
        const reply = await network.hashKv(id, revision);
        if (reply.kind !== "value") {
          lines.warn("failed hash kv request", {
            "local-member-id": idToHex(memberId),
            "requested-revision": revision,
            "remote-peer-endpoint": urls.join(","),
            error: reply.kind === "refused" ? reply.failure.message : reply.reason,
          });
        }
        return { id, urls, reply };
      }),
    );
  }

  #raise(memberID: bigint): void {
    const request = encodeMessage(api.AlarmRequest, { action: ACTIVATE, memberID, alarm: CORRUPT });
    // Should it fail, the next check says it again.
    this.#options.propose(REQUEST.alarm, request, { settle: () => {}, fail: () => {} });
  }
}

function differsFromItself(before: KvHash, now: KvHash): boolean {
  return (
    now.hash !== before.hash &&
    now.hashRevision === before.hashRevision &&
    now.compactRevision === before.compactRevision
  );
}

function numbered({ hash, hashRevision, compactRevision }: KvHash, n: number): object {
  return {
    [`revision-${n}`]: hashRevision,
    [`compact-revision-${n}`]: compactRevision,
    [`hash-${n}`]: hash,
  };
}

/** What a member says that cannot be compared; undefined: nothing to be told of. */
function initialRefusal(reply: PeerReply<PeerHash>): string | undefined {
  return reply.kind === "refused" ? INITIAL_REFUSALS.get(reply.failure.message) : undefined;
}

const INITIAL_REFUSALS: ReadonlyMap<string, string> = new Map([
  [fail("futureRev").message, "cannot fetch hash from slow remote peer"],
  [fail("compacted").message, "cannot fetch hash from remote peer; local member is behind"],
  [fail("clusterIdMismatch").message, "cluster ID mismatch"],
]);

/** The hash, or why it says nothing. */
function comparable(own: KvHash, reply: PeerReply<PeerHash>): number | string {
  if (reply.kind !== "value") return "no response";
  const { compactRevision, hash } = reply.value;
  if (compactRevision === own.compactRevision) return hash;
  return (
    `the peer's CompactRevision ${compactRevision} doesn't match ` +
    `leader's CompactRevision ${own.compactRevision}`
  );
}
