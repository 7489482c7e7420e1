import { assert, bytesToText, EMPTY_BYTES, textToBytes } from "../base/index.ts";
import type { Bucket, Db } from "../bolt/index.ts";
import { idToHex, type Member, memberFromJson, memberToJson } from "./member.ts";
import { isStored, MIN_CLUSTER_VERSION, UNNAMED_STORAGE_VERSION, versionOf } from "./versions.ts";

export interface MembersOptions {
  readonly db: Db;
}

/** A downgrade under way: its target version such as `3.6.0`. */
export interface Downgrade {
  readonly enabled: boolean;
  readonly target: string;
}

interface Buckets {
  readonly members: Bucket;
  readonly removed: Bucket;
  readonly cluster: Bucket;
  readonly meta: Bucket;
}

const CLUSTER_VERSION_KEY = textToBytes("clusterVersion");
const DOWNGRADE_KEY = textToBytes("downgrade");
const STORAGE_VERSION_KEY = textToBytes("storageVersion");
const TERM_KEY = textToBytes("term");

/**
 * The member list and the versions of cluster and storage: in memory, and in the page file for the
 * entries that are not there yet. Changed by apply only. A change that misses a page has changed
 * nothing in memory, so that it can be made again.
 */
export class Members {
  #buckets: Buckets;
  #members = new Map<bigint, Member>();
  #removed = new Set<bigint>();
  /** Those that a new member was told of, until the log tells of them. */
  #expected = new Map<bigint, Member>();
  #version = "";
  #storageVersion = "";
  #downgrade: Downgrade = { enabled: false, target: "" };

