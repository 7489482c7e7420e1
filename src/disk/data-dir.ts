import { mkdirSync, type Stats, statSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type FileIo, nodeFileIo, syncDirectory } from "./file-io.ts";

// <data-dir>/                       0700
//   member/                         0700
//     snap/db                       the database
//     snap/<term>-<index>.snap      position and members of a snapshot
//     snap/<index>.snap.db          a database that a leader sent, until it takes db's place
//     snap/tmp*, snap/db.tmp*       unfinished; removed at start
//     wal/<sequence>-<index>.wal    the log, unless --wal-dir gives it another directory

/** The data directory cannot be used. The message says which directory, why, and what to do. */
export class DataDirError extends Error {}

/** Absolute paths. */
export interface DataDir {
  readonly path: string;
  readonly snap: string;
  readonly wal: string;
}

/** Where the files are; touches nothing. An empty `walDir` stands for `member/wal`. */
export function dataDirPaths({ dataDir, walDir }: { dataDir: string; walDir: string }): DataDir {
  const path = resolve(dataDir);
  const wal = walDir === "" ? join(path, "member", "wal") : resolve(walDir);
  return { path, snap: join(path, "member", "snap"), wal };
}

/**
 * Makes the directories that are missing and sees that all can be written; `warn` is told of a
 * directory that others may look into. Throws DataDirError.
 */
export async function prepareDataDir(options: {
  dataDir: string;
  walDir: string;
  warn: (text: string) => void;
}): Promise<DataDir> {
  const paths = dataDirPaths(options);
  for (const path of [paths.path, join(paths.path, "member"), paths.snap, paths.wal]) {
    try {
      await prepareDirectory(path, options.warn);
    } catch (error) {
      throw new DataDirError(explain(path, error as NodeJS.ErrnoException), { cause: error });
    }
  }
  return paths;
}

/** Removes what a crash left unfinished. Only while the database is locked. */
export async function removeUnfinished({ snap }: DataDir, io: FileIo = nodeFileIo): Promise<void> {
  const unfinished = (await io.readdir(snap)).filter((file) => /^(db\.)?tmp/.test(file));
  for (const file of unfinished) await io.unlink(join(snap, file));
  if (unfinished.length > 0) await syncDirectory(io, snap);
}

async function prepareDirectory(path: string, warn: (text: string) => void): Promise<void> {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first !== undefined) return syncNewDirectories(first, path);
  warnOfMode(path, statSync(path), warn);
  const probe = join(path, ".touch");
  writeFileSync(probe, "", { mode: 0o600 });
  unlinkSync(probe);
}

/** Each new directory lasts when its parent is synced. */
async function syncNewDirectories(first: string, last: string): Promise<void> {
  for (let path = last; path.length >= first.length; path = dirname(path)) {
    await syncDirectory(nodeFileIo, dirname(path));
  }
}

function warnOfMode(path: string, stats: Stats, warn: (text: string) => void): void {
  const mode = stats.mode & 0o777;
  if ((mode & 0o077) === 0) return;
  warn(
    `directory ${path} has permission 0${mode.toString(8)}: other users may reach the data; ` +
      `chmod 700 is recommended`,
  );
}

const ADVICE: Record<string, string> = {
  EACCES: "the user that runs quord must own it, or be let in by every directory above it",
  EPERM: "the user that runs quord must own it",
  EROFS: "its file system is mounted read-only",
  ENOTDIR: "a part of this path is a file",
  EEXIST: "it is a file, not a directory",
  ENOSPC: "the disk is full",
};

function explain(path: string, error: NodeJS.ErrnoException): string {
  const code = error.code ?? "";
  return `cannot access data directory ${path}: ${ADVICE[code] ?? error.message} (${code})`;
}
