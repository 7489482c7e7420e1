/**
 * The files of a member: its log, its snapshots, its data directory and the lock on it. Everything
 * that touches a disk is here, and decides nothing.
 */
export { v2StoreJson } from "../wal/index.ts";
export {
  type DataDir,
  dataDirPaths,
  prepareDataDir,
  removeUnfinished,
} from "./data-dir.ts";
export { defragment } from "./defragment.ts";
export { DurableLog } from "./durable-log.ts";
export { DiskError, type FileIo, nodeFileIo } from "./file-io.ts";
export { LockError, lockFile } from "./lock.ts";
export { PageFiles } from "./page-files.ts";
export { SnapshotFiles, type SnapshotFilesOptions } from "./snapshot-files.ts";
export {
  createWal,
  type LogBatch,
  type OpenedWal,
  openWal,
  WalFiles,
  type WalOptions,
} from "./wal-files.ts";
export { readEntries, readWal, type WalContent, walExists } from "./wal-reader.ts";
export {
  commitTo,
  PAGE_GROWTH_BYTES,
  PageFile,
  type PageFileOptions,
  runWithPages,
  withPages,
} from "./page-file.ts";
