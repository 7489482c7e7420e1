import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
} from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { LogFile, Room } from "./sinks.ts";

/** When a file of the log is full, and what becomes of full ones; the words are lumberjack's. */
export interface Rotation {
  /** Mebibytes of one file; 0 is 100. */
  readonly maxsize: number;
  /** Days that full files are kept; 0 is for ever. */
  readonly maxage: number;
  /** How many full files are kept; 0 is all. */
  readonly maxbackups: number;
  /** Full files are named after local time, not UTC. */
  readonly localtime: boolean;
  /** Full files are packed with gzip. */
  readonly compress: boolean;
}

export const ROTATION_DEFAULTS: Rotation = {
  maxsize: 0,
  maxage: 0,
  maxbackups: 0,
  localtime: false,
  compress: false,
};

const MEBIBYTE = 1024 * 1024;
const MAXSIZE_DEFAULT = 100;
const DAY_MS = 86_400_000;
const PACKED = ".gz";

/** A file that is put aside when it is full: `etcd.log` becomes `etcd-2026-11-25T18-12-33.123.log`. */
export class RotatingFile implements LogFile {
  readonly #path: string;
  readonly #rotation: Rotation;
  readonly #bytesMax: number;
  #fd: number | undefined;
  #bytes = 0;
  #tidying: Promise<void> | undefined;

  constructor(path: string, rotation: Rotation) {
    this.#path = path;
    this.#rotation = rotation;
    this.#bytesMax = (rotation.maxsize || MAXSIZE_DEFAULT) * MEBIBYTE;
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  makeRoom(lines: Buffer): Room {
    if (this.#fd === undefined) this.#openExisting();
    // A line longer than a whole file gets one to itself.
    if (this.#bytes > 0 && this.#bytes + endOfLine(lines, 0) > this.#bytesMax) this.#rotate();
    const bytes = this.#fitting(lines);
    this.#bytes += bytes;
    return { fd: this.#fd!, bytes };
  }

  /** Ends writing. Resolves when full files are packed and those that are too old are gone. */
  async close(): Promise<void> {
    this.#close();
    await this.#tidying;
  }

  /** The end of the last whole line that fits into the file; of the first in any case. */
  #fitting(lines: Buffer): number {
    let end = endOfLine(lines, 0);
    while (end < lines.length) {
      const next = endOfLine(lines, end);
      if (this.#bytes + next > this.#bytesMax) break;
      end = next;
    }
    return end;
  }

  #openExisting(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#fd = openSync(this.#path, "a", 0o600);
    this.#bytes = fstatSync(this.#fd).size;
    this.#tidySoon();
  }

  /** Rare, and a matter of names only, so it is done at once. */
  #rotate(): void {
    const mode = fstatSync(this.#fd!).mode & 0o777;
    this.#close();
    renameSync(this.#path, this.#asideName(new Date()));
    this.#fd = openSync(this.#path, "a", mode);
    this.#bytes = 0;
    this.#tidySoon();
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #asideName(now: Date): string {
    const offsetMs = this.#rotation.localtime ? now.getTimezoneOffset() * 60_000 : 0;
    const stamp = new Date(now.getTime() - offsetMs).toISOString().slice(0, -1);
    const { start, end } = this.#nameParts();
    return join(dirname(this.#path), `${start}${stamp.replaceAll(":", "-")}${end}`);
  }

  #nameParts(): { start: string; end: string } {
    const end = extname(this.#path);
    return { start: `${basename(this.#path, end)}-`, end };
  }

  #tidySoon(): void {
    const { maxage, maxbackups, compress } = this.#rotation;
    if (maxage === 0 && maxbackups === 0 && !compress) return;
    this.#tidying = (this.#tidying ?? Promise.resolve()).then(() => this.#tidy().catch(() => {}));
  }

  /** Removes full files that are too many or too old, and packs the others. */
  async #tidy(): Promise<void> {
    const { maxage, maxbackups, compress } = this.#rotation;
    const directory = dirname(this.#path);
    const full = this.#fullFiles(await readdir(directory));
    const stamps = [...new Set(full.map(({ stamp }) => stamp))].toSorted().toReversed();
    const oldest = maxbackups > 0 ? stamps[maxbackups - 1] : undefined;
    const eldest = maxage > 0 ? Date.now() - maxage * DAY_MS : -Infinity;
    for (const { name, stamp, ms } of full) {
      const path = join(directory, name);
      if ((oldest !== undefined && stamp < oldest) || ms < eldest) await rm(path);
      else if (compress && !name.endsWith(PACKED)) await pack(path);
    }
  }

  #fullFiles(names: readonly string[]): { name: string; stamp: string; ms: number }[] {
    const { start, end } = this.#nameParts();
    return names.flatMap((name) => {
      const plain = name.endsWith(end + PACKED) ? name.slice(0, -PACKED.length) : name;
      if (!plain.startsWith(start) || !plain.endsWith(end)) return [];
      const stamp = plain.slice(start.length, plain.length - end.length);
      const parts = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(stamp);
      if (parts === null) return [];
      const ms = Date.parse(`${parts[1]}T${parts[2]}:${parts[3]}:${parts[4]}Z`);
      return [{ name, stamp, ms }];
    });
  }
}

function endOfLine(lines: Buffer, at: number): number {
  const end = lines.indexOf(0x0a, at);
  return end < 0 ? lines.length : end + 1;
}

async function pack(path: string): Promise<void> {
  const { mode } = await stat(path);
  const packed = path + PACKED;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(packed, { mode }));
  } catch (error) {
    await rm(packed, { force: true });
    throw error;
  }
  await rm(path);
}
