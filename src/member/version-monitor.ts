import type { State } from "../apply/index.ts";
import { deferred } from "../base/index.ts";
import {
  decideClusterVersion,
  downgradeTarget,
  idToHex,
  isDowngraded,
  refusalOfDowngrade,
  SERVER_VERSION,
  shortVersion,
  versionForEntry,
  textOfVersion,
  versionOf,
} from "../cluster/index.ts";
import { api, encodeMessage, type Failure, fail, REQUEST } from "../proto/index.ts";
import type { MemoryStorage } from "../raft/index.ts";
import type { Leadership } from "./leadership.ts";
import type { ErrorLines, NetworkPort, TimePort } from "./ports.ts";

/** How often the leader compares versions (etcd: `monitorVersionInterval`). */
const LOOK_MS = 4000;

/** Entries that are looked through in one turn when the storage is to go down. */
const SCAN_BYTES = 1024 * 1024;

export interface VersionMonitorOptions {
  readonly memberId: bigint;
  readonly state: State;
  readonly storage: MemoryStorage;
  readonly leadership: Leadership;
  readonly network: NetworkPort;
  readonly time: TimePort;
  readonly lines: ErrorLines;
  /** Between two looks whether a downgrade has come to its end; 0: never. */
  readonly downgradeCheckMs: number;
  /** Index of the newest snapshot record of the log. */
  readonly snapshotIndex: () => number;
  /** Takes a request through the log. Undefined: it was applied. */
  readonly propose: (field: number, request: Uint8Array) => Promise<Failure | undefined>;
  /** Everything that was acknowledged before is applied here, or why that is not known. */
  readonly caughtUp: () => Promise<Failure | undefined>;
  /** Runs work while nothing is applied, again if a page was missing. */
  readonly change: (work: () => void) => Promise<void>;
  readonly spawn: (work: Promise<unknown>) => void;
  readonly every: (ms: number, work: () => void) => void;
}

/**
 * The versions of a cluster (etcd: `version.Monitor`). The leader sets the cluster's: the lowest of
 * its members' servers, or the target of a downgrade. Each member brings its own storage to that
 * version. A downgrade is over when all members run the older server.
 */
export class VersionMonitor {
  readonly #options: VersionMonitorOptions;
  #isLooking = false;
  #isMoving = false;
  #isEnding = false;
  #version: string;
  readonly #known = deferred<void>();

