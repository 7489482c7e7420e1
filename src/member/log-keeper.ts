import type { State } from "../apply/index.ts";
import { assert } from "../base/index.ts";
import { confStateOf, type Member as ClusterMember } from "../cluster/index.ts";
import type { Entry } from "../proto/index.ts";
import type { MemoryStorage } from "../raft/index.ts";
import { LogMeter } from "./log-meter.ts";
import type { Meters } from "./meters.ts";
import type { LogLines, LogPort, TimePort } from "./ports.ts";

/** What a `.snap` file carries for readers of the old store: the members and the version. */
export type SnapshotData = (members: readonly ClusterMember[], version: string) => Uint8Array;

/** Entries that stay in memory for members that are sent a snapshot; with more, they get another. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;

export interface LogKeeperOptions {
  readonly state: State;
  readonly storage: MemoryStorage;
  readonly log: LogPort;
  readonly lines: LogLines;
  readonly time: TimePort;
  readonly meters: Meters;
  /** Index of the newest snapshot record of the log. */
  readonly snapshotIndex: number;
  readonly snapshotData: SnapshotData;
  readonly snapshotEntries: number;
  readonly snapshotBytes: number;
  readonly catchUpEntries: number;
  readonly catchUpBytes: number;
  /** Resolves when everything applied before the call is in the durable page file. */
  readonly committed: () => Promise<void>;
  readonly durableIndex: () => number;
  /** Members are being brought to this index: entries behind it had better stay in memory. */
  readonly heldIndex: () => number;
  readonly isStopped: () => boolean;
  readonly spawn: (work: Promise<unknown>) => void;
}

/**
 * Every so many entries or bytes the log gets a snapshot record, so that a restart need not read it
 * from the beginning, and entries before it leave memory but for some: other members may be a
 * little behind. It is made beside the requests.
 */
export class LogKeeper {
  readonly #options: LogKeeperOptions;
  readonly #logged = new LogMeter();
  #snapshotIndex: number;
  #saving: Promise<void> | undefined;

  constructor(options: LogKeeperOptions) {
    this.#options = options;
    this.#snapshotIndex = options.snapshotIndex;
  }

  add(entries: readonly Entry[]): void {
    this.#logged.add(entries);
  }

  /** Index of the newest snapshot record. */
  get snapshotIndex(): number {
    return this.#snapshotIndex;
  }

  /** A snapshot of the leader has taken the place of everything up to the index. */
  restart(index: number): void {
    assert(this.#saving === undefined, "no snapshot record is being made");
    this.#snapshotIndex = index;
    this.#logged.release(index);
  }

  maybeSave(): void {
    const { state, snapshotEntries, snapshotBytes, spawn } = this.#options;
    const { appliedIndex, appliedTerm } = state;
    if (this.#saving !== undefined || appliedIndex === this.#snapshotIndex) return;
    const isDue =
      state.wantsSnapshot ||
      appliedIndex - this.#snapshotIndex > snapshotEntries ||
      this.#logged.bytesAfter(this.#snapshotIndex) > snapshotBytes;
    if (!isDue) return;
    state.wantsSnapshot = false;
    this.#saving = this.#save(appliedIndex, appliedTerm);
    spawn(this.#saving);
  }

  /** Resolves when no snapshot record is being made. */
  async settled(): Promise<void> {
    await this.#saving;
  }

  /** The page file must hold everything up to the snapshot, durably, before the log says so. */
  async #save(index: number, term: number): Promise<void> {
    const { storage, log, lines, time, meters, state } = this.#options;
    const confState = confStateOf(state.members.allKnown());
    const data = this.#options.snapshotData(state.members.allKnown(), state.members.version);
    await this.#options.committed();
    if (this.#options.isStopped()) {
      this.#saving = undefined;
      return;
    }
    assert(this.#options.durableIndex() >= index, "the log is released behind the page file only");
    const snapshot = storage.createSnapshot(index, confState, data);
    assert(snapshot !== undefined, "snapshots go forward");
    const begun = time.now();
    await log.saveSnapshot({ ...snapshot.meta, index, term }, data);
    meters.snapshotSave.observe((time.now() - begun) / 1000);
    await log.release(index);
    const from = this.#catchUpFrom(index);
    storage.compact(Math.max(1, from));
    this.#snapshotIndex = index;
    this.#logged.release(from);
    this.#saving = undefined;
    lines.info("saved snapshot to disk", { "snapshot-index": index });
  }

  /** The entries behind this one stay in memory, for members that are a little behind. */
  #catchUpFrom(snapshotIndex: number): number {
    const { catchUpEntries, catchUpBytes, heldIndex } = this.#options;
    const within = this.#logged.indexWithin(catchUpBytes);
    const from = Math.min(snapshotIndex, Math.max(snapshotIndex - catchUpEntries, within));
    const held = heldIndex();
    return this.#logged.bytesAfter(held) > HELD_BYTES_MAX ? from : Math.min(from, held);
  }
}
