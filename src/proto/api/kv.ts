import {
  bool,
  bytes,
  enumeration,
  int64,
  many,
  message,
  type MessageOf,
  one,
  oneof,
  type Schema,
  signedId,
} from "../schema.ts";
import { KeyValue, ResponseHeader } from "./store.ts";

/** Reading and changing keys. */

export const SORT_ORDER = { NONE: 0, ASCEND: 1, DESCEND: 2 } as const;

export const SORT_TARGET = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const;

export const RangeRequest = message("etcdserverpb.RangeRequest", {
  key: bytes(1),
  range_end: bytes(2),
  limit: int64(3),
  revision: int64(4),
  sort_order: enumeration(5, SORT_ORDER),
  sort_target: enumeration(6, SORT_TARGET),
  serializable: bool(7),
  keys_only: bool(8),
  count_only: bool(9),
  min_mod_revision: int64(10),
  max_mod_revision: int64(11),
  min_create_revision: int64(12),
  max_create_revision: int64(13),
});
export type RangeRequest = MessageOf<typeof RangeRequest>;

export const RangeResponse = message("etcdserverpb.RangeResponse", {
  header: one(1, ResponseHeader),
  kvs: many(one(2, KeyValue)),
  more: bool(3),
  count: int64(4),
});
export type RangeResponse = MessageOf<typeof RangeResponse>;

export const RangeStreamResponse = message("etcdserverpb.RangeStreamResponse", {
  range_response: one(1, RangeResponse),
});
export type RangeStreamResponse = MessageOf<typeof RangeStreamResponse>;

export const PutRequest = message("etcdserverpb.PutRequest", {
  key: bytes(1),
  value: bytes(2),
  lease: signedId(3),
  prev_kv: bool(4),
  ignore_value: bool(5),
  ignore_lease: bool(6),
});
export type PutRequest = MessageOf<typeof PutRequest>;

export const PutResponse = message("etcdserverpb.PutResponse", {
  header: one(1, ResponseHeader),
  prev_kv: one(2, KeyValue),
});
export type PutResponse = MessageOf<typeof PutResponse>;

export const DeleteRangeRequest = message("etcdserverpb.DeleteRangeRequest", {
  key: bytes(1),
  range_end: bytes(2),
  prev_kv: bool(3),
});
export type DeleteRangeRequest = MessageOf<typeof DeleteRangeRequest>;

export const DeleteRangeResponse = message("etcdserverpb.DeleteRangeResponse", {
  header: one(1, ResponseHeader),
  deleted: int64(2),
  prev_kvs: many(one(3, KeyValue)),
});
export type DeleteRangeResponse = MessageOf<typeof DeleteRangeResponse>;

export const RequestOp = message("etcdserverpb.RequestOp", {
  request_range: oneof("request", one(1, RangeRequest)),
  request_put: oneof("request", one(2, PutRequest)),
  request_delete_range: oneof("request", one(3, DeleteRangeRequest)),
  request_txn: oneof(
    "request",
    one(4, (): Schema<TxnRequest> => TxnRequest),
  ),
});
export type RequestOp = MessageOf<typeof RequestOp>;

export const ResponseOp = message("etcdserverpb.ResponseOp", {
  response_range: oneof("response", one(1, RangeResponse)),
  response_put: oneof("response", one(2, PutResponse)),
  response_delete_range: oneof("response", one(3, DeleteRangeResponse)),
  response_txn: oneof(
    "response",
    one(4, (): Schema<TxnResponse> => TxnResponse),
  ),
});
export type ResponseOp = MessageOf<typeof ResponseOp>;

export const COMPARE_RESULT = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const;

export const COMPARE_TARGET = { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } as const;

export const Compare = message("etcdserverpb.Compare", {
  result: enumeration(1, COMPARE_RESULT),
  target: enumeration(2, COMPARE_TARGET),
  key: bytes(3),
  version: oneof("target_union", int64(4)),
  create_revision: oneof("target_union", int64(5)),
  mod_revision: oneof("target_union", int64(6)),
  value: oneof("target_union", bytes(7)),
  lease: oneof("target_union", signedId(8)),
  range_end: bytes(64),
});
export type Compare = MessageOf<typeof Compare>;

/** Written out, because a transaction may hold transactions. */
export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}
export const TxnRequest: Schema<TxnRequest> = message("etcdserverpb.TxnRequest", {
  compare: many(one(1, Compare)),
  success: many(one(2, RequestOp)),
  failure: many(one(3, RequestOp)),
});

export interface TxnResponse {
  header: ResponseHeader | undefined;
  succeeded: boolean;
  responses: ResponseOp[];
}
export const TxnResponse: Schema<TxnResponse> = message("etcdserverpb.TxnResponse", {
  header: one(1, ResponseHeader),
  succeeded: bool(2),
  responses: many(one(3, ResponseOp)),
});

export const CompactionRequest = message("etcdserverpb.CompactionRequest", {
  revision: int64(1),
  physical: bool(2),
});
export type CompactionRequest = MessageOf<typeof CompactionRequest>;

export const CompactionResponse = message("etcdserverpb.CompactionResponse", {
  header: one(1, ResponseHeader),
});
export type CompactionResponse = MessageOf<typeof CompactionResponse>;
