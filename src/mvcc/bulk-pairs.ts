import { assert } from "../base/index.ts";
import { MergeSort } from "./merge-sort.ts";
import type { PairWriter } from "./pair-writer.ts";
import { Pace } from "./slices.ts";
import type { StoreState } from "./store-state.ts";

/** To look a row up, which is seldom in the processor's cache when there are so many. */
const TAKE_COST = 1000;

/** A batch ends with the pair that reaches one of these. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_PAIRS = 1 << 18;

/**
 * Very many pairs in the order of the walk, read from the page file in batches and, within a
 * batch, in the order of revisions, in which they lie there. So a page with ten pairs is read once
 * and not ten times. Where each pair goes is known before, because the index knows its length.
 */
export class BulkPairs {
  readonly #state: StoreState;
  readonly #writer: PairWriter;
  readonly #limit: number;
  readonly #pace = new Pace();
  readonly #rows: Int32Array;
  /** What the batch is sorted by. */
  readonly #mains: Float64Array;
  readonly #subs: Int32Array;
  /** Where in the batch's bytes the frame of each pair begins. */
  readonly #starts: Uint32Array;
  #length = 0;
  #bytes = 0;
  #taken = 0;
  #batch: { sort: MergeSort; target: Uint8Array; written: number } | undefined;
  more = false;

  /** `expected`: about how many pairs there are, for the size of a batch. */
  constructor(state: StoreState, writer: PairWriter, limit: number, expected: number) {
    this.#state = state;
    this.#writer = writer;
    this.#limit = limit;
    const pairsMax = Math.min(BATCH_PAIRS, limit, expected);
    this.#rows = new Int32Array(pairsMax);
    this.#mains = new Float64Array(pairsMax);
    this.#subs = new Int32Array(pairsMax);
    this.#starts = new Uint32Array(pairsMax);
  }

  /** Asked when one more pair is at hand. */
  isFull(): boolean {
    this.more = this.#taken === this.#limit;
    return this.more;
  }

  /** Whether the batch must be written before the next pair is taken. */
  get isBatchFull(): boolean {
    return this.#length === this.#rows.length || this.#bytes >= BATCH_BYTES;
  }

  /** Returns the cost in nanoseconds. */
  take(_slot: number, row: number): number {
    const { rows } = this.#state.index;
    this.#rows[this.#length] = row;
    this.#mains[this.#length] = rows.main(row);
    this.#subs[this.#length] = rows.sub(row);
    this.#starts[this.#length++] = this.#bytes;
    this.#bytes += this.#writer.kvs.frameBytes(rows.recordBytes(row));
    this.#taken++;
    return TAKE_COST;
  }

  /** Writes the batch, a slice at each call. True when it is written. */
  finish(): boolean {
    if (this.#length === 0) return true;
    this.#batch ??= {
      sort: new MergeSort(
        this.#length,
        (a, b) => this.#mains[a]! - this.#mains[b]! || this.#subs[a]! - this.#subs[b]!,
      ),
      target: this.#writer.kvs.reserveFrames(this.#bytes, this.#length),
      written: 0,
    };
    if (!this.#batch.sort.step() || !this.#write(this.#batch)) return false;
    this.#batch = undefined;
    this.#length = 0;
    this.#bytes = 0;
    return true;
  }

  #write(batch: { sort: MergeSort; target: Uint8Array; written: number }): boolean {
    const order = batch.sort.items;
    for (; batch.written < order.length; batch.written++) {
      if (this.#pace.isOver()) return false;
      this.#pace.spend(this.#writer.cost(this.#writeOne(order[batch.written]!, batch.target)));
    }
    return true;
  }

  /** Returns the bytes of the record. */
  #writeOne(item: number, target: Uint8Array): number {
    const row = this.#rows[item]!;
    const record = this.#state.recordBriefly(row);
    assert(
      record.length === this.#state.index.rows.recordBytes(row),
      "a record is as long as the index says",
    );
    this.#writer.kvs.writeFrame(target, this.#starts[item]!, record);
    return record.length;
  }
}
