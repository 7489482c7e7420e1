/**
 * The write-ahead log as bytes: frames and their running checksum, segment names, what a log says
 * when it is read, and when damage at its end may be cut off. No files here.
 */
export { WalError } from "./errors.ts";
export { Frame, type FrameStatus, RECORD, RecordEncoder } from "./record.ts";
export { findIntactRecord, isOneTornWrite, lacksPart } from "./repair.ts";
export { type Place, type Recovered, Replay } from "./replay.ts";
export {
  holdsLog,
  SEGMENT_BYTES,
  type SegmentName,
  segmentName,
  segmentsOf,
  segmentsToPurge,
} from "./segment.ts";
export {
  decodeSnapFile,
  encodeSnapFile,
  snapDatabaseIndex,
  snapDatabaseName,
  snapFileName,
} from "./snap-file.ts";
export { type StoredMember, v2StoreJson } from "./v2-store.ts";
