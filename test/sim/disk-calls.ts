import { constants } from "node:fs";
import { crc32c, Prng } from "../../src/base/index.ts";
import type { FileIo } from "../../src/disk/index.ts";
import { systemError } from "../../src/disk/memory-files.ts";
import { type Disk, SimFile } from "./disk.ts";

/** What the disk needs of the time. */
export interface DiskTime {
  sleep(ms: number): Promise<void>;
  /** Everything else in the process waits for so long. */
  pass(ms: number): void;
  /** How long the next call takes. */
  callMs(): number;
}

/** The n-th file call of a life goes wrong, or the first behind it that can in this way. */
export interface Fault {
  readonly nth: number;
  readonly how: How;
  /** Calls that count, by their lines in the trace; all unless given. */
  readonly of?: RegExp;
}

/**
 * - `EIO`: the call fails. A part of a write is there all the same, and what a failed sync did not
 *   write is never written.
 * - `ENOSPC`, `full`: the disk is full for this call, or from it on.
 * - `short`: a write writes the half, and the next one says why.
 * - `killed`: the process ends. Calls that have begun are carried out.
 * - `cut`: power fails.
 */
export type How = "EIO" | "ENOSPC" | "full" | "short" | "killed" | "cut";

type Name = Exclude<keyof FileIo, "readSync" | "writeSync"> | "create";

const TAKES_ROOM = new Set<string>(["write", "truncate", "create", "rename", "mkdir"]);

/** How a call of this name can go wrong. */
export function waysOf(name: string): readonly How[] {
  if (name === "write") return ["EIO", "ENOSPC", "full", "short"];
  if (TAKES_ROOM.has(name)) return ["EIO", "ENOSPC", "full"];
  return ["EIO"];
}

interface OpenFile {
  readonly path: string;
  /** Undefined: a directory. */
  readonly file: SimFile | undefined;
  readonly isSynced: boolean;
  /** Failed syncs of the file that were told here. Each is told once to each descriptor. */
  failuresTold: number;
}

/** What a call did, and what more is true when it ends. */
interface Begun<T> {
  readonly value: T;
  readonly end?: () => void;
  /** Where the call is told of a failed sync. */
  readonly opened?: OpenFile;
}

type Call<T> = [
  name: Name,
  what: string,
  begin: () => Begun<T>,
  begins?: Partial<Record<How, () => Begun<T>>>,
];

/** A call under way. */
interface Under<T> {
  readonly name: Name;
  readonly what: string;
  readonly begun: Begun<T> | undefined;
  readonly error: string | undefined;
}

/** The file calls of one life of a process. Each takes a while, so that others overtake it. */
export class DiskCalls implements FileIo {
  /** One line a call: a name, a path, and which bytes. */
  readonly trace: string[] = [];
  readonly #disk: Disk;
  readonly #time: DiskTime;
  #fault: Fault | undefined;
  readonly #onEnd: (how: "killed" | "cut") => void;
  readonly #random: Prng;
  readonly #isBrief: boolean;
  readonly #open = new Map<number, OpenFile>();
  /** How calls end that have begun. */
  readonly #ends = new Set<() => void>();
  #nextFd = 3;
  /** Calls that count for the fault, and whether it has struck. */
  #counted = 0;
  #isStruck = false;
  /** Whether all that takes room fails. */
  isFull = false;
  #fillsUp = false;
  #isOff = false;

  constructor(options: {
    disk: Disk;
    time: DiskTime;
    seed: number;
    fault: Fault | undefined;
    /** Told when the call came at which the process or the power was to end. */
    onEnd: (how: "killed" | "cut") => void;
    /** The trace does not say what is written. */
    isBrief?: boolean;
  }) {
    this.#isBrief = options.isBrief ?? false;
    this.#disk = options.disk;
    this.#time = options.time;
    this.#fault = options.fault;
    this.#onEnd = options.onEnd;
    this.#random = new Prng(options.seed);
  }

  /** The next call that can, or the next sync of a file that matches, fails. */
  failNext(of?: RegExp): void {
    this.#strikeNext("EIO", of);
  }

  /** The process or the power ends as the next call that matches begins. */
  endNext(how: "killed" | "cut", of: RegExp): void {
    this.#strikeNext(how, of);
  }

