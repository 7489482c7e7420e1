import { constants } from "node:fs";
import { join } from "node:path";
import { snapDatabaseName } from "../wal/index.ts";
import { type FileIo, orDiskError, renameFile, writeFully } from "./file-io.ts";

/** Synced this often, so that the last sync is short and others' syncs are not held up for long. */
const SYNC_BYTES = 32 * 1024 * 1024;

/**
 * A database as it arrives from a leader: under a temporary name until it is whole and synced.
 * One call at a time.
 */
export class ReceivedFile {
  readonly #io: FileIo;
  readonly #directory: string;
  readonly #name: string;
  readonly #fd: number;
  #bytes = 0;
  #unsynced = 0;
  #isClosed = false;

  private constructor(io: FileIo, directory: string, name: string, fd: number) {
    this.#io = io;
    this.#directory = directory;
    this.#name = name;
    this.#fd = fd;
  }

  /** Throws DiskError. */
  static async create(io: FileIo, directory: string, name: string): Promise<ReceivedFile> {
    const path = join(directory, name);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
    const fd = await orDiskError(io.open(path, flags, 0o600), { path, doing: "create" });
    return new ReceivedFile(io, directory, name, fd);
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Appends; the bytes may be reused when it resolves. Throws DiskError. */
  async write(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#io, { fd: this.#fd, path: this.#path }, bytes, this.#bytes);
    this.#bytes += bytes.length;
    this.#unsynced += bytes.length;
    if (this.#unsynced >= SYNC_BYTES) await this.#sync();
  }

  /** Gives the file its name, for good. Throws DiskError, and then nothing of it stays. */
  async finish(index: number): Promise<void> {
    try {
      await this.#sync();
      await this.#close();
      const to = snapDatabaseName(index);
      await renameFile(this.#io, { directory: this.#directory, from: this.#name, to });
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    await this.#close().catch(() => {});
    await this.#io.unlink(this.#path).catch(() => {});
  }

  get #path(): string {
    return join(this.#directory, this.#name);
  }

  async #sync(): Promise<void> {
    this.#unsynced = 0;
    await orDiskError(this.#io.sync(this.#fd), { path: this.#path, doing: "sync" });
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#io.close(this.#fd);
  }
}
