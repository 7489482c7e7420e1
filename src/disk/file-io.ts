import fs from "node:fs";
import { join } from "node:path";

/**
 * The file calls that durable code makes, as one object, so that a test can fail, shorten or cut
 * the n-th of them. Errors are Node's own, with `code` and `syscall`. Descriptors are plain
 * numbers: cheaper than FileHandle, and a child process can inherit them.
 */
export interface FileIo {
  open(path: string, flags: number, mode?: number): Promise<number>;
  close(fd: number): Promise<void>;
  /** Bytes read into `bytes` from `position`; 0 at the end of the file. */
  read(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  readSync(fd: number, bytes: Uint8Array, position: number): number;
  /** Bytes written; fewer than asked means a full disk, which only the next call says. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  /** The same in this turn, where it can be had: see `SegmentFile.write`. */
  writeSync?(fd: number, bytes: Uint8Array, position: number): number;
  /** Also for directories. On macOS libuv makes it F_FULLFSYNC. */
  sync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  size(fd: number): Promise<number>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes one directory; its parent must exist. */
  mkdir(path: string, mode: number): Promise<void>;
  readdir(path: string): Promise<string[]>;
}

/** The calls on Node's file system. */
export const nodeFileIo: FileIo = {
  open: (path, flags, mode) => call((done) => fs.open(path, flags, mode, done)),
  close: (fd) => call((done) => fs.close(fd, done)),
  read: (fd, bytes, position) =>
    call((done) => fs.read(fd, bytes, 0, bytes.length, position, done)),
  readSync: (fd, bytes, position) => fs.readSync(fd, bytes, 0, bytes.length, position),
  write: (fd, bytes, position) =>
    call((done) => fs.write(fd, bytes, 0, bytes.length, position, done)),
  writeSync: (fd, bytes, position) => fs.writeSync(fd, bytes, 0, bytes.length, position),
  sync: (fd) => call((done) => fs.fdatasync(fd, done)),
  truncate: (fd, length) => call((done) => fs.ftruncate(fd, length, done)),
  size: (fd) => call<fs.Stats>((done) => fs.fstat(fd, done)).then((stats) => stats.size),
  rename: (from, to) => call((done) => fs.rename(from, to, done)),
  unlink: (path) => call((done) => fs.unlink(path, done)),
  mkdir: (path, mode) => call((done) => fs.mkdir(path, mode, done)),
  readdir: (path) => call((done) => fs.readdir(path, done)),
};

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

/** A file operation that failed for good. `message` names file, offset and the system's error. */
export class DiskError extends Error {
  readonly path: string;
  /** Where in the file, or undefined when the call was about the file as a whole. */
  readonly offset: number | undefined;
  /** The system's name of the error, such as ENOSPC. */
  readonly code: string;

  constructor(what: { path: string; offset?: number; doing: string; cause: unknown }) {
    const code = (what.cause as NodeJS.ErrnoException).code ?? "EIO";
    const reason = what.cause instanceof Error ? what.cause.message : String(what.cause);
    const place = what.offset === undefined ? "" : ` at offset ${what.offset}`;
    super(`${what.doing} ${what.path}${place}: ${reason}`, { cause: what.cause });
    this.path = what.path;
    this.offset = what.offset;
    this.code = code;
  }
}

/** The result of a file call; its error becomes a DiskError. */
export async function orDiskError<T>(
  call: Promise<T>,
  what: { readonly path: string; readonly doing: string; readonly offset?: number },
): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw new DiskError({ ...what, cause });
  }
}

/** Reads until `bytes` is full. Throws DiskError, also when the file ends before. */
export async function readFully(
  io: FileIo,
  file: { readonly fd: number; readonly path: string },
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0;
  try {
    while (done < bytes.length) {
      const rest = done === 0 ? bytes : bytes.subarray(done);
      const count = await io.read(file.fd, rest, position + done);
      if (count === 0) throw new Error("the file ends here");
      done += count;
    }
  } catch (cause) {
    throw new DiskError({ path: file.path, offset: position + done, doing: "read", cause });
  }
}

/** Writes all of `bytes`, however many calls it takes. Throws DiskError. */
export async function writeFully(
  io: FileIo,
  file: { readonly fd: number; readonly path: string },
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  try {
    while (written < bytes.length) {
      const rest = written === 0 ? bytes : bytes.subarray(written);
      const count = await io.write(file.fd, rest, position + written);
      if (count === 0) throw new Error("the system wrote nothing");
      written += count;
    }
  } catch (cause) {
    throw new DiskError({ path: file.path, offset: position + written, doing: "write", cause });
  }
}

/** Writes and syncs a file, replacing an older one; its directory is the caller's to sync. */
export async function writeNewFile(
  io: FileIo,
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  const { O_WRONLY, O_CREAT, O_TRUNC } = fs.constants;
  const flags = O_WRONLY | O_CREAT | O_TRUNC;
  const fd = await orDiskError(io.open(path, flags, 0o600), { path, doing: "create" });
  try {
    let bytes = 0;
    for await (const chunk of chunks) {
      await writeFully(io, { fd, path }, chunk, bytes);
      bytes += chunk.length;
    }
    await orDiskError(io.sync(fd), { path, doing: "sync" });
    return bytes;
  } finally {
    await io.close(fd);
  }
}

/** Makes what was created, renamed or removed in a directory last. Throws DiskError. */
export async function syncDirectory(io: FileIo, path: string): Promise<void> {
  const fd = await orDiskError(io.open(path, fs.constants.O_RDONLY), { path, doing: "open" });
  try {
    await orDiskError(io.sync(fd), { path, doing: "sync" });
  } finally {
    await io.close(fd);
  }
}

/** Renames within a directory, for good. Throws DiskError. */
export async function renameFile(
  io: FileIo,
  names: { readonly directory: string; readonly from: string; readonly to: string },
): Promise<void> {
  const path = join(names.directory, names.from);
  const target = join(names.directory, names.to);
  await orDiskError(io.rename(path, target), { path, doing: "rename" });
  await syncDirectory(io, names.directory);
}
