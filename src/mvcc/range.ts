import { BulkPairs } from "./bulk-pairs.ts";
import { countAt } from "./count.ts";
import { NO_SLOT } from "./key-table.ts";
import { KeyValueList } from "./key-value-list.ts";
import { isSingleKey, type KeyRange, KeyWalk, keyRange } from "./key-walk.ts";
import { PairWriter } from "./pair-writer.ts";
import { isSorted, SortedPairs, StreamedPairs, walksBackward } from "./range-order.ts";
import { NO_ROW } from "./row-slab.ts";
import { inSlices, KEY_COST, Pace, restartable, type Slices } from "./slices.ts";
import type { RevisionRefusal, StoreState } from "./store-state.ts";

/** From so many on, pairs are read in the order in which they are stored: neighbours share a descent. */
const BULK_PAIRS_MIN = 256;

/** What to read. All but the key may be left out; a `RangeRequest` of `proto` fits. */
export interface RangeRequest {
  readonly key: Uint8Array;
  /** Empty: only that key. "\0": all keys from `key` on. */
  readonly rangeEnd?: Uint8Array;
  /** 0 or less: none. */
  readonly limit?: number;
  /** 0 or less: the current one. */
  readonly revision?: number;
  readonly sortOrder?: number;
  readonly sortTarget?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  /** Bounds, each inclusive; 0 is none. */
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
  /** Leaves the count 0, for chunks of a stream. */
  readonly withoutCount?: boolean;
  /** Protobuf tag in front of each pair: by default that of RangeResponse.kvs. */
  readonly tag?: number;
}

export interface RangeResult {
  readonly kvs: KeyValueList;
  /** Whether the limit cut pairs off. */
  readonly more: boolean;
  /** Keys of the range, whatever limit and bounds leave of them. */
  readonly count: number;
  /** For the header: the current revision, not the one read at. */
  readonly revision: number;
}

/** Reads with `current` as the current revision. Keeps what it reads from compaction meanwhile. */
export function* readRange(
  state: StoreState,
  request: RangeRequest,
  current: number,
): Slices<RangeResult | RevisionRefusal> {
  const revision = state.revisionFor(request.revision ?? 0, current);
  if (typeof revision === "string") return revision;
  state.pin(revision);
  try {
    if (isSingleKey(request.rangeEnd)) {
      const found = yield* restartable(() => readOne(state, request, revision));
      return { ...found, more: false, revision: current };
    }
    const range = keyRange(request.key, request.rangeEnd);
    if (request.countOnly === true) {
      const count = yield* countAt(state, range, revision);
      return { kvs: new KeyValueList(state.replies), more: false, count, revision: current };
    }
    const read = new RangeRead(state, request, range, revision);
    yield* inSlices(() => read.step());
    const { kvs, more } = read;
    if (request.withoutCount === true) return { kvs, more, count: 0, revision: current };
    const count = read.count ?? (yield* countAt(state, range, revision));
    return { kvs, more, count, revision: current };
  } finally {
    state.unpin(revision);
  }
}

/** A single key needs no walk. On a PageMiss nothing has changed. */
function readOne(
  state: StoreState,
  request: RangeRequest,
  revision: number,
): { kvs: KeyValueList; count: number } {
  const { index } = state;
  const writer = new PairWriter(state, request);
  const slot = index.find(request.key);
  const row = slot === NO_SLOT ? NO_ROW : index.rowAt(slot, revision);
  if (row === NO_ROW) return { kvs: writer.kvs, count: 0 };
  if (request.countOnly === true) return { kvs: writer.kvs, count: 1 };
  if (isWithinBounds(state, request, row)) writer.write(slot, row);
  return { kvs: writer.kvs, count: request.withoutCount === true ? 0 : 1 };
}

/**
 * One range on its way: walks the keys and hands those that match to `pairs`, until it is full or
 * the keys are at their end.
 */
class RangeRead {
  readonly #state: StoreState;
  readonly #request: RangeRequest;
  readonly #revision: number;
  readonly #walk: KeyWalk;
  readonly #pace = new Pace();
  readonly #pairs: StreamedPairs | SortedPairs | BulkPairs;
  readonly #writer: PairWriter;
  /** Keys seen that existed at the revision. */
  #found = 0;
  #isWalked = false;
  /** Known when the walk came to its end. */
  count: number | undefined;

  constructor(state: StoreState, request: RangeRequest, range: KeyRange, revision: number) {
    this.#state = state;
    this.#request = request;
    this.#revision = revision;
    this.#walk = new KeyWalk(state.index, range, {
      revision,
      backward: walksBackward(request),
    });
    this.#writer = new PairWriter(state, request);
    const limit = limitOf(request);
    const live = this.#writer.isPlain ? state.index.countLive(range) : 0;
    if (isSorted(request)) {
      const options = { ...request, limit, hasBounds: hasBounds(request) };
      this.#pairs = new SortedPairs(state, this.#writer, options);
    } else if (limit >= BULK_PAIRS_MIN && live >= BULK_PAIRS_MIN) {
      this.#pairs = new BulkPairs(state, this.#writer, limit, live);
    } else {
      this.#pairs = new StreamedPairs(this.#writer, limit);
    }
  }

  get kvs(): KeyValueList {
    return this.#writer.kvs;
  }

  get more(): boolean {
    return this.#pairs.more;
  }

  step(): boolean {
    if ((this.#isWalked || this.#pairs.isBatchFull) && !this.#pairs.finish()) return false;
    if (this.#isWalked) return true;
    try {
      this.#isWalked = this.#walkOn();
    } finally {
      this.#walk.park();
    }
    return this.#isWalked && this.#pairs.finish();
  }

  /** True at the end of the walk. */
  #walkOn(): boolean {
    for (; this.#walk.slot !== NO_SLOT; this.#walk.advance()) {
      if (this.#pace.isOver() || this.#pairs.isBatchFull) return false;
      this.#pace.spend(KEY_COST);
      const row = this.#state.index.rowAt(this.#walk.slot, this.#revision);
      if (row === NO_ROW) continue;
      if (isWithinBounds(this.#state, this.#request, row)) {
        if (this.#pairs.isFull()) return true;
        this.#pace.spend(this.#pairs.take(this.#walk.slot, row));
      }
      this.#found++;
    }
    this.count = this.#found;
    return true;
  }
}

function isWithinBounds({ index }: StoreState, request: RangeRequest, row: number): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    isWithin(index.rows.main(row), minModRevision, maxModRevision) &&
    isWithin(index.rows.createRevision(row), minCreateRevision, maxCreateRevision)
  );
}

function isWithin(revision: number, min = 0, max = 0): boolean {
  return (min === 0 || revision >= min) && (max === 0 || revision <= max);
}

function hasBounds(request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some(
    (bound) => (bound ?? 0) !== 0,
  );
}

function limitOf(request: RangeRequest): number {
  const limit = request.limit ?? 0;
  return limit <= 0 ? Number.POSITIVE_INFINITY : limit;
}
