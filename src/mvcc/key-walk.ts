import { copyBytes } from "../base/index.ts";
import type { KeyIndex } from "./key-index.ts";
import { NO_SLOT } from "./key-table.ts";
import { Cursor } from "./key-tree.ts";

/** Keys from `from` on, up to but not including `to`; without `to`, to the last key. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
}

/** What a request means by key and range end: that key, all keys from it on, or up to the end. */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array | undefined): KeyRange {
  if (rangeEnd === undefined || rangeEnd.length === 0) return { from: key, to: successor(key) };
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return { from: key, to: isOpen ? undefined : rangeEnd };
}

export function isSingleKey(rangeEnd: Uint8Array | undefined): boolean {
  return rangeEnd === undefined || rangeEnd.length === 0;
}

/** The first key after `key`. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/**
 * Walks the keys of a range, each slice of the way anew: between slices keys come and go. Where it
 * stands it is told by `slot`; `park` must be called before a slice ends.
 */
export class KeyWalk {
  readonly #index: KeyIndex;
  readonly #range: KeyRange;
  readonly #revision: number;
  readonly #backward: boolean;
  readonly #cursor = new Cursor();
  #slot = NO_SLOT;
  #isPlaced = false;
  #skipsDead = false;
  /** The key to go on from. */
  #parked: Uint8Array | undefined;

  /** With a revision, keys that did not exist at it may be left out. */
  constructor(
    index: KeyIndex,
    range: KeyRange,
    options: { revision?: number; backward?: boolean } = {},
  ) {
    this.#index = index;
    this.#range = range;
    this.#revision = options.revision ?? 0;
    this.#backward = options.backward ?? false;
  }

  /** The key the walk stands on; NO_SLOT behind the last. */
  get slot(): number {
    if (!this.#isPlaced) this.#place();
    return this.#slot;
  }

  /** Stands on `slot`, in the tree. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  advance(): void {
    if (!this.#backward) this.#index.tree.next(this.#cursor);
    this.#slot = this.#nextSlot();
  }

  /** Remembers the key and lets go of the tree. */
  park(): void {
    if (this.#slot === NO_SLOT) return;
    this.#parked = copyBytes(this.#index.keys.key(this.#slot));
    this.#isPlaced = false;
  }

  #place(): void {
    const { tree, newestMain } = this.#index;
    this.#skipsDead = this.#revision >= newestMain;
    const start = this.#parked ?? (this.#backward ? this.#range.to : this.#range.from);
    if (start === undefined) tree.seekEnd(this.#cursor);
    else {
      const isFound = tree.seek(this.#cursor, start);
      // A backward walk looks in front of its cursor, and the parked key is still to be seen.
      if (isFound && this.#backward && this.#parked !== undefined) tree.next(this.#cursor);
    }
    this.#slot = this.#nextSlot();
    this.#isPlaced = true;
  }

  #nextSlot(): number {
    const { tree } = this.#index;
    if (this.#backward) {
      const slot = tree.previousSlot(this.#cursor);
      return slot !== NO_SLOT && !this.#index.isBefore(slot, this.#range.from) ? slot : NO_SLOT;
    }
    const slot = this.#skipsDead ? tree.liveSlot(this.#cursor) : tree.slot(this.#cursor);
    return slot !== NO_SLOT && this.#index.isBefore(slot, this.#range.to) ? slot : NO_SLOT;
  }
}
