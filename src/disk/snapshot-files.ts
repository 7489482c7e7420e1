import { join } from "node:path";
import type { Snapshot } from "../proto/index.ts";
import { encodeSnapFile, snapDatabaseIndex, snapDatabaseName, snapFileName } from "../wal/index.ts";
import { ReceivedFile } from "./received-file.ts";
import { type FileIo, orDiskError, renameFile, syncDirectory, writeNewFile } from "./file-io.ts";

export interface SnapshotFilesOptions {
  /** `member/snap`. */
  readonly directory: string;
  readonly io: FileIo;
  /** How many `.snap` files to keep, `--max-snapshots`; 0 keeps all. */
  readonly kept: number;
  readonly warn: (text: string) => void;
}

/**
 * The snapshot directory: `.snap` files that say which index a snapshot has, and databases that a
 * leader sent. A file appears under its name whole and synced, or not at all.
 */
export class SnapshotFiles {
  readonly #options: SnapshotFilesOptions;
  #temporaries = 0;

  constructor(options: SnapshotFilesOptions) {
    this.#options = options;
  }

  /** Writes a `.snap` file. Throws DiskError. */
  async save(snapshot: Snapshot): Promise<void> {
    const { io, directory } = this.#options;
    const temporary = this.#temporaryName();
    await writeNewFile(io, join(directory, temporary), [encodeSnapFile(snapshot)]);
    await this.#name(temporary, snapFileName(snapshot.meta.term, snapshot.meta.index));
  }

  /** A file for a database that begins to arrive. Throws DiskError. */
  createDatabase(): Promise<ReceivedFile> {
    const { io, directory } = this.#options;
    return ReceivedFile.create(io, directory, this.#temporaryName());
  }

  /** Whether the database of a received snapshot is there. Throws DiskError. */
  async hasDatabase(index: number): Promise<boolean> {
    return (await this.#list()).includes(snapDatabaseName(index));
  }

  /** Where the database of a received snapshot is. */
  databasePath(index: number): string {
    return join(this.#options.directory, snapDatabaseName(index));
  }

  /** Failures only warn: the next snapshot removes it. */
  async removeDatabase(index: number): Promise<void> {
    const { warn } = this.#options;
    try {
      await this.#remove([snapDatabaseName(index)]);
    } catch (error) {
      warn(`cannot remove a received snapshot: ${(error as Error).message}`);
    }
  }

  /**
   * Puts a received database in the place of the member's own, which goes when it is closed.
   * Resolves to its path. Throws DiskError.
   */
  async adoptDatabase(index: number): Promise<string> {
    await this.#name(snapDatabaseName(index), "db");
    return join(this.#options.directory, "db");
  }

  /**
   * Removes received databases of older snapshots and the oldest `.snap` files above the number
   * kept. A database that is not older stays: it may be about to be adopted.
   */
  async purge(snapshotIndex: number): Promise<void> {
    const { kept, warn } = this.#options;
    const isOld = (file: string) => (snapDatabaseIndex(file) ?? snapshotIndex) < snapshotIndex;
    try {
      const files = (await this.#list()).toSorted();
      const snaps = files.filter((file) => file.endsWith(".snap"));
      await this.#remove([...files.filter(isOld), ...oldest(snaps, kept)]);
    } catch (error) {
      warn(`cannot remove old snapshots: ${(error as Error).message}`);
    }
  }

  /** Removes received databases at the start, when the log has named the one it needed, if any. */
  async removeDatabases(): Promise<void> {
    const files = await this.#list();
    await this.#remove(files.filter((file) => snapDatabaseIndex(file) !== undefined));
  }

  async #remove(files: readonly string[]): Promise<void> {
    const { io, directory } = this.#options;
    for (const file of files) await io.unlink(join(directory, file));
    if (files.length > 0) await syncDirectory(io, directory);
  }

  #list(): Promise<string[]> {
    const { io, directory } = this.#options;
    return orDiskError(io.readdir(directory), { path: directory, doing: "list" });
  }

  #name(from: string, to: string): Promise<void> {
    const { io, directory } = this.#options;
    return renameFile(io, { directory, from, to });
  }

  /** `tmp*` files are removed at the next start, should the process not live to name them. */
  #temporaryName(): string {
    return `tmp-${this.#temporaries++}`;
  }
}

/** The first of sorted names that are too many. */
function oldest(files: readonly string[], kept: number): readonly string[] {
  return kept === 0 ? [] : files.slice(0, Math.max(0, files.length - kept));
}
