import type { MemberChange } from "../apply/index.ts";
import {
  attributesText,
  type Change,
  idToHex,
  type Member,
  type Members,
  shortVersion,
  stepsUp,
  textOfVoid,
  UNNAMED_STORAGE_VERSION,
} from "../cluster/index.ts";
import type { Failure } from "../proto/index.ts";
import type { ErrorLines } from "./ports.ts";

export interface ClusterLinesOptions {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly members: Members;
  readonly lines: ErrorLines;
}

/**
 * What the log of each member tells of its cluster, in the words of etcd's `RaftCluster`: who is in
 * it, which version it has.
 */
export class ClusterLines {
  readonly #members: Members;
  readonly #lines: ErrorLines;
  readonly #ids: { readonly "cluster-id": string; readonly "local-member-id": string };
  #version = "";
  #storageVersion = "";

  constructor({ ids, members, lines }: ClusterLinesOptions) {
    this.#members = members;
    this.#lines = lines;
    const [clusterId, memberId] = [idToHex(ids.clusterId), idToHex(ids.memberId)];
    this.#ids = { "cluster-id": clusterId, "local-member-id": memberId };
  }

  /** The members and the version are those of a page file: at the start, or of a snapshot. */
  recovered(): void {
    const { version, storageVersion } = this.#members;
    if (version !== "") this.#enabled(version);
    for (const member of this.#members.allKnown()) {
      this.#lines.info("recovered/added member from store", {
        ...this.#ids,
        ...about("recovered-remote-peer", member),
      });
    }
    if (version !== "") {
      const fields = { "cluster-version": shortVersion(version) };
      this.#lines.info("set cluster version from store", fields);
    }
    this.#version = version;
    this.#storageVersion = storageVersion;
  }

  /** A change of the members came through the log. */
  changed({ change, error, isReplayed, set, removed }: MemberChange): void {
    if (isReplayed) this.#replayed(change);
    else if (error !== undefined) {
      const isRemoved = this.#members.isRemoved(change.id);
      const fields = { shouldApplyV3: true, error: textOfVoid(error, { isRemoved }) };
      this.#lines.error("Validation on configuration change failed", fields);
    } else if (removed !== undefined) {
      const fields = about("removed-remote-peer", removed);
      this.#lines.info("removed member", { ...this.#ids, ...fields });
    } else if (change.kind === "promote") {
      const fields = { "promoted-member-id": idToHex(change.id) };
      this.#lines.info("promote member", { ...this.#ids, ...fields });
    } else {
      const [message, prefix] = TOLD[change.kind === "add" ? "add" : "update"];
      this.#lines.info(message, { ...this.#ids, ...about(prefix, set!) });
    }
  }

  /** The log tells again what is in the page file. */
  #replayed(change: Change): void {
    const isGone = change.kind === "update" && this.#members.known(change.id) === undefined;
    const message = isGone ? GONE : IGNORED[change.kind];
    const fields = (() => {
      switch (change.kind) {
        case "add":
          return about("added-peer", change.member);
        case "remove":
          return { "removed-remote-peer-id": idToHex(change.id) };
        case "promote":
          return {};
        case "update": {
          const { id, peerUrls } = change;
          return about("updated-remote-peer", { id, peerUrls, isLearner: false });
        }
      }
    })();
    const more = isGone ? { "should-apply-v3": false } : {};
    this.#lines.info(message, { ...this.#ids, ...fields, ...more });
  }

  /** Entries were applied: tells of the versions that they set. */
  applied(): void {
    const { version, storageVersion } = this.#members;
    if (this.#version !== version) this.#versionSet();
    this.#version = version;
    this.#storageVersion = storageVersion;
  }

  #versionSet(): void {
    const { version } = this.#members;
    const [from, to] = [this.#version, version].map(shortVersion);
    if (this.#version === "") {
      this.#lines.info("set initial cluster version", { ...this.#ids, "cluster-version": to });
    } else this.#lines.info("updated cluster version", { ...this.#ids, from, to });
    this.#enabled(version);
    this.#storageFollowed();
  }

  /** A storage that is below the version that the cluster gets goes up with it, at once. */
  #storageFollowed(): void {
    const { version, storageVersion } = this.#members;
    const before = this.#storageVersion || UNNAMED_STORAGE_VERSION;
    const steps = stepsUp(before, storageVersion);
    if (steps.length === 0) return;
    this.#lines.info("cluster version differs from storage version.", {
      "cluster-version": version,
      "storage-version": before,
    });
    for (const step of steps) {
      this.#lines.info("updated storage version", { "new-storage-version": step });
    }
  }

  /** The member told the cluster of itself, or failed to. */
  published(
    said: { readonly attributes: Pick<Member, "name" | "clientUrls">; readonly timeout: string },
    failure: Failure | undefined,
  ): void {
    const who = {
      "local-member-id": this.#ids["local-member-id"],
      "local-member-attributes": attributesText(said.attributes),
    };
    const timeout = { "publish-timeout": said.timeout };
    if (failure === undefined) {
      const cluster = { "cluster-id": this.#ids["cluster-id"] };
      const fields = { ...who, ...cluster, ...timeout };
      this.#lines.info("published local member to cluster through raft", fields);
    } else {
      const fields = { ...who, ...timeout, error: failure.message };
      this.#lines.warn("failed to publish local member to cluster through raft", fields);
    }
  }

  #enabled(version: string): void {
    const fields = { "cluster-version": shortVersion(version) };
    this.#lines.info("enabled capabilities for version", fields);
  }
}

/** The message, and what the names of its fields begin with. */
const TOLD = {
  add: ["added member", "added-peer"],
  update: ["updated member", "updated-remote-peer"],
} as const;

/** Other URLs for a member that was removed later. */
const GONE = "Skipped updating non-existent member in v2store";

const IGNORED: Readonly<Record<Change["kind"], string>> = {
  add: "ignore already added member",
  promote: "ignore already promoted member",
  update: "ignored already updated member",
  remove: "ignore already removed member",
};

function about(
  prefix: string,
  { id, peerUrls, isLearner }: Pick<Member, "id" | "peerUrls" | "isLearner">,
): object {
  const urls = prefix === "added-peer" ? "added-peer-peer-urls" : `${prefix}-urls`;
  return { [`${prefix}-id`]: idToHex(id), [urls]: peerUrls, [`${prefix}-is-learner`]: isLearner };
}