  constructor({ db }: MembersOptions) {
    this.#buckets = {
      members: db.bucket("members"),
      removed: db.bucket("members_removed"),
      cluster: db.bucket("cluster"),
      meta: db.bucket("meta"),
    };
  }

  restore(): void {
    const buckets = this.#buckets;
    const members = buckets.members.cursor();
    for (let found = members.first(); found; found = members.next()) {
      // Releases before 3.7 name the member in the key alone.
      const id = idFromHex(bytesToText(members.key));
      this.#members.set(id, { ...memberFromJson(bytesToText(members.value)), id });
    }
    const removed = buckets.removed.cursor();
    for (let found = removed.first(); found; found = removed.next()) {
      this.#removed.add(idFromHex(bytesToText(removed.key)));
    }
    this.#version = textAt(buckets.cluster, CLUSTER_VERSION_KEY);
    this.#storageVersion = textAt(buckets.meta, STORAGE_VERSION_KEY);
    const hasTerm = buckets.meta.get(TERM_KEY)?.some((byte) => byte !== 0) === true;
    if (this.#storageVersion === "" && hasTerm) this.#storageVersion = UNNAMED_STORAGE_VERSION;
    const downgrade = textAt(buckets.cluster, DOWNGRADE_KEY);
    if (downgrade !== "") this.#downgrade = downgradeFromJson(downgrade);
  }

  /** Goes on as another one, which must not be used by itself any more. */
  become(other: Members): void {
    this.#buckets = other.#buckets;
    this.#members = other.#members;
    this.#removed = other.#removed;
    this.#expected = other.#expected;
    this.#version = other.#version;
    this.#storageVersion = other.#storageVersion;
    this.#downgrade = other.#downgrade;
  }

  // ---- members

  /** The member as the log, or else whoever let this one in, tells of it. */
  get(id: bigint): Member | undefined {
    return this.#members.get(id) ?? this.#expected.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** All members in ascending order of id. */
  list(): Member[] {
    return ascending([...this.#members.values(), ...this.#expected.values()]);
  }

  /** The member, if the log has told of it. */
  known(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  allKnown(): Member[] {
    return ascending([...this.#members.values()]);
  }

  /** Ids of those who were members once and can never be again, ascending. */
  removedIds(): bigint[] {
    return [...this.#removed].sort((a, b) => (a < b ? -1 : 1));
  }

  /** A new member begins with those that it was told of: it must reach them to hear of the log. */
  expect(members: readonly Member[]): void {
    for (const member of members) {
      if (!this.#members.has(member.id)) this.#expected.set(member.id, member);
    }
  }

  add(member: Member): Member {
    return this.#put(member);
  }

  promote(id: bigint): Member {
    return this.#put({ ...this.#existing(id), isLearner: false });
  }

  setPeerUrls(id: bigint, peerUrls: readonly string[]): Member {
    return this.#put({ ...this.#existing(id), peerUrls });
  }

  remove(id: bigint): void {
    const key = textToBytes(idToHex(id));
    this.#buckets.removed.put(key, textToBytes("removed"));
    this.#buckets.members.delete(key);
    this.#members.delete(id);
    this.#expected.delete(id);
    this.#removed.add(id);
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
    if (options.store) this.#put(updated);
    else this.#members.set(id, updated);
  }

  #existing(id: bigint): Member {
    const member = this.#members.get(id);
    assert(member !== undefined, "the member exists");
    return member;
  }

  #put(member: Member): Member {
    assert(member.id !== 0n, "a stored member has an id");
    const json = memberToJson(member, { withId: true });
    this.#buckets.members.put(textToBytes(idToHex(member.id)), textToBytes(json));
    this.#members.set(member.id, member);
    this.#expected.delete(member.id);
    return member;
  }

  // ---- versions

  get downgrade(): Downgrade {
    return this.#downgrade;
  }

  setDowngrade(downgrade: Downgrade, options: { store: boolean }): void {
    const json = `{"target-version":"${downgrade.target}","enabled":${downgrade.enabled}}`;
    if (options.store) this.#buckets.cluster.put(DOWNGRADE_KEY, textToBytes(json));
    this.#downgrade = downgrade;
  }

  /** Cluster version such as `3.7.0`, empty until the leader has set it. */
  get version(): string {
    return this.#version;
  }

  /** Version of the form in which the page file is, empty when it does not say. */
  get storageVersion(): string {
    return this.#storageVersion;
  }

  /** The storage follows a cluster version that is higher at once; see `storageVersionDue`. */
  setVersion(version: string, options: { store: boolean }): void {
    if (options.store) this.#buckets.cluster.put(CLUSTER_VERSION_KEY, textToBytes(version));
    this.#version = version;
    const due = this.storageVersionDue;
    const isHigher = versionOf(due ?? "")! > (versionOf(this.#storageVersion) ?? 0);
    if (options.store && due !== undefined && isHigher) this.setStorageVersion(due);
  }

  /**
   * The version that the storage should have and has not: that of the cluster. Going down is for a
   * log in which nothing is newer (etcd: `UpdateStorageVersionIfNeeded`).
   */
  get storageVersionDue(): string | undefined {
    const version = versionOf(this.#version);
    const isDecided = version !== undefined && this.#version !== MIN_CLUSTER_VERSION;
    return isDecided && version !== versionOf(this.#storageVersion) ? this.#version : undefined;
  }

  setStorageVersion(version: string): void {
    const { meta } = this.#buckets;
    if (isStored(version)) meta.put(STORAGE_VERSION_KEY, textToBytes(version));
    else meta.delete(STORAGE_VERSION_KEY);
    this.#storageVersion = version;
  }
}

function ascending(members: Member[]): Member[] {
  return members.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function idFromHex(text: string): bigint {
  return BigInt(`0x${text}`);
}

function textAt(bucket: Bucket, key: Uint8Array): string {
  return bytesToText(bucket.get(key) ?? EMPTY_BYTES);
}

function downgradeFromJson(text: string): Downgrade {
  const json = JSON.parse(text) as { "target-version"?: string; enabled?: boolean };
  return { enabled: json.enabled === true, target: json["target-version"] ?? "" };
}
