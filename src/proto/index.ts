export {
  COMPARE_RESULT,
  COMPARE_TARGET,
  type Compare,
  type DeleteRangeRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  HeaderWriter,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type ResponseHeader,
  SORT_ORDER,
  SORT_TARGET,
  type TxnRequest,
} from "./kv-codec.ts";
export {
  BYTES,
  ProtoError,
  Reader,
  Utf8Error,
  VARINT,
  varintBytes,
  Writer,
} from "./wire.ts";
export {
  encodeInternalRequest,
  InternalRequest,
  REQUEST,
  type RequestId,
} from "./internal-codec.ts";
/** Every message of the API as a table and a type: `api.RangeResponse`. */
export * as api from "./api/index.ts";
export {
  CODE,
  codeName,
  type ErrorName,
  errorNames,
  type Failure,
  fail,
} from "./errors.ts";
export { FILE_DESCRIPTORS, type FileDescriptor } from "./gen/descriptors.ts";
export { type JsonRead, jsonToMessage, messageToJson } from "./json.ts";
export { type Scan, scanJson } from "./json-scan.ts";
export {
  decodeMessage,
  encodeMessage,
  type FieldInfo,
  type Init,
  type MessageOf,
  type Schema,
} from "./schema.ts";
export {
  decodeLogMetadata,
  encodeLogMetadata,
  encodeSnapshot,
  entryBytes,
  type LogMetadata,
  readConfState,
  readEntry,
  readHardState,
  readSnapshot,
  readWalSnapshot,
  writeConfState,
  writeEntry,
  writeHardState,
  writeWalSnapshot,
} from "./raftpb.ts";
export { readRaftMessage, writeRaftMessage } from "./raft-message.ts";
export * from "./raft-types.ts";
export {
  type Alloc,
  decodeWatchRequest,
  encodeEventField,
  encodeWatchIdField,
  FRAGMENT_FIELD,
  type StoredEvent,
  type WatchControl,
  type WatchCreateRequest,
  type WatchRequest,
  withPreviousPair,
  writeWatchControl,
} from "./watch-codec.ts";
