/** Which methods the JSON gateway offers, and where. */
import type { DescMethod } from "@bufbuild/protobuf";

/** The paths of each method below /v3/, streams left out. */
const PATHS: Readonly<Record<string, string>> = {
  "KV.Range": "kv/range",
  "KV.Put": "kv/put",
  "KV.DeleteRange": "kv/deleterange",
  "KV.Txn": "kv/txn",
  "KV.Compact": "kv/compaction",
  "Lease.LeaseGrant": "lease/grant",
  "Lease.LeaseRevoke": "lease/revoke kv/lease/revoke",
  "Lease.LeaseTimeToLive": "lease/timetolive kv/lease/timetolive",
  "Lease.LeaseLeases": "lease/leases kv/lease/leases",
  "Cluster.MemberAdd": "cluster/member/add",
  "Cluster.MemberRemove": "cluster/member/remove",
  "Cluster.MemberUpdate": "cluster/member/update",
  "Cluster.MemberList": "cluster/member/list",
  "Cluster.MemberPromote": "cluster/member/promote",
  "Maintenance.Alarm": "maintenance/alarm",
  "Maintenance.Status": "maintenance/status",
  "Maintenance.Defragment": "maintenance/defragment",
  "Maintenance.Hash": "maintenance/hash",
  "Maintenance.HashKV": "maintenance/hashkv",
  "Maintenance.MoveLeader": "maintenance/transfer-leadership",
  "Maintenance.Downgrade": "maintenance/downgrade",
  "Auth.AuthEnable": "auth/enable",
  "Auth.AuthDisable": "auth/disable",
  "Auth.AuthStatus": "auth/status",
  "Auth.Authenticate": "auth/authenticate",
  "Auth.UserAdd": "auth/user/add",
  "Auth.UserGet": "auth/user/get",
  "Auth.UserList": "auth/user/list",
  "Auth.UserDelete": "auth/user/delete",
  "Auth.UserChangePassword": "auth/user/changepw",
  "Auth.UserGrantRole": "auth/user/grant",
  "Auth.UserRevokeRole": "auth/user/revoke",
  "Auth.RoleAdd": "auth/role/add",
  "Auth.RoleGet": "auth/role/get",
  "Auth.RoleList": "auth/role/list",
  "Auth.RoleDelete": "auth/role/delete",
  "Auth.RoleGrantPermission": "auth/role/grant",
  "Auth.RoleRevokePermission": "auth/role/revoke",
};

/** The paths under which a method can also be called with JSON. */
export function gatewayPaths(method: DescMethod): string[] {
  const found = PATHS[`${method.parent.name}.${method.name}`];
  return found === undefined ? [] : found.split(" ").map((path) => `/v3/${path}`);
}
