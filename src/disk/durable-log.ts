import type { Entry, HardState, Snapshot, SnapshotMeta } from "../proto/index.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import type { WalFiles } from "./wal-files.ts";

/** A member's durable past: the write-ahead log, with the snapshot files that belong to it. */
export class DurableLog {
  readonly #wal: WalFiles;
  readonly #snapshots: SnapshotFiles;

  constructor(wal: WalFiles, snapshots: SnapshotFiles) {
    this.#wal = wal;
    this.#snapshots = snapshots;
  }

  append(batch: {
    readonly hardState: HardState | undefined;
    readonly entries: readonly Entry[];
    readonly mustSync: boolean;
  }): Promise<void> {
    return this.#wal.append(batch);
  }

  /** The file first: a log that names a snapshot has it. */
  async saveSnapshot(meta: SnapshotMeta, v2json: Uint8Array): Promise<void> {
    await this.#snapshots.save({ meta, data: v2json });
    await this.#wal.saveSnapshot(meta);
    await this.#snapshots.purge(meta.index);
  }

  /** The same, with the hard state that commits a snapshot of the leader: both last, or neither. */
  async installSnapshot(snapshot: Snapshot, hardState: HardState): Promise<void> {
    await this.#snapshots.save(snapshot);
    await this.#wal.installSnapshot(snapshot.meta, hardState);
    await this.#snapshots.purge(snapshot.meta.index);
  }

  release(index: number): Promise<void> {
    return this.#wal.release(index);
  }

  close(): Promise<void> {
    return this.#wal.close();
  }
}
