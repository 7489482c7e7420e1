/**
 * Which revisions each key has. The values are in the page file, under their revision; this index
 * says which revision a key had at any time since the last compaction.
 *
 * Worked example. Revisions 2 to 6 are: put a, put b, put a, delete a, put a.
 *
 *   slot  key  newest   row  main  create  version  previous
 *   0     a    4        0    2     2       1        -
 *   1     b    1        1    3     3       1        -
 *                       2    4     2       2        0
 *                       3    5     0       0        2          version 0: a tombstone
 *                       4    6     6       1        3
 *
 * `a` at revision 4: from row 4 back to the first row not after 4, which is row 2: stored under
 * (4, 0), created at 2, version 2. At revision 5 that row is the tombstone: no such key. A put
 * after a tombstone begins a new generation, with version 1 and a create revision of its own.
 *
 * Compaction at 5 keeps, for each key, the newest row not after 5 and all rows after it: of `a`,
 * rows 3 and 4. Row 3 stays because a tombstone exactly at the compacted revision stays stored;
 * compaction at 6 would drop it with all before it. A key whose last row is dropped is forgotten.
 */
import { KeyTable, NO_SLOT } from "./key-table.ts";
import { Cursor, KeyTree } from "./key-tree.ts";
import type { KeyRange } from "./key-walk.ts";
import { LivenessLog } from "./liveness-log.ts";
import { NO_ROW, type Row, RowSlab } from "./row-slab.ts";

/** What the row of a tombstone says beside its revision. */
const TOMBSTONE = { createRevision: 0, version: 0, recordBytes: 0 };

/** Where the record of a put is stored, and how long it is. */
export type Stored = Pick<Row, "main" | "sub" | "recordBytes">;

export class KeyIndex {
  readonly keys = new KeyTable();
  readonly rows = new RowSlab();
  readonly tree: KeyTree;
  readonly log = new LivenessLog();
  /** Where `find` looked last. */
  readonly #place = new Cursor();
  readonly #rangeEnd = new Cursor();
  /** The newest main revision in the index; larger than the store's while a transaction is open. */
  newestMain = 0;

  constructor() {
    this.tree = new KeyTree(this.keys);
  }

  /** Bytes of all typed arrays. */
  get byteLength(): number {
    return this.keys.byteLength + this.rows.byteLength + this.tree.byteLength;
  }

