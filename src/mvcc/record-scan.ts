import { EMPTY_BYTES } from "../base/index.ts";
import type { Cursor } from "../bolt/index.ts";
import { KeyValueReader } from "./key-value.ts";
import {
  checkRevision,
  isTombstone,
  REVISION_BYTES,
  readMain,
  readSub,
  writeRevision,
} from "./revision.ts";
import type { StoreState } from "./store-state.ts";

/**
 * Reads finished history, record by record in the order of revisions. It may be laid down between
 * any two calls, and goes on behind the revision it came to, whatever was written or compacted.
 */
export class RecordScan {
  readonly #state: StoreState;
  readonly #cursor: Cursor;
  readonly #seekKey = new Uint8Array(REVISION_BYTES);
  readonly #reader = new KeyValueReader();
  /** The bucket's version that the cursor is good for. */
  #placedAt = -1;
  /** Where to go on when the cursor must be placed anew. */
  #nextMain: number;
  #nextSub = 0;
  #recordKey: Uint8Array = EMPTY_BYTES;
  #record: Uint8Array = EMPTY_BYTES;

  readonly #last: number | undefined;

  /**
   * Ends with the main revision `last`, or with the current one when it is left out. `passing`: what
   * it shows is valid until anything is read, see Cursor.
   */
  constructor(state: StoreState, fromMain: number, last?: number, options = { passing: false }) {
    this.#state = state;
    this.#last = last;
    this.#cursor = state.records.cursor(options);
    this.#nextMain = fromMain;
  }

  /**
   * To the next record. False at the end of what is finished; later there may be more. Throws
   * PageMiss without having moved; RevisionError or ProtoError when the page file is damaged.
   */
  next(): boolean {
    const isThere = this.#move();
    const key = isThere ? this.#cursor.key : EMPTY_BYTES;
    if (isThere) checkRevision(key);
    if (!isThere || readMain(key) > (this.#last ?? this.#state.currentRevision)) {
      this.#placedAt = -1;
      return false;
    }
    this.#recordKey = key;
    this.#record = this.#cursor.value;
    this.#reader.read(this.#record);
    this.#nextMain = readMain(key);
    this.#nextSub = readSub(key) + 1;
    return true;
  }

  get main(): number {
    return this.#nextMain;
  }

  get sub(): number {
    return this.#nextSub - 1;
  }

  get tombstone(): boolean {
    return isTombstone(this.#recordKey);
  }

  /** Whether it is a put that found no key. */
  get isCreate(): boolean {
    return !this.tombstone && this.#reader.createRevision === this.#nextMain;
  }

  /** The revision key the record is stored under: a view until the next write. */
  get recordKey(): Uint8Array {
    return this.#recordKey;
  }

  /** The record, only a key if it is a tombstone: a view until the next write. */
  get keyValue(): Uint8Array {
    return this.#record;
  }

  /** The user's key: a view until the next write. */
  get key(): Uint8Array {
    return this.#reader.key;
  }

  /** The fields of the record. */
  get pair(): KeyValueReader {
    return this.#reader;
  }

  #move(): boolean {
    const { version } = this.#state.records.tree;
    if (this.#placedAt === version) return this.#cursor.next();
    writeRevision(this.#seekKey, this.#nextMain, this.#nextSub);
    const isThere = this.#cursor.seek(this.#seekKey);
    this.#placedAt = version;
    return isThere;
  }
}
