import { storedIndexOf } from "../apply/index.ts";
import { textToBytes } from "../base/index.ts";
import type { Db } from "../bolt/index.ts";
import { PageFile, type PageFiles, type SnapshotFiles, withPages } from "../disk/index.ts";
import type { ReceivedFile, ReceivedPort, Standby } from "../member/index.ts";
import type { Config } from "./config.ts";
import type { Host } from "./host.ts";
import { newState, restoreState, type StateParts } from "./state.ts";

export interface ReceivedOptions {
  readonly parts: StateParts;
  readonly host: Host;
  readonly snapshots: SnapshotFiles;
  /** The page file in use. */
  readonly files: PageFiles;
}

/** Page files from leaders, on the disk of this machine. */
export class Received implements ReceivedPort {
  readonly #options: ReceivedOptions;

  constructor(options: ReceivedOptions) {
    this.#options = options;
  }

  create(): Promise<ReceivedFile> {
    return this.#options.snapshots.createDatabase();
  }

  async open(index: number): Promise<Standby> {
    const { parts, snapshots, files, host } = this.#options;
    const { config } = parts;
    const file = await openPageFile(snapshots.databasePath(index), { config, host });
    try {
      const db = await file.openDb();
      refuseAuth(db);
      const state = newState(db, parts);
      await restoreState(state, file, db, parts);
      return {
        state,
        db,
        adopt: () => adopt(snapshots, index, file),
        use: () => files.exchange(file),
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  discard(index: number): Promise<void> {
    return this.#options.snapshots.removeDatabase(index);
  }
}

/**
 * The page file that the log speaks of. A crash may have come between the log's record of a
 * snapshot and the moment when the database that came with it took the place of the member's own:
 * then it takes it now. Throws DiskError.
 */
export async function settlePageFile(
  opened: { readonly file: PageFile; readonly db: Db },
  snapshotIndex: number,
  { snapshots, ...machine }: Pick<ReceivedOptions, "snapshots" | "host"> & { config: Config },
): Promise<{ readonly file: PageFile; readonly db: Db }> {
  const stored = await withPages(opened.file, () => storedIndexOf(opened.db));
  if (stored >= snapshotIndex || !(await snapshots.hasDatabase(snapshotIndex))) return opened;
  const file = await openPageFile(snapshots.databasePath(snapshotIndex), machine);
  await adopt(snapshots, snapshotIndex, file);
  await opened.file.close();
  return { file, db: await file.openDb() };
}

async function adopt(snapshots: SnapshotFiles, index: number, file: PageFile): Promise<void> {
  file.path = await snapshots.adoptDatabase(index);
}

/**
 * Opens a page file, or makes it, with the lock that keeps other processes out of it. While another
 * process takes the lock this one has nothing else to do than `meanwhile`.
 */
export function openPageFile(
  path: string,
  { config, host }: { readonly config: Config; readonly host: Host },
  meanwhile = () => {},
): Promise<PageFile> {
  return PageFile.open(path, {
    io: host.io,
    cacheBytes: config.pageCacheBytes,
    growthBytes: host.pageGrowthBytes,
    lock: (fd) => {
      const locked = host.lock(fd, config.dataDir);
      meanwhile();
      return locked;
    },
  });
}

function refuseAuth(db: Db): void {
  if (db.bucket("auth").get(textToBytes("authEnabled"))?.[0] !== 1) return;
  throw new Error("the snapshot has authentication enabled, which is not supported yet");
}