  /** The slot of `key`, dead or alive. */
  find(key: Uint8Array): number {
    return this.tree.seek(this.#place, key) ? this.tree.slot(this.#place) : NO_SLOT;
  }

  /** The row of the key in `slot` at `revision`, or NO_ROW when there was no such key. */
  rowAt(slot: number, revision: number): number {
    const row = this.#lastUpTo(slot, revision);
    return row === NO_ROW || this.rows.isTombstone(row) ? NO_ROW : row;
  }

  /** The newest row of a slot, or NO_ROW when the key is dead or not known. */
  liveRow(slot: number): number {
    if (slot === NO_SLOT) return NO_ROW;
    const row = this.keys.newest(slot);
    return this.rows.isTombstone(row) ? NO_ROW : row;
  }

  /** Records a put of `key`, for which `find` has just returned `slot`. */
  put(slot: number, key: Uint8Array, { main, sub, recordBytes }: Stored): void {
    const { rows } = this;
    const last = this.liveRow(slot);
    if (last === NO_ROW) {
      this.#addFirst(slot, key, { main, sub, createRevision: main, version: 1, recordBytes });
    } else {
      const [createRevision, version] = [rows.createRevision(last), rows.version(last) + 1];
      this.#addRow(slot, { main, sub, createRevision, version, recordBytes });
    }
  }

  /** Takes in a stored put. Of an unknown key, its record says what came before compaction. */
  restorePut(key: Uint8Array, row: Row): number {
    const slot = this.find(key);
    if (slot === NO_SLOT) return this.#addFirst(slot, key, row);
    this.put(slot, key, row);
    return slot;
  }

  /** Takes in a stored tombstone: of an unknown key, of whose life compaction left only the end. */
  restoreTombstone(key: Uint8Array, main: number, sub: number): number {
    let slot = this.find(key);
    if (slot === NO_SLOT) {
      slot = this.#addFirst(slot, key, { main, sub, ...TOMBSTONE });
      this.find(key);
      this.#setLive(this.#place, slot, main, false);
    } else if (!this.rows.isTombstone(this.keys.newest(slot))) {
      this.tombstone(this.#place, main, sub);
    }
    return slot;
  }

  /** Records the deletion of the live key under `cursor`. */
  tombstone(cursor: Cursor, main: number, sub: number): void {
    const slot = this.tree.slot(cursor);
    this.#addRow(slot, { main, sub, ...TOMBSTONE });
    this.#setLive(cursor, slot, main, false);
  }

  /** Live keys of the range in the index as it is now. */
  countLive(range: KeyRange): number {
    const { tree } = this;
    tree.seek(this.#place, range.from);
    if (range.to === undefined) return tree.live - tree.rank(this.#place);
    tree.seek(this.#rangeEnd, range.to);
    return Math.max(0, tree.rank(this.#rangeEnd) - tree.rank(this.#place));
  }

  contains(range: KeyRange, slot: number): boolean {
    return this.keys.compare(range.from, slot, 0) <= 0 && this.isBefore(slot, range.to);
  }

  /** Whether the key in `slot` is below `to`; every key is when there is no `to`. */
  isBefore(slot: number, to: Uint8Array | undefined): boolean {
    return to === undefined || this.keys.compare(to, slot, 0) > 0;
  }

  /**
   * Drops the rows of a slot that compaction at `revision` drops. Returns the row it keeps of the
   * time up to then, or NO_ROW. A key that has no row left is to be forgotten.
   */
  cut(slot: number, revision: number): number {
    const { keys, rows } = this;
    const newer = rows.firstAfter(revision, keys.newest(slot), keys.oldest(slot));
    const row = newer === NO_ROW ? keys.newest(slot) : rows.previous(newer);
    if (row === NO_ROW) return NO_ROW;
    const isDropped = rows.isTombstone(row) && rows.main(row) < revision;
    const oldest = isDropped ? newer : row;
    const firstDropped = isDropped ? row : rows.previous(row);
    if (firstDropped !== NO_ROW) rows.freeChain(firstDropped, keys.oldest(slot));
    keys.setOldest(slot, oldest);
    if (oldest === NO_ROW) keys.setNewest(slot, NO_ROW);
    else rows.setPrevious(oldest, NO_ROW);
    return isDropped ? NO_ROW : row;
  }

  hasRows(slot: number): boolean {
    return this.keys.newest(slot) !== NO_ROW;
  }

  /** Takes out the key under `cursor`, which must then be placed anew. */
  forget(cursor: Cursor): void {
    const slot = this.tree.slot(cursor);
    this.tree.remove(cursor);
    this.keys.free(slot);
  }

  /** Whether the record `(main, sub)` is the oldest that the index knows of `key`. */
  isOldest(key: Uint8Array, main: number, sub: number): boolean {
    const slot = this.find(key);
    if (slot === NO_SLOT) return false;
    const row = this.keys.oldest(slot);
    return this.rows.main(row) === main && this.rows.sub(row) === sub;
  }

  /** Whether `key` has the record `(main, sub)` at `revision`, as its newest and not a tombstone. */
  isCurrentAt(revision: number, key: Uint8Array, main: number, sub: number): boolean {
    const slot = this.find(key);
    const row = slot === NO_SLOT ? NO_ROW : this.rowAt(slot, revision);
    return row !== NO_ROW && this.rows.main(row) === main && this.rows.sub(row) === sub;
  }

  /** The newest row of the slot that is not after `revision`. */
  #lastUpTo(slot: number, revision: number): number {
    const { keys, rows } = this;
    const newest = keys.newest(slot);
    const newer = rows.firstAfter(revision, newest, keys.oldest(slot));
    return newer === NO_ROW ? newest : rows.previous(newer);
  }

  #addRow(slot: number, content: Row): void {
    const newest = this.keys.newest(slot);
    const row = this.rows.add(content, newest, this.keys.oldest(slot));
    this.keys.setNewest(slot, row);
    if (newest === NO_ROW) this.keys.setOldest(slot, row);
    this.newestMain = content.main;
  }

  /** Adds what begins a life: of an unknown key, or of a dead one that `find` found. */
  #addFirst(slot: number, key: Uint8Array, content: Row): number {
    if (slot === NO_SLOT) {
      slot = this.keys.add(key);
      this.keys.setNewest(slot, NO_ROW);
      this.tree.insert(this.#place, slot);
      this.log.add(content.main, slot, true);
    } else {
      this.#setLive(this.#place, slot, content.main, true);
    }
    this.#addRow(slot, content);
    return slot;
  }

  #setLive(cursor: Cursor, slot: number, main: number, live: boolean): void {
    this.tree.setLive(cursor, live);
    this.log.add(main, slot, live);
  }
}
