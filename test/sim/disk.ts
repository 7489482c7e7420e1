/**
 * A disk in memory that knows what was synced. After a power loss the rest may be there or not:
 * every sector of a write by itself, every change of a directory by itself, in any order.
 */
import { dirname } from "node:path";
import { systemError } from "../../src/disk/memory-files.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** Asked of everything that is not synced: whether it is there after the power loss. */
export type Survives = () => boolean;

const ZEROS = new Uint8Array(SECTOR_BYTES);

/** A sector or a size: what is certain, and what was put over it since and may be there. */
class Cell<T> {
  current: T;
  #durable: T;
  #unsynced: { readonly stamp: number; readonly value: T }[] = [];

  constructor(value: T) {
    this.current = value;
    this.#durable = value;
  }

  put(value: T, stamp: number): void {
    this.current = value;
    this.#unsynced.push({ stamp, value });
  }

  sync(stamp: number): void {
    const last = this.#unsynced.findLastIndex((version) => version.stamp <= stamp);
    if (last < 0) return;
    this.#durable = this.#unsynced[last]!.value;
    this.#unsynced.splice(0, last + 1);
  }

  get isSynced(): boolean {
    return this.#unsynced.length === 0;
  }

  /** The system takes what it failed to write for written: it can be read, and is never written. */
  lose(survives: Survives): void {
    this.#durable = this.afterPowerLoss(survives);
    this.#unsynced = [];
  }

  afterPowerLoss(survives: Survives): T {
    const found = this.#unsynced.findLast(() => survives());
    return found === undefined ? this.#durable : found.value;
  }
}

/** A change that a sync makes last: the cells it touched, up to a moment. */
export interface Unsynced {
  readonly cells: readonly (Cell<number> | Cell<Uint8Array>)[];
  readonly stamp: number;
}

/** Holds only sectors that were written; all others are zeros. */
export class SimFile {
  readonly #size: Cell<number>;
  readonly #sectors = new Map<number, Cell<Uint8Array>>();
  readonly #dirty = new Set<Cell<number> | Cell<Uint8Array>>();
  #stamp = 0;
  failedSyncs = 0;

  constructor(size = 0) {
    this.#size = new Cell(size);
  }

  get size(): number {
    return this.#size.current;
  }

  read(bytes: Uint8Array, position: number): number {
    const end = Math.min(this.size, position + bytes.length);
    for (let at = position; at < end; ) {
      const { sector, from, to } = partAt(at, end);
      const found = this.#sectors.get(sector)?.current ?? ZEROS;
      bytes.set(found.subarray(from, to), at - position);
      at += to - from;
    }
    return Math.max(0, end - position);
  }

