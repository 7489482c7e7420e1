import { constants } from "node:fs";
import type { FileIo } from "./file-io.ts";

interface Inode {
  /** What a reader sees. */
  bytes: Uint8Array;
  /** What is on the disk for certain. */
  durable: Uint8Array;
  isDirectory: boolean;
}

/** What a power failure leaves of what was not synced: all of it, nothing, or some. */
export type Survival = () => boolean;

/**
 * Files in memory that know what was synced, for tests: `afterPowerLoss` is the disk as the next
 * boot finds it. Contents last by `sync` or O_DSYNC, names by a `sync` of their directory.
 */
export class MemoryFiles implements FileIo {
  readonly #names = new Map<string, Inode>();
  readonly #durableNames = new Map<string, Inode>();
  readonly #open = new Map<number, { inode: Inode; path: string; isSynced: boolean }>();
  #nextFd = 3;

  constructor() {
    this.addDirectory("/");
  }

  addDirectory(path: string): void {
    const inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0), isDirectory: true };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  addFile(path: string, bytes: Uint8Array): void {
    const inode = { bytes, durable: bytes.slice(), isDirectory: false };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  contents(path: string): Uint8Array {
    return this.#inode(path).bytes;
  }

  afterPowerLoss(survives: Survival): MemoryFiles {
    const disk = new MemoryFiles();
    for (const [path, inode] of this.#survivingNames(survives)) {
      if (inode.isDirectory) disk.addDirectory(path);
      else disk.addFile(path, survivingBytes(inode, survives));
    }
    return disk;
  }

  async open(path: string, flags: number): Promise<number> {
    if (!this.#names.has(path)) {
      if ((flags & constants.O_CREAT) === 0) throw systemError("ENOENT", "open", path);
      this.#inode(parentOf(path));
      const inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0), isDirectory: false };
      this.#names.set(path, inode);
    }
    const inode = this.#inode(path);
    if ((flags & constants.O_TRUNC) !== 0) inode.bytes = new Uint8Array(0);
    const fd = this.#nextFd++;
    this.#open.set(fd, { inode, path, isSynced: (flags & constants.O_DSYNC) !== 0 });
    return fd;
  }

  async close(fd: number): Promise<void> {
    this.#open.delete(fd);
  }

  async read(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    return this.readSync(fd, bytes, position);
  }

  readSync(fd: number, bytes: Uint8Array, position: number): number {
    const found = this.#file(fd).inode.bytes.subarray(position, position + bytes.length);
    bytes.set(found);
    return found.length;
  }

  async write(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    const { inode, isSynced } = this.#file(fd);
    inode.bytes = overwritten(inode.bytes, bytes, position);
    if (isSynced) inode.durable = overwritten(inode.durable, bytes, position);
    return bytes.length;
  }

  async sync(fd: number): Promise<void> {
    const { inode, path } = this.#file(fd);
    if (inode.isDirectory) this.#syncNames(path);
    else inode.durable = inode.bytes.slice();
  }

  async truncate(fd: number, length: number): Promise<void> {
    const { inode } = this.#file(fd);
    const bytes = new Uint8Array(length);
    bytes.set(inode.bytes.subarray(0, length));
    inode.bytes = bytes;
  }

  async size(fd: number): Promise<number> {
    return this.#file(fd).inode.bytes.length;
  }

  async rename(from: string, to: string): Promise<void> {
    this.#names.set(to, this.#inode(from));
    this.#names.delete(from);
  }

  async unlink(path: string): Promise<void> {
    this.#inode(path);
    this.#names.delete(path);
  }

  async mkdir(path: string): Promise<void> {
    if (this.#names.has(path)) throw systemError("EEXIST", "mkdir", path);
    this.#inode(parentOf(path));
    const inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0), isDirectory: true };
    this.#names.set(path, inode);
  }

  async readdir(path: string): Promise<string[]> {
    this.#inode(path);
    return namesIn(this.#names, path).map((name) => name.slice(name.lastIndexOf("/") + 1));
  }

  #syncNames(directory: string): void {
    for (const name of namesIn(this.#durableNames, directory)) this.#durableNames.delete(name);
    for (const name of namesIn(this.#names, directory)) {
      this.#durableNames.set(name, this.#inode(name));
    }
  }

  /** Per directory either the names that were synced or those that are there now. */
  #survivingNames(survives: Survival): Map<string, Inode> {
    const surviving = new Map<string, Inode>();
    const add = (directory: string) => {
      const names = survives() ? this.#names : this.#durableNames;
      for (const name of namesIn(names, directory)) {
        const inode = names.get(name)!;
        surviving.set(name, inode);
        if (inode.isDirectory) add(name);
      }
    };
    add("/");
    return surviving;
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError("ENOENT", "open", path);
    return inode;
  }

  #file(fd: number): { inode: Inode; path: string; isSynced: boolean } {
    const file = this.#open.get(fd);
    if (file === undefined) throw systemError("EBADF", "fd", String(fd));
    return file;
  }
}

/** An error such as Node makes. */
export function systemError(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path });
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

function namesIn(names: ReadonlyMap<string, Inode>, directory: string): string[] {
  return [...names.keys()].filter((name) => name !== "/" && parentOf(name) === directory);
}

function overwritten(old: Uint8Array, bytes: Uint8Array, position: number): Uint8Array {
  const end = position + bytes.length;
  const target = end <= old.length ? old : new Uint8Array(end);
  if (target !== old) target.set(old);
  target.set(bytes, position);
  return target;
}

/** Sectors of 512 bytes reach the disk each by itself. */
function survivingBytes({ bytes, durable }: Inode, survives: Survival): Uint8Array {
  const length = survives() ? bytes.length : durable.length;
  const found = new Uint8Array(length);
  found.set(durable.subarray(0, length));
  for (let at = 0; at < length; at += 512) {
    if (survives()) found.set(bytes.subarray(at, Math.min(at + 512, length)), at);
  }
  return found;
}
