import { api } from "../proto/index.ts";
import { streaming, unary } from "./call.ts";

/** Calls on one member's or the cluster's state. */
export const maintenance = {
  alarm: unary(
    "/etcdserverpb.Maintenance/Alarm",
    api.AlarmRequest,
    api.AlarmResponse,
    "repeatable",
  ),
  status: unary(
    "/etcdserverpb.Maintenance/Status",
    api.StatusRequest,
    api.StatusResponse,
    "repeatable",
  ),
  hashKv: unary(
    "/etcdserverpb.Maintenance/HashKV",
    api.HashKVRequest,
    api.HashKVResponse,
    "repeatable",
  ),
  defragment: unary(
    "/etcdserverpb.Maintenance/Defragment",
    api.DefragmentRequest,
    api.DefragmentResponse,
  ),
  moveLeader: unary(
    "/etcdserverpb.Maintenance/MoveLeader",
    api.MoveLeaderRequest,
    api.MoveLeaderResponse,
    "repeatable",
  ),
  downgrade: unary(
    "/etcdserverpb.Maintenance/Downgrade",
    api.DowngradeRequest,
    api.DowngradeResponse,
  ),
  snapshot: streaming(
    "/etcdserverpb.Maintenance/Snapshot",
    api.SnapshotRequest,
    api.SnapshotResponse,
  ),
} as const;
