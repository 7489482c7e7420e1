import { bool, id, type MessageOf, many, message, one, string, uint64 } from "../schema.ts";
import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleListRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGrantRoleRequest,
  AuthUserListRequest,
  AuthUserRevokeRoleRequest,
} from "./auth.ts";
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from "./kv.ts";
import { LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest } from "./lease.ts";
import { AlarmRequest, DowngradeVersionTestRequest } from "./maintenance.ts";

/** The content of a normal log entry: a header and exactly one request. */

export const MemberAttributes = message("membershippb.Attributes", {
  name: string(1),
  client_urls: many(string(2)),
});
export type MemberAttributes = MessageOf<typeof MemberAttributes>;

export const ClusterVersionSetRequest = message("membershippb.ClusterVersionSetRequest", {
  ver: string(1),
});
export type ClusterVersionSetRequest = MessageOf<typeof ClusterVersionSetRequest>;

export const ClusterMemberAttrSetRequest = message("membershippb.ClusterMemberAttrSetRequest", {
  member_ID: id(1),
  member_attributes: one(2, MemberAttributes),
});
export type ClusterMemberAttrSetRequest = MessageOf<typeof ClusterMemberAttrSetRequest>;

export const DowngradeInfoSetRequest = message("membershippb.DowngradeInfoSetRequest", {
  enabled: bool(1),
  ver: string(2),
});
export type DowngradeInfoSetRequest = MessageOf<typeof DowngradeInfoSetRequest>;

export const RequestHeader = message("etcdserverpb.RequestHeader", {
  ID: id(1),
  username: string(2),
  auth_revision: uint64(3),
});
export type RequestHeader = MessageOf<typeof RequestHeader>;

export const InternalAuthenticateRequest = message("etcdserverpb.InternalAuthenticateRequest", {
  name: string(1),
  password: string(2),
  simple_token: string(3),
});
export type InternalAuthenticateRequest = MessageOf<typeof InternalAuthenticateRequest>;

export const InternalRaftRequest = message("etcdserverpb.InternalRaftRequest", {
  /** From before there was a header. */
  ID: id(1),
  range: one(3, RangeRequest),
  put: one(4, PutRequest),
  delete_range: one(5, DeleteRangeRequest),
  txn: one(6, TxnRequest),
  compaction: one(7, CompactionRequest),
  lease_grant: one(8, LeaseGrantRequest),
  lease_revoke: one(9, LeaseRevokeRequest),
  alarm: one(10, AlarmRequest),
  lease_checkpoint: one(11, LeaseCheckpointRequest),
  header: one(100, RequestHeader),
  auth_enable: one(1000, AuthEnableRequest),
  auth_disable: one(1011, AuthDisableRequest),
  authenticate: one(1012, InternalAuthenticateRequest),
  auth_status: one(1013, AuthStatusRequest),
  auth_user_add: one(1100, AuthUserAddRequest),
  auth_user_delete: one(1101, AuthUserDeleteRequest),
  auth_user_get: one(1102, AuthUserGetRequest),
  auth_user_change_password: one(1103, AuthUserChangePasswordRequest),
  auth_user_grant_role: one(1104, AuthUserGrantRoleRequest),
  auth_user_revoke_role: one(1105, AuthUserRevokeRoleRequest),
  auth_user_list: one(1106, AuthUserListRequest),
  auth_role_list: one(1107, AuthRoleListRequest),
  auth_role_add: one(1200, AuthRoleAddRequest),
  auth_role_delete: one(1201, AuthRoleDeleteRequest),
  auth_role_get: one(1202, AuthRoleGetRequest),
  auth_role_grant_permission: one(1203, AuthRoleGrantPermissionRequest),
  auth_role_revoke_permission: one(1204, AuthRoleRevokePermissionRequest),
  cluster_version_set: one(1300, ClusterVersionSetRequest),
  cluster_member_attr_set: one(1301, ClusterMemberAttrSetRequest),
  downgrade_info_set: one(1302, DowngradeInfoSetRequest),
  downgrade_version_test: one(9900, DowngradeVersionTestRequest),
});
export type InternalRaftRequest = MessageOf<typeof InternalRaftRequest>;
