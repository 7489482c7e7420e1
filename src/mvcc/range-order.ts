import { compareBytes } from "../base/index.ts";
import { SORT_ORDER, SORT_TARGET } from "../proto/index.ts";
import { decodeKeyValue } from "./key-value.ts";
import { MergeSort } from "./merge-sort.ts";
import type { PairWriter } from "./pair-writer.ts";
import { KEY_COST, Pace, RECORD_COST } from "./slices.ts";
import type { StoreState } from "./store-state.ts";

interface Ordering {
  readonly sortOrder?: number;
  readonly sortTarget?: number;
}

/** Keys come out of the index in order, either way; all other orders are made by sorting. */
export function isSorted({ sortTarget }: Ordering): boolean {
  return (sortTarget ?? SORT_TARGET.key) !== SORT_TARGET.key;
}

export function walksBackward(ordering: Ordering): boolean {
  return !isSorted(ordering) && ordering.sortOrder === SORT_ORDER.descend;
}

/** Pairs in the order of the walk, which ends when the limit is reached. */
export class StreamedPairs {
  readonly #writer: PairWriter;
  readonly #limit: number;
  more = false;

  constructor(writer: PairWriter, limit: number) {
    this.#writer = writer;
    this.#limit = limit;
  }

  /** Asked when one more pair is at hand. */
  isFull(): boolean {
    this.more = this.#writer.kvs.length === this.#limit;
    return this.more;
  }

  /** Nothing is left to be written later. */
  get isBatchFull(): boolean {
    return false;
  }

  /** Returns the cost in nanoseconds. On a PageMiss nothing has changed. */
  take(slot: number, row: number): number {
    return this.#writer.write(slot, row);
  }

  finish(): boolean {
    return true;
  }
}

/**
 * Pairs that are gathered, sorted, and then cut to the limit. Without a direction the cut comes
 * first, as in etcd: one pair more than the limit is gathered, and these are sorted ascending.
 */
export class SortedPairs {
  readonly #state: StoreState;
  readonly #writer: PairWriter;
  readonly #target: number;
  readonly #descends: boolean;
  readonly #limit: number;
  readonly #gatherMax: number;
  readonly #pace = new Pace();
  readonly #slots: number[] = [];
  readonly #rows: number[] = [];
  /** What the pairs are sorted by, unless it is the value. */
  readonly #numbers: number[] = [];
  /** Only filled to sort by value. */
  readonly #records: Uint8Array[] = [];
  readonly #values: Uint8Array[] = [];
  #sort: MergeSort | undefined;

  constructor(
    state: StoreState,
    writer: PairWriter,
    options: Ordering & { limit: number; hasBounds: boolean },
  ) {
    const order = options.sortOrder ?? SORT_ORDER.none;
    this.#state = state;
    this.#writer = writer;
    this.#target = options.sortTarget ?? SORT_TARGET.key;
    this.#descends = order === SORT_ORDER.descend;
    this.#limit = options.limit;
    const cutsFirst = order === SORT_ORDER.none && !options.hasBounds;
    this.#gatherMax = cutsFirst ? options.limit + 1 : Number.POSITIVE_INFINITY;
  }

  get more(): boolean {
    return this.#rows.length > this.#limit;
  }

  isFull(): boolean {
    return this.#rows.length === this.#gatherMax;
  }

  get isBatchFull(): boolean {
    return false;
  }

  take(slot: number, row: number): number {
    let cost = KEY_COST;
    if (this.#target === SORT_TARGET.value) cost = this.#loadRecord(row);
    else this.#numbers.push(this.#sortNumber(row));
    this.#slots.push(slot);
    this.#rows.push(row);
    return cost;
  }

  /** Sorts and writes, a slice at each call. */
  finish(): boolean {
    this.#sort ??= new MergeSort(
      this.#rows.length,
      this.#descends ? (a, b) => this.#compare(b, a) : (a, b) => this.#compare(a, b),
    );
    return this.#sort.step() && this.#write(this.#sort.items);
  }

  #loadRecord(row: number): number {
    const record = this.#state.recordBriefly(row);
    const copy = this.#state.replies.copy(record);
    this.#records.push(copy);
    this.#values.push(decodeKeyValue(copy).value);
    return RECORD_COST + record.length;
  }

  #write(order: Int32Array): boolean {
    const { kvs } = this.#writer;
    const length = Math.min(order.length, this.#limit);
    while (kvs.length < length) {
      if (this.#pace.isOver()) return false;
      const item = order[kvs.length]!;
      if (this.#target === SORT_TARGET.value) {
        this.#writer.writeRecord(this.#records[item]!);
        this.#pace.spend(KEY_COST);
      } else {
        this.#pace.spend(this.#writer.write(this.#slots[item]!, this.#rows[item]!));
      }
    }
    return true;
  }

  #sortNumber(row: number): number {
    const { rows } = this.#state.index;
    if (this.#target === SORT_TARGET.version) return rows.version(row);
    return this.#target === SORT_TARGET.create ? rows.createRevision(row) : rows.main(row);
  }

  #compare(a: number, b: number): number {
    if (this.#target === SORT_TARGET.value) return compareBytes(this.#values[a]!, this.#values[b]!);
    return this.#numbers[a]! - this.#numbers[b]!;
  }
}
