import {
  bool,
  bytes,
  enumeration,
  id,
  int64,
  many,
  message,
  type MessageOf,
  one,
  string,
  uint32,
  uint64,
} from "../schema.ts";
import { ResponseHeader } from "./store.ts";

/** The operator's side: state, alarms, hashes, snapshots, leadership, versions. */

export const ALARM_TYPE = { NONE: 0, NOSPACE: 1, CORRUPT: 2 } as const;

export const ALARM_ACTION = { GET: 0, ACTIVATE: 1, DEACTIVATE: 2 } as const;

export const AlarmRequest = message("etcdserverpb.AlarmRequest", {
  action: enumeration(1, ALARM_ACTION),
  memberID: id(2),
  alarm: enumeration(3, ALARM_TYPE),
});
export type AlarmRequest = MessageOf<typeof AlarmRequest>;

export const AlarmMember = message("etcdserverpb.AlarmMember", {
  memberID: id(1),
  alarm: enumeration(2, ALARM_TYPE),
});
export type AlarmMember = MessageOf<typeof AlarmMember>;

export const AlarmResponse = message("etcdserverpb.AlarmResponse", {
  header: one(1, ResponseHeader),
  alarms: many(one(2, AlarmMember)),
});
export type AlarmResponse = MessageOf<typeof AlarmResponse>;

export const StatusRequest = message("etcdserverpb.StatusRequest", {});
export type StatusRequest = MessageOf<typeof StatusRequest>;

export const DowngradeInfo = message("etcdserverpb.DowngradeInfo", {
  enabled: bool(1),
  targetVersion: string(2),
});
export type DowngradeInfo = MessageOf<typeof DowngradeInfo>;

export const StatusResponse = message("etcdserverpb.StatusResponse", {
  header: one(1, ResponseHeader),
  version: string(2),
  dbSize: int64(3),
  leader: id(4),
  raftIndex: uint64(5),
  raftTerm: uint64(6),
  raftAppliedIndex: uint64(7),
  errors: many(string(8)),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
  storageVersion: string(11),
  dbSizeQuota: int64(12),
  downgradeInfo: one(13, DowngradeInfo),
});
export type StatusResponse = MessageOf<typeof StatusResponse>;

export const DefragmentRequest = message("etcdserverpb.DefragmentRequest", {});
export type DefragmentRequest = MessageOf<typeof DefragmentRequest>;

export const DefragmentResponse = message("etcdserverpb.DefragmentResponse", {
  header: one(1, ResponseHeader),
});
export type DefragmentResponse = MessageOf<typeof DefragmentResponse>;

export const HashRequest = message("etcdserverpb.HashRequest", {});
export type HashRequest = MessageOf<typeof HashRequest>;

export const HashResponse = message("etcdserverpb.HashResponse", {
  header: one(1, ResponseHeader),
  hash: uint32(2),
});
export type HashResponse = MessageOf<typeof HashResponse>;

export const HashKVRequest = message("etcdserverpb.HashKVRequest", {
  revision: int64(1),
});
export type HashKVRequest = MessageOf<typeof HashKVRequest>;

export const HashKVResponse = message("etcdserverpb.HashKVResponse", {
  header: one(1, ResponseHeader),
  hash: uint32(2),
  compact_revision: int64(3),
  hash_revision: int64(4),
});
export type HashKVResponse = MessageOf<typeof HashKVResponse>;

export const SnapshotRequest = message("etcdserverpb.SnapshotRequest", {});
export type SnapshotRequest = MessageOf<typeof SnapshotRequest>;

export const SnapshotResponse = message("etcdserverpb.SnapshotResponse", {
  header: one(1, ResponseHeader),
  remaining_bytes: uint64(2),
  blob: bytes(3),
  version: string(4),
});
export type SnapshotResponse = MessageOf<typeof SnapshotResponse>;

export const MoveLeaderRequest = message("etcdserverpb.MoveLeaderRequest", {
  targetID: id(1),
});
export type MoveLeaderRequest = MessageOf<typeof MoveLeaderRequest>;

export const MoveLeaderResponse = message("etcdserverpb.MoveLeaderResponse", {
  header: one(1, ResponseHeader),
});
export type MoveLeaderResponse = MessageOf<typeof MoveLeaderResponse>;

export const DOWNGRADE_ACTION = { VALIDATE: 0, ENABLE: 1, CANCEL: 2 } as const;

export const DowngradeRequest = message("etcdserverpb.DowngradeRequest", {
  action: enumeration(1, DOWNGRADE_ACTION),
  version: string(2),
});
export type DowngradeRequest = MessageOf<typeof DowngradeRequest>;

export const DowngradeResponse = message("etcdserverpb.DowngradeResponse", {
  header: one(1, ResponseHeader),
  version: string(2),
});
export type DowngradeResponse = MessageOf<typeof DowngradeResponse>;

export const DowngradeVersionTestRequest = message("etcdserverpb.DowngradeVersionTestRequest", {
  ver: string(1),
});
export type DowngradeVersionTestRequest = MessageOf<typeof DowngradeVersionTestRequest>;
