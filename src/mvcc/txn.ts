import { assert } from "../base/index.ts";
import type { ChangeList } from "./change-list.ts";
import { NO_SLOT } from "./key-table.ts";
import { bareKeyBytes, keyValueBytes, writeBareKey, writeKeyValue } from "./key-value.ts";
import { KeyWalk, keyRange } from "./key-walk.ts";
import { type RangeRequest, type RangeResult, readRange } from "./range.ts";
import { REVISION_BYTES, TOMBSTONE_BYTES, writeRevision, writeTombstone } from "./revision.ts";
import { NO_ROW } from "./row-slab.ts";
import { inSlices, KEY_COST, Pace, type Slices } from "./slices.ts";
import type { RevisionRefusal, StoreState } from "./store-state.ts";

/** A deletion writes a record, and then changes the index. */
const DELETE_COST = KEY_COST + 1000;

/** Where the keys of records are made; the bucket copies them. */
const PUT_KEY = new Uint8Array(REVISION_BYTES);
const DELETE_KEY = new Uint8Array(TOMBSTONE_BYTES);

/**
 * A write transaction: changes that get one main revision. Readers of the store see nothing of it
 * before `end`. No call has changed anything when it throws PageMiss, and may be repeated.
 */
export class WriteTxn {
  readonly #state: StoreState;
  readonly #finish: () => void;
  readonly #main: number;
  #operations = 0;
  /** What has changed so far. */
  readonly changes: ChangeList;

  constructor(state: StoreState, changes: ChangeList, finish: () => void) {
    this.#state = state;
    this.#finish = finish;
    this.#main = state.currentRevision + 1;
    this.changes = changes;
    changes.clear(this.#main);
  }

  /** The revision before this transaction. */
  get beginRevision(): number {
    return this.#main - 1;
  }

  /** The revision to read at: the one before, until something has changed. */
  get revision(): number {
    return this.changes.length === 0 ? this.#main - 1 : this.#main;
  }

  /** The encoded pair of `key`, own changes included. A view until the next change. */
  get(key: Uint8Array): Uint8Array | undefined {
    const { index } = this.#state;
    const slot = index.find(key);
    const row = slot === NO_SLOT ? NO_ROW : index.rowAt(slot, this.revision);
    return row === NO_ROW ? undefined : this.#state.record(row);
  }

  /** Reads with own changes included. */
  range(request: RangeRequest): Slices<RangeResult | RevisionRefusal> {
    this.#operations++;
    this.#state.counters.ranges++;
    return readRange(this.#state, request, this.revision);
  }

  /** Key and value are copied. `value` must not be a view that `get` returned. */
  put(key: Uint8Array, value: Uint8Array, lease: bigint): { created: boolean } {
    const { index, records } = this.#state;
    const sub = this.changes.length;
    const slot = index.find(key);
    const last = index.liveRow(slot);
    const created = last === NO_ROW;
    const pair = {
      key,
      createRevision: created ? this.#main : index.rows.createRevision(last),
      modRevision: this.#main,
      version: created ? 1 : index.rows.version(last) + 1,
      value,
      lease,
    };
    writeRevision(PUT_KEY, this.#main, sub);
    const record = records.reserve(PUT_KEY, keyValueBytes(pair));
    writeKeyValue(record, pair);
    index.put(slot, key, { main: this.#main, sub, recordBytes: record.length });
    this.#operations++;
    this.#state.counters.puts++;
    this.#state.counters.putBytes += key.length + value.length;
    this.changes.addPut(record, { isCreate: pair.createRevision === this.#main });
    return { created };
  }

  /** Deletes the keys of the range that live now, in order. Returns how many. */
  *deleteRange(key: Uint8Array, rangeEnd: Uint8Array): Slices<number> {
    this.#operations++;
    this.#state.counters.deletes++;
    const before = this.changes.length;
    const range = keyRange(key, rangeEnd);
    const walk = new KeyWalk(this.#state.index, range, { revision: this.#main });
    const pace = new Pace();
    yield* inSlices(() => {
      try {
        return this.#deleteOn(walk, pace);
      } finally {
        walk.park();
      }
    });
    return this.changes.length - before;
  }

  #deleteOn(walk: KeyWalk, pace: Pace): boolean {
    for (; walk.slot !== NO_SLOT; walk.advance()) {
      if (pace.isOver()) return false;
      pace.spend(DELETE_COST);
      this.#delete(walk);
    }
    return true;
  }

  #delete(walk: KeyWalk): void {
    const { index, records } = this.#state;
    const key = index.keys.key(walk.slot);
    const sub = this.changes.length;
    writeTombstone(DELETE_KEY, this.#main, sub);
    const record = records.reserve(DELETE_KEY, bareKeyBytes(key.length));
    writeBareKey(record, key);
    index.tombstone(walk.cursor, this.#main, sub);
    this.changes.addDelete(record);
  }

  /** Makes the changes the current state. They can be read until the next transaction begins. */
  end(): { revision: number; changes: ChangeList } {
    assert(this.#state.currentRevision === this.#main - 1, "a transaction ends once");
    this.#state.currentRevision = this.revision;
    if (this.#operations > 1) this.#state.counters.txns++;
    this.#finish();
    return { revision: this.revision, changes: this.changes };
  }
}
