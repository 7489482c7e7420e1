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
  string,
} from "../schema.ts";
import { Event, ResponseHeader } from "./store.ts";

/** Following changes. */

export const FILTER_TYPE = { NOPUT: 0, NODELETE: 1 } as const;

export const WatchCreateRequest = message("etcdserverpb.WatchCreateRequest", {
  key: bytes(1),
  range_end: bytes(2),
  start_revision: int64(3),
  progress_notify: bool(4),
  filters: many(enumeration(5, FILTER_TYPE)),
  prev_kv: bool(6),
  watch_id: int64(7),
  fragment: bool(8),
});
export type WatchCreateRequest = MessageOf<typeof WatchCreateRequest>;

export const WatchCancelRequest = message("etcdserverpb.WatchCancelRequest", {
  watch_id: int64(1),
});
export type WatchCancelRequest = MessageOf<typeof WatchCancelRequest>;

export const WatchProgressRequest = message("etcdserverpb.WatchProgressRequest", {});
export type WatchProgressRequest = MessageOf<typeof WatchProgressRequest>;

export const WatchRequest = message("etcdserverpb.WatchRequest", {
  create_request: oneof("request_union", one(1, WatchCreateRequest)),
  cancel_request: oneof("request_union", one(2, WatchCancelRequest)),
  progress_request: oneof("request_union", one(3, WatchProgressRequest)),
});
export type WatchRequest = MessageOf<typeof WatchRequest>;

export const WatchResponse = message("etcdserverpb.WatchResponse", {
  header: one(1, ResponseHeader),
  watch_id: int64(2),
  created: bool(3),
  canceled: bool(4),
  compact_revision: int64(5),
  cancel_reason: string(6),
  fragment: bool(7),
  events: many(one(11, Event)),
});
export type WatchResponse = MessageOf<typeof WatchResponse>;
