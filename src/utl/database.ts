import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BoltError, type Db } from "../bolt/index.ts";
import { errnoText } from "../base/index.ts";
import { EXIT, Exit } from "../cli/index.ts";
import {
  DiskError,
  type FileIo,
  LockError,
  lockFile,
  nodeFileIo,
  PageFile,
  runWithPages,
} from "../disk/index.ts";
import { RevisionError, type Slices, StoreError } from "../mvcc/index.ts";
import { ProtoError } from "../proto/index.ts";
import { WalError } from "../wal/index.ts";
import type { Utl } from "./utl.ts";

const LOCK_RETRY_MS = 100;
/** Commands come by each page once or twice: more would not make them faster. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** The exit status when a database cannot be opened, as etcdutl's. */
const CANNOT_OPEN = 2;
/** What damaged files and failing disks make rooms below throw. */
const FILE_ERRORS = [BoltError, DiskError, ProtoError, RevisionError, StoreError, WalError];

export interface OpenDatabase {
  readonly file: PageFile;
  readonly db: Db;
  /** Bytes read of the file so far, to show how far a command is. */
  readonly bytesRead: () => number;
}

/** The database of a data directory. */
export const databasePath = (dataDir: string) => join(dataDir, "member", "snap", "db");

/** Opens a database, without changing it, for as long as `use` takes. Throws `Exit`. */
export async function readDatabase<T>(
  path: string,
  use: (opened: OpenDatabase) => Promise<T>,
  lock?: (fd: number) => Promise<void>,
): Promise<T> {
  await checkExists(path);
  const { io, bytesRead } = countingIo();
  const options = { io: { ...io, open: openToRead }, cacheBytes: CACHE_BYTES };
  const file = await openFile(path, lock === undefined ? options : { ...options, lock });
  return withFile(file, async () => {
    const status = lock === undefined ? EXIT.error : CANNOT_OPEN;
    if (file.sizeBytes === 0) throw new Exit(status, "invalid database");
    return use({ file, db: await openDb(file, status), bytesRead });
  });
}

const openToRead = (path: string) => nodeFileIo.open(path, constants.O_RDONLY, 0);

function countingIo(): { readonly io: FileIo; readonly bytesRead: () => number } {
  let total = 0;
  const readSync: FileIo["readSync"] = (fd, bytes, offset) => {
    const count = nodeFileIo.readSync(fd, bytes, offset);
    total += count;
    return count;
  };
  return { io: { ...nodeFileIo, readSync }, bytesRead: () => total };
}

/** Opens a database to change it, for as long as `use` takes. Throws `Exit`. */
export async function changeDatabase<T>(
  utl: Utl,
  path: string,
  use: (opened: OpenDatabase) => Promise<T>,
): Promise<T> {
  await checkExists(path);
  const { io, bytesRead } = countingIo();
  const lock = waitForLock(utl, path);
  const file = await openFile(path, { io, cacheBytes: CACHE_BYTES, lock });
  return withFile(file, async () => {
    const db = await openDb(file, CANNOT_OPEN);
    await runWithPages(file, () => db.recoverFreePages());
    return use({ file, db, bytesRead });
  });
}

async function openFile(
  path: string,
  options: Parameters<typeof PageFile.open>[1],
): Promise<PageFile> {
  return PageFile.open(path, options).catch((error: unknown) => {
    if (error instanceof LockError) throw new Exit(CANNOT_OPEN, error.message);
    exitOnFileError(error);
  });
}

async function withFile<T>(file: PageFile, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    return exitOnFileError(error);
  } finally {
    await file.close();
  }
}

async function openDb(file: PageFile, status: number): Promise<Db> {
  try {
    return await file.openDb();
  } catch (error) {
    if (error instanceof BoltError) throw new Exit(status, "invalid database");
    throw error;
  }
}

/**
 * Takes the lock on an open database, or tries for as long as `--timeout` says; 0 is for ever. Says
 * so when it has to wait. The result throws `LockError`.
 */
export function waitForLock(utl: Utl, path: string): (fd: number) => Promise<void> {
  const { timeout } = utl.flags;
  const until = timeout === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeout;
  return async (fd) => {
    for (let isWaiting = false; ; isWaiting = true) {
      try {
        return await lockFile(fd, path);
      } catch (error) {
        if (!(error instanceof LockError) || performance.now() >= until) throw error;
      }
      if (!isWaiting) utl.log("bbolt/db.go:239", "waiting for the lock on the db file", { path });
      await sleep(LOCK_RETRY_MS);
    }
  };
}

/** Ends the program with the reason, when the fault is with the file and not with the program. */
export function exitOnFileError(error: unknown, describe = (reason: string) => reason): never {
  const isFile = FILE_ERRORS.some((kind) => error instanceof kind);
  const { syscall, path } = error as NodeJS.ErrnoException;
  if (!isFile && syscall === undefined) throw error;
  const where = path === undefined ? syscall : `${syscall} ${path}`;
  const reason = isFile
    ? (error as Error).message
    : `${where}: ${errnoText(error as NodeJS.ErrnoException)}`;
  throw new Exit(EXIT.error, describe(reason));
}

export async function checkExists(path: string): Promise<void> {
  await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Exit(EXIT.error, `stat ${path}: ${errnoText(error)}`);
  });
}

/** Runs something long to its end. */
export async function finish<T>(file: PageFile, slices: Slices<T>): Promise<T> {
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value;
    if (step.value !== undefined) await file.load(step.value.page);
  }
}

/** Makes a file or a directory durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
