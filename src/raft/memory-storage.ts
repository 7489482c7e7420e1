import { copyBytes, EMPTY_BYTES } from "../base/index.ts";
import { EntrySlabs } from "./entry-slabs.ts";
import { EMPTY_CONF_STATE, type Storage } from "./storage.ts";
import {
  type ConfState,
  type Entry,
  type HardState,
  panic,
  type Snapshot,
  type SnapshotMeta,
} from "./types.ts";

const EMPTY_META: SnapshotMeta = { index: 0, term: 0, confState: EMPTY_CONF_STATE };

/** The log and latest snapshot in memory, as read from disk at start and kept up with since. */
export class MemoryStorage implements Storage {
  #hardState: HardState | undefined;
  #snapshot: Snapshot = { meta: EMPTY_META, data: EMPTY_BYTES };
  readonly #entries = new EntrySlabs();
  /** The entry before the first one kept: its term is still needed to check what follows it. */
  #baseIndex = 0;
  #baseTerm = 0;
  #lastIndex = 0;

  initialState(): { hardState: HardState | undefined; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.meta.confState };
  }

  get firstIndex(): number {
    return this.#baseIndex + 1;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  term(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    if (index < this.#baseIndex || index > this.#lastIndex) return undefined;
    return this.#entries.term(index);
  }

  entries(range: { from: number; to: number; bytesMax: number }): Entry[] | undefined {
    const { from, to, bytesMax } = range;
    if (from <= this.#baseIndex) return undefined;
    if (to > this.#lastIndex + 1) {
      panic(`entries' hi(${to}) is out of bound lastindex(${this.#lastIndex})`);
    }
    return this.#entries.read(from, to, bytesMax);
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  setHardState(state: HardState): void {
    this.#hardState = state;
  }

  /**
   * Copies entries in. Those that are compacted already are left out; the first of the others
   * replaces whatever stands at its index and behind.
   */
  append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    if (first.index > this.#lastIndex + 1) {
      panic(`missing log entry [last: ${this.#lastIndex}, append at: ${first.index}]`);
    }
    const skip = Math.max(0, this.firstIndex - first.index);
    if (skip >= entries.length) return;
    if (first.index + skip <= this.#lastIndex) this.#entries.truncate(first.index + skip);
    for (let i = skip; i < entries.length; i++) this.#entries.append(entries[i]!);
    this.#lastIndex = first.index + entries.length - 1;
  }

  /** Forgets entries up to and including `index`. False when that was done before. */
  compact(index: number): boolean {
    if (index <= this.#baseIndex) return false;
    if (index > this.#lastIndex) {
      panic(`compact ${index} is out of bound lastindex(${this.#lastIndex})`);
    }
    this.#baseTerm = this.#entries.term(index);
    this.#baseIndex = index;
    this.#entries.dropBefore(index + 1);
    return true;
  }

  /**
   * Notes that the state at `index` is `data`. Without a configuration that of the snapshot before
   * stands. Undefined when a snapshot as new exists. The log is not compacted by this.
   */
  createSnapshot(
    index: number,
    confState: ConfState | undefined,
    data: Uint8Array,
  ): Snapshot | undefined {
    const { meta } = this.#snapshot;
    if (index <= meta.index) return undefined;
    if (index > this.#lastIndex) {
      panic(`snapshot ${index} is out of bound lastindex(${this.#lastIndex})`);
    }
    const term = this.term(index) ?? panic(`snapshot ${index} is compacted`);
    this.#snapshot = {
      meta: { index, term, confState: confState ?? meta.confState },
      data: copyBytes(data),
    };
    return this.#snapshot;
  }

  /** Replaces the whole log by a snapshot. False when a snapshot as new is already there. */
  applySnapshot(snapshot: Snapshot): boolean {
    const { index, term } = snapshot.meta;
    // A snapshot at 0 only brings a configuration; it may replace another such one.
    if (this.#snapshot.meta.index !== 0 && this.#snapshot.meta.index >= index) return false;
    this.#snapshot = { meta: snapshot.meta, data: copyBytes(snapshot.data) };
    this.#entries.clear();
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#lastIndex = index;
    return true;
  }
}
