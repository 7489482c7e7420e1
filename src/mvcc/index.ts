/**
 * mvcc: keys with their whole history. `key-index.ts` (with a worked example) says which revisions
 * a key has, `store.ts` reads and writes them, `watch.ts` tells who asked what has changed.
 */
export type { ChangeList } from "./change-list.ts";
export type { CompactionResult } from "./compaction.ts";
export { hashAll } from "./file-hash.ts";
export type { KeyValueList } from "./key-value-list.ts";
export {
  decodeKeyValue,
  type KeyValue,
  KeyValueReader,
} from "./key-value.ts";
export type { KvHash } from "./kv-hash.ts";
export type { RangeRequest, RangeResult } from "./range.ts";
export type { RecordScan } from "./record-scan.ts";
export {
  isTombstone,
  RevisionError,
  readMain,
  revisionKey,
} from "./revision.ts";
export { restartable, type Slices } from "./slices.ts";
export { Store } from "./store.ts";
export { type RevisionRefusal, StoreError } from "./store-state.ts";
export type { WriteTxn } from "./txn.ts";
export { type WatchCounters, WatchHub } from "./watch.ts";
export type { EventBatch } from "./watch-events.ts";
export type { Changes, History, HistoryScan } from "./watch-history.ts";
export type { WatchRefusal, WatchSink, WatchStream } from "./watch-stream.ts";
export type { Watcher, WatchRequestOptions } from "./watcher.ts";
