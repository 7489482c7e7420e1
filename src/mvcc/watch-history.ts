/** The changes of one finished revision, in order. Views are valid during the call they go to. */
export interface Changes {
  readonly revision: number;
  readonly length: number;
  key(i: number): Uint8Array;
  /** The stored record: a whole KeyValue for a put, one with only its key for a delete. */
  keyValue(i: number): Uint8Array;
  isDelete(i: number): boolean;
  /** A put that found no key. */
  isCreate(i: number): boolean;
}

/** Walks over the finished history in (main, sub) order. Views are valid until the next write. */
export interface HistoryScan {
  /** False at the end of the finished history. Throws PageMiss without having moved. */
  next(): boolean;
  readonly main: number;
  readonly tombstone: boolean;
  readonly isCreate: boolean;
  readonly key: Uint8Array;
  readonly keyValue: Uint8Array;
}

/** What watches read of the store. */
export interface History {
  readonly currentRevision: number;
  /** History is whole from this revision on. */
  readonly compactedRevision: number;
  scan(fromMain: number): HistoryScan;
  /**
   * The encoded pair that stood under `key` just before `revision`; undefined when there was none,
   * or when that revision is compacted. A view until the next write. Throws PageMiss.
   */
  previousOf(key: Uint8Array, revision: number): Uint8Array | undefined;
}
