import {
  bytes,
  enumeration,
  id,
  int64,
  message,
  type MessageOf,
  one,
  signedId,
  uint64,
} from "../schema.ts";

/** What the store keeps for a key, what a watcher is told of it, and where an answer comes from. */

export const ResponseHeader = message("etcdserverpb.ResponseHeader", {
  cluster_id: id(1),
  member_id: id(2),
  revision: int64(3),
  raft_term: uint64(4),
});
export type ResponseHeader = MessageOf<typeof ResponseHeader>;

export const KeyValue = message("mvccpb.KeyValue", {
  key: bytes(1),
  create_revision: int64(2),
  mod_revision: int64(3),
  version: int64(4),
  value: bytes(5),
  lease: signedId(6),
});
export type KeyValue = MessageOf<typeof KeyValue>;

export const EVENT_TYPE = { PUT: 0, DELETE: 1 } as const;

export const Event = message("mvccpb.Event", {
  type: enumeration(1, EVENT_TYPE),
  kv: one(2, KeyValue),
  prev_kv: one(3, KeyValue),
});
export type Event = MessageOf<typeof Event>;