  write(bytes: Uint8Array, position: number): Unsynced {
    const stamp = ++this.#stamp;
    const written = new Uint8Array(bytes);
    const end = position + bytes.length;
    const cells: Unsynced["cells"][number][] = [this.#size];
    for (let at = position; at < end; ) {
      const { sector, from, to } = partAt(at, end);
      const cell = this.#cell(sector);
      const part = written.subarray(at - position, at - position + to - from);
      this.#put(cell, part.length === SECTOR_BYTES ? part : withPart(cell.current, part, from));
      cells.push(cell);
      at += to - from;
    }
    if (end > this.size) this.#put(this.#size, end);
    return { cells, stamp };
  }

  truncate(size: number): void {
    this.#stamp++;
    for (const [sector, cell] of this.#sectors) {
      const kept = Math.max(0, size - sector * SECTOR_BYTES);
      if (kept >= SECTOR_BYTES || cell.current === ZEROS) continue;
      const changed = kept === 0 ? ZEROS : cell.current.slice().fill(0, kept);
      this.#put(cell, changed);
    }
    if (size !== this.size) this.#put(this.#size, size);
  }

  /** Everything that is not synced at this moment. */
  unsynced(): Unsynced {
    return { cells: [...this.#dirty], stamp: this.#stamp };
  }

  sync({ cells, stamp }: Unsynced): void {
    for (const cell of cells) {
      cell.sync(stamp);
      if (cell.isSynced) this.#dirty.delete(cell);
    }
  }

  /** A sync that fails: of what it should have written some is there, and nobody writes the rest. */
  failSync(survives: Survives): void {
    for (const cell of this.#dirty) cell.lose(survives);
    this.#dirty.clear();
    this.failedSyncs++;
  }

  afterPowerLoss(survives: Survives): SimFile {
    const file = new SimFile(this.#sizeAfterPowerLoss(survives));
    for (const [sector, cell] of this.#sectors) {
      const bytes = cell.afterPowerLoss(survives);
      const kept = file.size - sector * SECTOR_BYTES;
      if (bytes === ZEROS || kept <= 0) continue;
      const found = kept >= SECTOR_BYTES ? bytes : bytes.slice().fill(0, kept);
      file.#sectors.set(sector, new Cell(found));
    }
    return file;
  }

  /** A file that grew may have done so in part. */
  #sizeAfterPowerLoss(survives: Survives): number {
    let size = this.#size.afterPowerLoss(survives);
    while (size + SECTOR_BYTES <= this.size && survives()) size += SECTOR_BYTES;
    return size;
  }

  #cell(sector: number): Cell<Uint8Array> {
    let cell = this.#sectors.get(sector);
    if (cell === undefined) this.#sectors.set(sector, (cell = new Cell<Uint8Array>(ZEROS)));
    return cell;
  }

  #put<T extends number | Uint8Array>(cell: Cell<T>, value: T): void {
    cell.put(value, this.#stamp);
    this.#dirty.add(cell as Cell<number> | Cell<Uint8Array>);
  }
}

/** The bytes of [at, end) that lie in the sector at `at`. */
function partAt(at: number, end: number): { sector: number; from: number; to: number } {
  const sector = Math.floor(at / SECTOR_BYTES);
  const from = at - sector * SECTOR_BYTES;
  return { sector, from, to: Math.min(SECTOR_BYTES, from + end - at) };
}

function withPart(sector: Uint8Array, part: Uint8Array, from: number): Uint8Array {
  const changed = sector.slice();
  changed.set(part, from);
  return changed;
}

const DIRECTORY = "directory";
type Node = SimFile | typeof DIRECTORY;

/** A change of names in one directory that happens as a whole: a rename is two of them. */
interface NameChange {
  readonly directory: string;
  readonly names: readonly (readonly [path: string, node: Node | undefined])[];
}

export class Disk {
  readonly #names = new Map<string, Node>([["/", DIRECTORY]]);
  readonly #durableNames = new Map(this.#names);
  #unsynced: NameChange[] = [];

  /** Puts a directory or a file there, for certain. */
  place(path: string, node: Node = DIRECTORY): void {
    this.#names.set(path, node);
    this.#durableNames.set(path, node);
  }

  /** Throws an ENOENT. */
  file(path: string): SimFile {
    const node = this.#names.get(path);
    if (node === undefined || node === DIRECTORY) throw systemError("ENOENT", "open", path);
    return node;
  }

  isDirectory(path: string): boolean {
    return this.#names.get(path) === DIRECTORY;
  }

  has(path: string): boolean {
    return this.#names.has(path);
  }

  /** The names in a directory, in the order of their making. Throws an ENOENT. */
  list(directory: string): string[] {
    if (!this.isDirectory(directory)) throw systemError("ENOENT", "scandir", directory);
    const paths = [...this.#names.keys()].filter((path) => path !== "/");
    return paths
      .filter((path) => dirname(path) === directory)
      .map((path) => path.slice(path.lastIndexOf("/") + 1));
  }

  create(path: string, node: Node): void {
    if (!this.isDirectory(dirname(path))) throw systemError("ENOENT", "open", path);
    this.#change(path, [[path, node]]);
  }

  rename(from: string, to: string): void {
    this.#change(from, [
      [from, undefined],
      [to, this.file(from)],
    ]);
  }

  unlink(path: string): void {
    this.file(path);
    this.#change(path, [[path, undefined]]);
  }

  /** The changes of a directory's names that are not synced at this moment. */
  unsyncedNames(directory: string): readonly NameChange[] {
    return this.#unsynced.filter((change) => change.directory === directory);
  }

  syncNames(changes: readonly NameChange[]): void {
    for (const change of changes) apply(this.#durableNames, change);
    this.#unsynced = this.#unsynced.filter((change) => !changes.includes(change));
  }

  /** The disk as the next boot finds it. */
  afterPowerLoss(survives: Survives): Disk {
    const names = new Map(this.#durableNames);
    for (const change of this.#unsynced) if (survives()) apply(names, change);
    const disk = new Disk();
    for (const path of [...names.keys()].toSorted()) {
      const node = names.get(path)!;
      if (!disk.isDirectory(dirname(path))) continue;
      disk.place(path, node === DIRECTORY ? node : node.afterPowerLoss(survives));
    }
    return disk;
  }

  /** As it is, when only the process ends. */
  copy(): Disk {
    return this.afterPowerLoss(() => true);
  }

  #change(path: string, names: NameChange["names"]): void {
    const change = { directory: dirname(path), names };
    apply(this.#names, change);
    this.#unsynced.push(change);
  }
}

function apply(target: Map<string, Node>, { names }: NameChange): void {
  for (const [path, node] of names) {
    if (node === undefined) target.delete(path);
    else target.set(path, node);
  }
}
