import { api } from "../proto/index.ts";
import { type RetryPolicy, unary } from "./call.ts";
import type { Schema } from "../proto/index.ts";

const call = <Q, R>(name: string, request: Schema<Q>, response: Schema<R>, retry?: RetryPolicy) =>
  unary(`/etcdserverpb.Auth/${name}`, request, response, retry);

/** Calls on users and roles. */
export const auth = {
  enable: call("AuthEnable", api.AuthEnableRequest, api.AuthEnableResponse),
  disable: call("AuthDisable", api.AuthDisableRequest, api.AuthDisableResponse),
  status: call("AuthStatus", api.AuthStatusRequest, api.AuthStatusResponse),
  userAdd: call("UserAdd", api.AuthUserAddRequest, api.AuthUserAddResponse),
  userDelete: call("UserDelete", api.AuthUserDeleteRequest, api.AuthUserDeleteResponse),
  userGet: call("UserGet", api.AuthUserGetRequest, api.AuthUserGetResponse, "repeatable"),
  userList: call("UserList", api.AuthUserListRequest, api.AuthUserListResponse, "repeatable"),
  userChangePassword: call(
    "UserChangePassword",
    api.AuthUserChangePasswordRequest,
    api.AuthUserChangePasswordResponse,
  ),
  userGrantRole: call("UserGrantRole", api.AuthUserGrantRoleRequest, api.AuthUserGrantRoleResponse),
  userRevokeRole: call(
    "UserRevokeRole",
    api.AuthUserRevokeRoleRequest,
    api.AuthUserRevokeRoleResponse,
  ),
  roleAdd: call("RoleAdd", api.AuthRoleAddRequest, api.AuthRoleAddResponse),
  roleDelete: call("RoleDelete", api.AuthRoleDeleteRequest, api.AuthRoleDeleteResponse),
  roleGet: call("RoleGet", api.AuthRoleGetRequest, api.AuthRoleGetResponse, "repeatable"),
  roleList: call("RoleList", api.AuthRoleListRequest, api.AuthRoleListResponse, "repeatable"),
  roleGrantPermission: call(
    "RoleGrantPermission",
    api.AuthRoleGrantPermissionRequest,
    api.AuthRoleGrantPermissionResponse,
  ),
  roleRevokePermission: call(
    "RoleRevokePermission",
    api.AuthRoleRevokePermissionRequest,
    api.AuthRoleRevokePermissionResponse,
  ),
} as const;
