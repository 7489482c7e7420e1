import { EMPTY_BYTES } from "../base/index.ts";
import { SORT_TARGET } from "../proto/index.ts";
import { decodeKeyValue, type KeyValue, keyValueBytes, writeKeyValue } from "./key-value.ts";
import { KeyValueList } from "./key-value-list.ts";
import { KEY_COST, RECORD_COST } from "./slices.ts";
import type { StoreState } from "./store-state.ts";

const BYTES_PER_NANOSECOND = 8;

/**
 * Puts the pairs of a range into its result, whole or without their values. Where values are not
 * read at all (keys only, and not sorted by value) the lease is missing too, as in etcd.
 */
export class PairWriter {
  readonly #state: StoreState;
  readonly #keysOnly: boolean;
  readonly #needsRecords: boolean;
  readonly kvs: KeyValueList;

  constructor(
    state: StoreState,
    request: { keysOnly?: boolean; sortTarget?: number; tag?: number },
  ) {
    this.#state = state;
    this.#keysOnly = request.keysOnly === true;
    this.#needsRecords = !this.#keysOnly || request.sortTarget === SORT_TARGET.value;
    this.kvs = new KeyValueList(state.replies, request.tag);
  }

  /** Returns the cost in nanoseconds. On a PageMiss nothing has changed. */
  write(slot: number, row: number): number {
    if (!this.#needsRecords) {
      this.#push(this.#withoutRecord(slot, row));
      return KEY_COST;
    }
    const record = this.#state.recordBriefly(row);
    this.writeRecord(record);
    return this.cost(record.length);
  }

  /** What it costs to find and to copy a record of so many bytes, in nanoseconds. */
  cost(recordBytes: number): number {
    return RECORD_COST + recordBytes / BYTES_PER_NANOSECOND;
  }

  /** Whether the records are copied as they are. */
  get isPlain(): boolean {
    return !this.#keysOnly;
  }

  writeRecord(record: Uint8Array): void {
    if (this.#keysOnly) this.#push({ ...decodeKeyValue(record), value: EMPTY_BYTES });
    else this.kvs.push(record);
  }

  #withoutRecord(slot: number, row: number): KeyValue {
    const { keys, rows } = this.#state.index;
    return {
      key: keys.key(slot),
      createRevision: rows.createRevision(row),
      modRevision: rows.main(row),
      version: rows.version(row),
      value: EMPTY_BYTES,
      lease: 0n,
    };
  }

  #push(pair: KeyValue): void {
    writeKeyValue(this.kvs.reserve(keyValueBytes(pair)), pair);
  }
}
