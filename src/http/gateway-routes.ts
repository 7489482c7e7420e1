import type { CallType } from "../grpc/index.ts";
import { api, type Schema } from "../proto/index.ts";

/** One gateway path: the method behind it and the messages it translates between. */
export interface Route {
  readonly method: string;
  readonly type: CallType;
  readonly request: Schema<object>;
  readonly response: Schema<object>;
}

/** Paths under /v3/ as grpc-gateway has them for etcd's API. RangeStream has none, as in etcd. */
const TABLE: readonly (readonly [string, string, Schema<object>, Schema<object>])[] = [
  ["kv/range", "etcdserverpb.KV/Range", api.RangeRequest, api.RangeResponse],
  ["kv/put", "etcdserverpb.KV/Put", api.PutRequest, api.PutResponse],
  [
    "kv/deleterange",
    "etcdserverpb.KV/DeleteRange",
    api.DeleteRangeRequest,
    api.DeleteRangeResponse,
  ],
  ["kv/txn", "etcdserverpb.KV/Txn", api.TxnRequest, api.TxnResponse],
  ["kv/compaction", "etcdserverpb.KV/Compact", api.CompactionRequest, api.CompactionResponse],
  ["watch", "etcdserverpb.Watch/Watch", api.WatchRequest, api.WatchResponse],
  ["lease/grant", "etcdserverpb.Lease/LeaseGrant", api.LeaseGrantRequest, api.LeaseGrantResponse],
  [
    "lease/revoke",
    "etcdserverpb.Lease/LeaseRevoke",
    api.LeaseRevokeRequest,
    api.LeaseRevokeResponse,
  ],
  [
    "lease/timetolive",
    "etcdserverpb.Lease/LeaseTimeToLive",
    api.LeaseTimeToLiveRequest,
    api.LeaseTimeToLiveResponse,
  ],
  [
    "lease/leases",
    "etcdserverpb.Lease/LeaseLeases",
    api.LeaseLeasesRequest,
    api.LeaseLeasesResponse,
  ],
  [
    "kv/lease/revoke",
    "etcdserverpb.Lease/LeaseRevoke",
    api.LeaseRevokeRequest,
    api.LeaseRevokeResponse,
  ],
  [
    "kv/lease/timetolive",
    "etcdserverpb.Lease/LeaseTimeToLive",
    api.LeaseTimeToLiveRequest,
    api.LeaseTimeToLiveResponse,
  ],
  [
    "kv/lease/leases",
    "etcdserverpb.Lease/LeaseLeases",
    api.LeaseLeasesRequest,
    api.LeaseLeasesResponse,
  ],
  [
    "lease/keepalive",
    "etcdserverpb.Lease/LeaseKeepAlive",
    api.LeaseKeepAliveRequest,
    api.LeaseKeepAliveResponse,
  ],
  [
    "cluster/member/add",
    "etcdserverpb.Cluster/MemberAdd",
    api.MemberAddRequest,
    api.MemberAddResponse,
  ],
  [
    "cluster/member/remove",
    "etcdserverpb.Cluster/MemberRemove",
    api.MemberRemoveRequest,
    api.MemberRemoveResponse,
  ],
  [
    "cluster/member/update",
    "etcdserverpb.Cluster/MemberUpdate",
    api.MemberUpdateRequest,
    api.MemberUpdateResponse,
  ],
  [
    "cluster/member/list",
    "etcdserverpb.Cluster/MemberList",
    api.MemberListRequest,
    api.MemberListResponse,
  ],
  [
    "cluster/member/promote",
    "etcdserverpb.Cluster/MemberPromote",
    api.MemberPromoteRequest,
    api.MemberPromoteResponse,
  ],
  ["maintenance/alarm", "etcdserverpb.Maintenance/Alarm", api.AlarmRequest, api.AlarmResponse],
  ["maintenance/status", "etcdserverpb.Maintenance/Status", api.StatusRequest, api.StatusResponse],
  [
    "maintenance/defragment",
    "etcdserverpb.Maintenance/Defragment",
    api.DefragmentRequest,
    api.DefragmentResponse,
  ],
  ["maintenance/hash", "etcdserverpb.Maintenance/Hash", api.HashRequest, api.HashResponse],
  ["maintenance/hashkv", "etcdserverpb.Maintenance/HashKV", api.HashKVRequest, api.HashKVResponse],
  [
    "maintenance/snapshot",
    "etcdserverpb.Maintenance/Snapshot",
    api.SnapshotRequest,
    api.SnapshotResponse,
  ],
  [
    "maintenance/transfer-leadership",
    "etcdserverpb.Maintenance/MoveLeader",
    api.MoveLeaderRequest,
    api.MoveLeaderResponse,
  ],
  [
    "maintenance/downgrade",
    "etcdserverpb.Maintenance/Downgrade",
    api.DowngradeRequest,
    api.DowngradeResponse,
  ],
  ["auth/enable", "etcdserverpb.Auth/AuthEnable", api.AuthEnableRequest, api.AuthEnableResponse],
  [
    "auth/disable",
    "etcdserverpb.Auth/AuthDisable",
    api.AuthDisableRequest,
    api.AuthDisableResponse,
  ],
  ["auth/status", "etcdserverpb.Auth/AuthStatus", api.AuthStatusRequest, api.AuthStatusResponse],
  [
    "auth/authenticate",
    "etcdserverpb.Auth/Authenticate",
    api.AuthenticateRequest,
    api.AuthenticateResponse,
  ],
  ["auth/user/add", "etcdserverpb.Auth/UserAdd", api.AuthUserAddRequest, api.AuthUserAddResponse],
  ["auth/user/get", "etcdserverpb.Auth/UserGet", api.AuthUserGetRequest, api.AuthUserGetResponse],
  [
    "auth/user/list",
    "etcdserverpb.Auth/UserList",
    api.AuthUserListRequest,
    api.AuthUserListResponse,
  ],
  [
    "auth/user/delete",
    "etcdserverpb.Auth/UserDelete",
    api.AuthUserDeleteRequest,
    api.AuthUserDeleteResponse,
  ],
  [
    "auth/user/changepw",
    "etcdserverpb.Auth/UserChangePassword",
    api.AuthUserChangePasswordRequest,
    api.AuthUserChangePasswordResponse,
  ],
  [
    "auth/user/grant",
    "etcdserverpb.Auth/UserGrantRole",
    api.AuthUserGrantRoleRequest,
    api.AuthUserGrantRoleResponse,
  ],
  [
    "auth/user/revoke",
    "etcdserverpb.Auth/UserRevokeRole",
    api.AuthUserRevokeRoleRequest,
    api.AuthUserRevokeRoleResponse,
  ],
  ["auth/role/add", "etcdserverpb.Auth/RoleAdd", api.AuthRoleAddRequest, api.AuthRoleAddResponse],
  ["auth/role/get", "etcdserverpb.Auth/RoleGet", api.AuthRoleGetRequest, api.AuthRoleGetResponse],
  [
    "auth/role/list",
    "etcdserverpb.Auth/RoleList",
    api.AuthRoleListRequest,
    api.AuthRoleListResponse,
  ],
  [
    "auth/role/delete",
    "etcdserverpb.Auth/RoleDelete",
    api.AuthRoleDeleteRequest,
    api.AuthRoleDeleteResponse,
  ],
  [
    "auth/role/grant",
    "etcdserverpb.Auth/RoleGrantPermission",
    api.AuthRoleGrantPermissionRequest,
    api.AuthRoleGrantPermissionResponse,
  ],
  [
    "auth/role/revoke",
    "etcdserverpb.Auth/RoleRevokePermission",
    api.AuthRoleRevokePermissionRequest,
    api.AuthRoleRevokePermissionResponse,
  ],
  ["lock/lock", "v3lockpb.Lock/Lock", api.LockRequest, api.LockResponse],
  ["lock/unlock", "v3lockpb.Lock/Unlock", api.UnlockRequest, api.UnlockResponse],
  [
    "election/campaign",
    "v3electionpb.Election/Campaign",
    api.CampaignRequest,
    api.CampaignResponse,
  ],
  [
    "election/proclaim",
    "v3electionpb.Election/Proclaim",
    api.ProclaimRequest,
    api.ProclaimResponse,
  ],
  ["election/leader", "v3electionpb.Election/Leader", api.LeaderRequest, api.LeaderResponse],
  ["election/resign", "v3electionpb.Election/Resign", api.ResignRequest, api.ResignResponse],
  ["election/observe", "v3electionpb.Election/Observe", api.LeaderRequest, api.LeaderResponse],
];

const STREAMS: ReadonlyMap<string, CallType> = new Map([
  ["/etcdserverpb.Watch/Watch", "bidi_stream"],
  ["/etcdserverpb.Lease/LeaseKeepAlive", "bidi_stream"],
  ["/etcdserverpb.KV/RangeStream", "server_stream"],
  ["/etcdserverpb.Maintenance/Snapshot", "server_stream"],
  ["/v3electionpb.Election/Observe", "server_stream"],
  ["/grpc.health.v1.Health/Watch", "server_stream"],
  ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "bidi_stream"],
  ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "bidi_stream"],
]);

/** How many messages a method takes and gives. */
export function callType(path: string): CallType {
  return STREAMS.get(path) ?? "unary";
}

/** All paths of the gateway. */
export const ROUTES: ReadonlyMap<string, Route> = new Map(
  TABLE.map(([path, method, request, response]) => [
    `/v3/${path}`,
    { method: `/${method}`, type: callType(`/${method}`), request, response },
  ]),
);