  #strikeNext(how: How, of?: RegExp): void {
    this.#fault = { nth: 1, how, ...(of && { of }) };
    this.#counted = 0;
    this.#isStruck = false;
  }

  /** The process ends: what it has asked for happens, and nothing else. */
  end(): void {
    if (this.#isOff) return;
    this.#isOff = true;
    for (const end of this.#ends) end();
  }

  open(path: string, flags: number): Promise<number> {
    const creates = (flags & constants.O_CREAT) !== 0 && !this.#disk.has(path);
    return this.#call(creates ? "create" : "open", path, () => {
      if (creates) this.#disk.create(path, new SimFile());
      const file = this.#disk.isDirectory(path) ? undefined : this.#disk.file(path);
      if ((flags & constants.O_TRUNC) !== 0) file?.truncate(0);
      const fd = this.#nextFd++;
      const isSynced = (flags & constants.O_DSYNC) !== 0;
      this.#open.set(fd, { path, file, isSynced, failuresTold: file?.failedSyncs ?? 0 });
      return { value: fd };
    });
  }

  close(fd: number): Promise<void> {
    return this.#call("close", this.#opened(fd).path, () => {
      this.#open.delete(fd);
      return DONE;
    });
  }

  read(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    return this.#call(...this.#reading(fd, bytes, position));
  }

  readSync(fd: number, bytes: Uint8Array, position: number): number {
    return this.#callNow(...this.#reading(fd, bytes, position));
  }

  #reading(fd: number, bytes: Uint8Array, position: number): Call<number> {
    const what = `${this.#opened(fd).path} ${position}+${bytes.length}`;
    return ["read", what, () => ({ value: this.#file(fd).read(bytes, position) })];
  }

  write(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    return this.#call(...this.#writing(fd, bytes, position));
  }

  writeSync(fd: number, bytes: Uint8Array, position: number): number {
    return this.#callNow(...this.#writing(fd, bytes, position));
  }

  #writing(fd: number, bytes: Uint8Array, position: number): Call<number> {
    const opened = this.#opened(fd);
    const { path, isSynced } = opened;
    const file = this.#file(fd);
    const content = this.#isBrief ? "" : ` ${contentOf(bytes)}`;
    const what = `${path} ${position}+${bytes.length}${content}`;
    const begin = (part: Uint8Array): Begun<number> => {
      const unsynced = file.write(part, position);
      const value = part.length;
      return isSynced ? { value, opened, end: () => file.sync(unsynced) } : { value };
    };
    const half = bytes.subarray(0, bytes.length >>> 1);
    const fail = () => {
      // Writing into memory works; what fails is the way from there to the disk.
      const { value } = begin(isSynced ? bytes : half);
      if (isSynced) this.#failSync(opened);
      return { value };
    };
    return ["write", what, () => begin(bytes), { EIO: fail, short: () => begin(half) }];
  }

  sync(fd: number): Promise<void> {
    const opened = this.#opened(fd);
    return this.#call("sync", opened.path, () => this.#beginSync(opened), {
      EIO: () => {
        this.#failSync(opened);
        return DONE;
      },
    });
  }

  #beginSync(opened: OpenFile): Begun<void> {
    const { path, file } = opened;
    if (file !== undefined) {
      const unsynced = file.unsynced();
      return { value: undefined, opened, end: () => file.sync(unsynced) };
    }
    const changes = this.#disk.unsyncedNames(path);
    return { value: undefined, end: () => this.#disk.syncNames(changes) };
  }

  #failSync(opened: OpenFile): void {
    opened.file?.failSync(() => this.#random.oneIn(2));
    opened.failuresTold++;
  }

  truncate(fd: number, length: number): Promise<void> {
    return this.#call("truncate", `${this.#opened(fd).path} ${length}`, () => {
      this.#file(fd).truncate(length);
      return DONE;
    });
  }

  size(fd: number): Promise<number> {
    const { path } = this.#opened(fd);
    return this.#call("size", path, () => ({ value: this.#file(fd).size }));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call("rename", `${from} ${to}`, () => ({ value: this.#disk.rename(from, to) }));
  }

  unlink(path: string): Promise<void> {
    return this.#call("unlink", path, () => ({ value: this.#disk.unlink(path) }));
  }

  mkdir(path: string): Promise<void> {
    return this.#call("mkdir", path, () => {
      if (this.#disk.has(path)) throw systemError("EEXIST", "mkdir", path);
      return { value: this.#disk.create(path, "directory") };
    });
  }

  readdir(path: string): Promise<string[]> {
    return this.#call("readdir", path, () => ({ value: this.#disk.list(path) }));
  }

  async #call<T>(...call: Call<T>): Promise<T> {
    const begun = this.#isOff ? undefined : this.#begin(...call);
    if (begun === undefined) return NEVER;
    await this.#time.sleep(this.#time.callMs());
    return this.#isOff ? NEVER : this.#end(begun);
  }

  /** A call for which everything else in the process waits. */
  #callNow<T>(...call: Call<T>): T {
    const begun = this.#isOff ? undefined : this.#begin(...call);
    if (begun === undefined) throw new Error("the process is gone");
    this.#time.pass(this.#time.callMs());
    return this.#end(begun);
  }

  /**
   * Does a call, or what a fault makes of it: what `begins` says for that, or otherwise nothing. It
   * is begun when the power fails, since then it may be there or not; and nothing comes after it.
   */
  #begin<T>(
    name: Name,
    what: string,
    begin: () => Begun<T>,
    begins: Call<T>[3] = {},
  ): Under<T> | undefined {
    const how = this.#fate(name, what);
    const isDone = how === undefined || endsLife(how);
    const begun = (isDone ? begin : (begins[how] ?? nothing))();
    if (begun?.end !== undefined) this.#ends.add(begun.end);
    if (how !== undefined && endsLife(how)) {
      this.#stop(how);
      return undefined;
    }
    const error = how === undefined || how === "short" ? undefined : codeOf(how);
    return { name, what, begun, error };
  }

  #end<T>({ name, what, begun, error }: Under<T>): T {
    if (begun?.end !== undefined) this.#ends.delete(begun.end);
    if (begun === undefined || error !== undefined) {
      throw systemError(error ?? "EIO", name, what);
    }
    if (hearsOfFailure(begun.opened)) throw systemError("EIO", name, what);
    begun.end?.();
    return begun.value;
  }

  /** Counts the call. Returns how it goes wrong, if it does. */
  #fate(name: Name, what: string): How | undefined {
    this.trace.push(`${name} ${what}`);
    const takesRoom = TAKES_ROOM.has(name);
    const fillsUp = name === "write" && this.#fillsUp;
    if (fillsUp) this.#fillsUp = false;
    if (fillsUp || (takesRoom && this.isFull)) return "ENOSPC";
    if (this.#fault === undefined || this.#isStruck) return undefined;
    const { nth, how, of } = this.#fault;
    if (of?.test(this.trace.at(-1)!) ?? true) this.#counted++;
    if (this.#counted < nth || !(endsLife(how) || waysOf(name).includes(how))) return undefined;
    this.#isStruck = true;
    this.isFull = how === "full";
    this.#fillsUp = how === "short";
    return how;
  }

  #stop(how: "killed" | "cut"): void {
    if (how === "killed") this.end();
    this.#isOff = true;
    this.#onEnd(how);
  }

  #opened(fd: number): OpenFile {
    const opened = this.#open.get(fd);
    if (opened === undefined) throw systemError("EBADF", "fd", `${fd}`);
    return opened;
  }

  #file(fd: number): SimFile {
    const { file, path } = this.#opened(fd);
    if (file === undefined) throw systemError("EISDIR", "read", path);
    return file;
  }
}

const DONE: Begun<void> = { value: undefined };
const NEVER = new Promise<never>(() => {});

function endsLife(how: How): how is "killed" | "cut" {
  return how === "killed" || how === "cut";
}

function codeOf(how: How): string {
  return how === "EIO" ? "EIO" : "ENOSPC";
}

function contentOf(bytes: Uint8Array): string {
  return bytes.every((byte) => byte === 0) ? "zeros" : crc32c(0, bytes).toString(16);
}

function nothing(): undefined {}

function hearsOfFailure(opened: OpenFile | undefined): boolean {
  const failedSyncs = opened?.file?.failedSyncs ?? 0;
  if (opened === undefined || opened.failuresTold === failedSyncs) return false;
  opened.failuresTold = failedSyncs;
  return true;
}