  constructor(options: VersionMonitorOptions) {
    this.#options = options;
    this.#version = options.state.members.version;
    if (this.#version !== "") this.#known.resolve();
  }

  start(): void {
    const { every, spawn, downgradeCheckMs } = this.#options;
    every(LOOK_MS, () => {
      this.look();
      spawn(this.#moveStorage());
    });
    if (downgradeCheckMs > 0) every(downgradeCheckMs, () => spawn(this.#endDowngrade()));
  }

  /** To be called also when this member begins to lead. */
  look(): void {
    if (!this.#isLooking) this.#options.spawn(this.#setClusterVersion());
  }

  /** To be called when entries were applied. */
  applied(): void {
    const { version } = this.#options.state.members;
    if (version === this.#version) return;
    this.#version = version;
    if (version !== "") this.#known.resolve();
    this.#options.spawn(this.#moveStorage());
  }

  /** Resolves when the cluster has a version. */
  known(): Promise<void> {
    return this.#known.promise;
  }

  // ---- what the leader sees to

  async #setClusterVersion(): Promise<void> {
    const { state, leadership, lines } = this.#options;
    if (!leadership.isOwn) return;
    this.#isLooking = true;
    try {
      const servers = await this.#servers();
      const { version: cluster, downgrade } = state.members;
      const target = downgrade.enabled ? downgrade.target : undefined;
      const decision = decideClusterVersion({ cluster, servers, downgrade: target });
      if (decision.kind === "set") await this.#propose(cluster, decision.version);
      if (decision.kind !== "impossible") return;
      lines.error(`Cannot downgrade from ${decision.of} to downgrade-target`, {
        "downgrade-target": target,
        [decision.of]: decision.from,
      });
      const error = "invalid downgrade target";
      lines.error("Failed to monitor cluster version", { error });
    } finally {
      this.#isLooking = false;
    }
  }

  async #propose(from: string, to: string): Promise<void> {
    const { lines, propose } = this.#options;
    const version = { "cluster-version": shortVersion(to) };
    if (from === "") lines.info("setting up initial cluster version using v3 API", version);
    else {
      const change = { from: shortVersion(from), to: shortVersion(to) };
      lines.info("updating cluster version using v3 API", change);
    }
    const request = encodeMessage(api.ClusterVersionSetRequest, { ver: to });
    const failure = await propose(REQUEST.clusterVersionSet, request);
    if (failure === undefined) lines.info("cluster version is updated", version);
    else lines.warn("failed to update cluster version", { error: failure.message });
  }

  /** Versions of all members' servers, undefined for those that do not answer. */
  #servers(): Promise<(string | undefined)[]> {
    const { state, memberId, network, lines } = this.#options;
    const asked = state.members.list().map(async ({ id }) => {
      if (id === memberId) return SERVER_VERSION;
      const reply = await network.version(id);
      if (reply.kind === "value") {
        if (isAbove(reply.value.server)) {
          lines.warn("leader found higher-versioned member", {
            "local-member-version": SERVER_VERSION,
            "remote-member-id": idToHex(id),
            "remote-member-version": reply.value.server,
          });
        }
        return reply.value.server;
      }
      const error = reply.kind === "unreached" ? reply.reason : reply.failure.message;
      lines.warn("failed to get version", { "remote-member-id": idToHex(id), error });
      return undefined;
    });
    return Promise.all(asked);
  }

  async #endDowngrade(): Promise<void> {
    const { state, leadership, lines, propose } = this.#options;
    const { downgrade } = state.members;
    if (this.#isEnding || !leadership.isOwn || !downgrade.enabled) return;
    this.#isEnding = true;
    try {
      if (!isDowngraded(downgrade.target, await this.#servers())) return;
      lines.info("the cluster has been downgraded", { "cluster-version": downgrade.target });
      const failure = await propose(REQUEST.downgradeInfoSet, NO_DOWNGRADE);
      if (failure !== undefined) {
        lines.warn("failed to cancel downgrade", { error: failure.message });
      }
    } finally {
      this.#isEnding = false;
    }
  }

  // ---- what every member sees to

  /** Brings the storage to the cluster's version, when the log needs nothing newer. */
  async #moveStorage(): Promise<void> {
    const { state, lines, change } = this.#options;
    const { members } = state;
    if (this.#isMoving || members.storageVersionDue === undefined) return;
    this.#isMoving = true;
    try {
      const [target, stored] = [members.storageVersionDue, members.storageVersion];
      lines.info("cluster version differs from storage version.", {
        "cluster-version": target,
        "storage-version": stored,
      });
      const needed = await this.#versionForLog();
      if (needed > versionOf(target)!) {
        const error =
          "cannot downgrade storage, WAL contains newer entries, as the target version " +
          `(${target}) is lower than the version (${textOfVersion(needed)}) detected from WAL logs`;
        const fields = { "cluster-version": target, error };
        lines.error("failed to update storage version", fields);
        return;
      }
      await change(() => {
        // It was decided before this wait.
        if (members.storageVersionDue === target) members.setStorageVersion(target);
      });
      if (members.storageVersion !== target) return;
      lines.info("updated storage version", { "new-storage-version": target });
      if (members.downgrade.enabled) {
        lines.info("The server is ready to downgrade", {
          "target-version": members.downgrade.target,
          "server-version": SERVER_VERSION,
        });
      }
    } finally {
      this.#isMoving = false;
    }
  }

  /** The lowest version that reads all entries behind the newest snapshot of the log; 0: any. */
  async #versionForLog(): Promise<number> {
    const { storage, snapshotIndex, time } = this.#options;
    let needed = 0;
    for (let from = snapshotIndex() + 1; from <= storage.lastIndex; await time.nextTurn()) {
      const to = storage.lastIndex + 1;
      const entries = storage.entries({ from, to, bytesMax: SCAN_BYTES });
      // A snapshot was made meanwhile.
      if (entries === undefined) from = storage.firstIndex;
      for (const entry of entries ?? []) {
        needed = Math.max(needed, versionForEntry(entry) ?? 0);
        from = entry.index + 1;
      }
    }
    return needed;
  }

  // ---- requests

  /** Why the cluster cannot go down to a version; undefined when it can. */
  async refusalToDowngrade(text: string): Promise<Failure | undefined> {
    const { members } = this.#options.state;
    const target = downgradeTarget(text);
    if (target === undefined) return fail("wrongDowngradeVersionFormat");
    if (members.version === "") return fail("clusterVersionUnavailable");
    const failure = await this.#options.caughtUp();
    if (failure !== undefined) return failure;
    const now = { cluster: members.version, isDowngrading: members.downgrade.enabled };
    const refusal = refusalOfDowngrade(target, now);
    return refusal === undefined ? undefined : fail(refusal);
  }

  async enableDowngrade(text: string): Promise<Failure | undefined> {
    const { lines, propose } = this.#options;
    const refusal = await this.refusalToDowngrade(text);
    const ver = downgradeTarget(text) ?? "";
    const request = encodeMessage(api.DowngradeInfoSetRequest, { enabled: true, ver });
    const failure = refusal ?? (await propose(REQUEST.downgradeInfoSet, request));
    if (failure !== undefined) lines.warn("reject downgrade request", { error: failure.message });
    return failure;
  }

  /** Clients do not hear of a failure, as etcd's do not. */
  async cancelDowngrade(): Promise<void> {
    const { state, lines, propose, caughtUp } = this.#options;
    let failure = await caughtUp();
    if (failure === undefined && !state.members.downgrade.enabled) {
      failure = fail("noInflightDowngrade");
    }
    failure ??= await propose(REQUEST.downgradeInfoSet, NO_DOWNGRADE);
    if (failure !== undefined) lines.warn("failed to cancel downgrade", { error: failure.message });
  }
}

const NO_DOWNGRADE = encodeMessage(api.DowngradeInfoSetRequest, { enabled: false });

function isAbove(server: string): boolean {
  return (versionOf(server) ?? 0) > versionOf(SERVER_VERSION)!;
}
