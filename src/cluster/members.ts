import { assert, bytesToText, EMPTY_BYTES, textToBytes } from "../base/index.ts";
import type { Bucket, Db } from "../bolt/index.ts";
import { idToHex, type Member, memberFromJson, memberToJson } from "./member.ts";
import { CLUSTER_VERSION } from "./versions.ts";

export interface MembersOptions {
  readonly db: Db;
}

/** A downgrade under way: its target version such as `3.6.0`. */
export interface Downgrade {
  readonly enabled: boolean;
  readonly target: string;
}

/**
 * The member list and cluster version: in memory, and in the page file for the entries that are
 * not there yet. Changed by apply only.
 */
export class Members {
  readonly #members = new Map<bigint, Member>();
  readonly #removed = new Set<bigint>();
  readonly #stored: Bucket;
  readonly #storedRemoved: Bucket;
  readonly #cluster: Bucket;
  readonly #meta: Bucket;
  #version = "";
  #downgrade: Downgrade = { enabled: false, target: "" };

  constructor(options: MembersOptions) {
    this.#stored = options.db.bucket("members");
    this.#storedRemoved = options.db.bucket("members_removed");
    this.#cluster = options.db.bucket("cluster");
    this.#meta = options.db.bucket("meta");
  }

  restore(): void {
    const members = this.#stored.cursor();
    for (let found = members.first(); found; found = members.next()) {
      const member = memberFromJson(bytesToText(members.value));
      this.#members.set(member.id, member);
    }
    const removed = this.#storedRemoved.cursor();
    for (let found = removed.first(); found; found = removed.next()) {
      this.#removed.add(BigInt(`0x${bytesToText(removed.key)}`));
    }
    const version = this.#cluster.get(textToBytes("clusterVersion"));
    if (version !== undefined) this.#version = bytesToText(version);
    const downgrade = this.#cluster.get(textToBytes("downgrade"));
    if (downgrade !== undefined) this.#downgrade = downgradeFromJson(bytesToText(downgrade));
  }

  get downgrade(): Downgrade {
    return this.#downgrade;
  }

  setDowngrade(downgrade: Downgrade, options: { store: boolean }): void {
    this.#downgrade = downgrade;
    if (!options.store) return;
    const json = `{"target-version":"${downgrade.target}","enabled":${downgrade.enabled}}`;
    this.#cluster.put(textToBytes("downgrade"), textToBytes(json));
  }

  /** Cluster version such as `3.7.0`, empty until the leader has set it. */
  get version(): string {
    return this.#version;
  }

  /** Storage version as the page file says it, empty when it does not. */
  get storageVersion(): string {
    return bytesToText(this.#meta.get(textToBytes("storageVersion")) ?? EMPTY_BYTES);
  }

  get(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** All members in ascending order of id. */
  list(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** A member was added by a committed configuration change (or is added again at replay). */
  add(member: Member, options: { store: boolean }): void {
    this.#members.set(member.id, member);
    if (options.store) this.#store(member);
  }

  /** A started member tells its name and client URLs; one that was removed meanwhile is ignored. */
  setAttributes(
    id: bigint,
    attributes: { name: string; clientUrls: readonly string[] },
    options: { store: boolean },
  ): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    const updated = { ...member, ...attributes };
    this.#members.set(id, updated);
    if (options.store) this.#store(updated);
  }

  setVersion(version: string, options: { store: boolean }): void {
    this.#version = version;
    if (!options.store) return;
    this.#cluster.put(textToBytes("clusterVersion"), textToBytes(version));
    this.#meta.put(textToBytes("storageVersion"), textToBytes(version));
  }

  /** An older directory takes the storage version of the cluster it belongs to. */
  raiseStorageVersion(): void {
    if (this.#version !== CLUSTER_VERSION || this.storageVersion === CLUSTER_VERSION) return;
    this.#meta.put(textToBytes("storageVersion"), textToBytes(CLUSTER_VERSION));
  }

  #store(member: Member): void {
    assert(member.id !== 0n, "a stored member has an id");
    this.#stored.put(
      textToBytes(idToHex(member.id)),
      textToBytes(memberToJson(member, { withId: true })),
    );
  }
}

function downgradeFromJson(text: string): Downgrade {
  const json = JSON.parse(text) as { "target-version"?: string; enabled?: boolean };
  return { enabled: json.enabled === true, target: json["target-version"] ?? "" };
}
