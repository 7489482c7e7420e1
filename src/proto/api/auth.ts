import {
  bool,
  bytes,
  enumeration,
  many,
  message,
  type MessageOf,
  one,
  string,
  uint64,
} from "../schema.ts";
import { ResponseHeader } from "./store.ts";

/** Users and roles as they are stored, and the calls that change them. */

export const PERMISSION_TYPE = { READ: 0, WRITE: 1, READWRITE: 2 } as const;

export const Permission = message("authpb.Permission", {
  permType: enumeration(1, PERMISSION_TYPE),
  key: bytes(2),
  range_end: bytes(3),
});
export type Permission = MessageOf<typeof Permission>;

export const Role = message("authpb.Role", {
  name: bytes(1),
  keyPermission: many(one(2, Permission)),
});
export type Role = MessageOf<typeof Role>;

export const UserAddOptions = message("authpb.UserAddOptions", {
  no_password: bool(1),
});
export type UserAddOptions = MessageOf<typeof UserAddOptions>;

export const User = message("authpb.User", {
  name: bytes(1),
  password: bytes(2),
  roles: many(string(3)),
  options: one(4, UserAddOptions),
});
export type User = MessageOf<typeof User>;

export const AuthEnableRequest = message("etcdserverpb.AuthEnableRequest", {});
export type AuthEnableRequest = MessageOf<typeof AuthEnableRequest>;

export const AuthDisableRequest = message("etcdserverpb.AuthDisableRequest", {});
export type AuthDisableRequest = MessageOf<typeof AuthDisableRequest>;

export const AuthStatusRequest = message("etcdserverpb.AuthStatusRequest", {});
export type AuthStatusRequest = MessageOf<typeof AuthStatusRequest>;

export const AuthenticateRequest = message("etcdserverpb.AuthenticateRequest", {
  name: string(1),
  password: string(2),
});
export type AuthenticateRequest = MessageOf<typeof AuthenticateRequest>;

export const AuthUserAddRequest = message("etcdserverpb.AuthUserAddRequest", {
  name: string(1),
  password: string(2),
  options: one(3, UserAddOptions),
  hashedPassword: string(4),
});
export type AuthUserAddRequest = MessageOf<typeof AuthUserAddRequest>;

export const AuthUserGetRequest = message("etcdserverpb.AuthUserGetRequest", {
  name: string(1),
});
export type AuthUserGetRequest = MessageOf<typeof AuthUserGetRequest>;

export const AuthUserDeleteRequest = message("etcdserverpb.AuthUserDeleteRequest", {
  name: string(1),
});
export type AuthUserDeleteRequest = MessageOf<typeof AuthUserDeleteRequest>;

export const AuthUserChangePasswordRequest = message("etcdserverpb.AuthUserChangePasswordRequest", {
  name: string(1),
  password: string(2),
  hashedPassword: string(3),
});
export type AuthUserChangePasswordRequest = MessageOf<typeof AuthUserChangePasswordRequest>;

export const AuthUserGrantRoleRequest = message("etcdserverpb.AuthUserGrantRoleRequest", {
  user: string(1),
  role: string(2),
});
export type AuthUserGrantRoleRequest = MessageOf<typeof AuthUserGrantRoleRequest>;

export const AuthUserRevokeRoleRequest = message("etcdserverpb.AuthUserRevokeRoleRequest", {
  name: string(1),
  role: string(2),
});
export type AuthUserRevokeRoleRequest = MessageOf<typeof AuthUserRevokeRoleRequest>;

export const AuthRoleAddRequest = message("etcdserverpb.AuthRoleAddRequest", {
  name: string(1),
});
export type AuthRoleAddRequest = MessageOf<typeof AuthRoleAddRequest>;

export const AuthRoleGetRequest = message("etcdserverpb.AuthRoleGetRequest", {
  role: string(1),
});
export type AuthRoleGetRequest = MessageOf<typeof AuthRoleGetRequest>;

export const AuthUserListRequest = message("etcdserverpb.AuthUserListRequest", {});
export type AuthUserListRequest = MessageOf<typeof AuthUserListRequest>;

export const AuthRoleListRequest = message("etcdserverpb.AuthRoleListRequest", {});
export type AuthRoleListRequest = MessageOf<typeof AuthRoleListRequest>;

export const AuthRoleDeleteRequest = message("etcdserverpb.AuthRoleDeleteRequest", {
  role: string(1),
});
export type AuthRoleDeleteRequest = MessageOf<typeof AuthRoleDeleteRequest>;

export const AuthRoleGrantPermissionRequest = message(
  "etcdserverpb.AuthRoleGrantPermissionRequest",
  {
    name: string(1),
    perm: one(2, Permission),
  },
);
export type AuthRoleGrantPermissionRequest = MessageOf<typeof AuthRoleGrantPermissionRequest>;

export const AuthRoleRevokePermissionRequest = message(
  "etcdserverpb.AuthRoleRevokePermissionRequest",
  {
    role: string(1),
    key: bytes(2),
    range_end: bytes(3),
  },
);
export type AuthRoleRevokePermissionRequest = MessageOf<typeof AuthRoleRevokePermissionRequest>;

export const AuthEnableResponse = message("etcdserverpb.AuthEnableResponse", {
  header: one(1, ResponseHeader),
});
export type AuthEnableResponse = MessageOf<typeof AuthEnableResponse>;

export const AuthDisableResponse = message("etcdserverpb.AuthDisableResponse", {
  header: one(1, ResponseHeader),
});
export type AuthDisableResponse = MessageOf<typeof AuthDisableResponse>;

export const AuthStatusResponse = message("etcdserverpb.AuthStatusResponse", {
  header: one(1, ResponseHeader),
  enabled: bool(2),
  authRevision: uint64(3),
});
export type AuthStatusResponse = MessageOf<typeof AuthStatusResponse>;

export const AuthenticateResponse = message("etcdserverpb.AuthenticateResponse", {
  header: one(1, ResponseHeader),
  token: string(2),
});
export type AuthenticateResponse = MessageOf<typeof AuthenticateResponse>;

export const AuthUserAddResponse = message("etcdserverpb.AuthUserAddResponse", {
  header: one(1, ResponseHeader),
});
export type AuthUserAddResponse = MessageOf<typeof AuthUserAddResponse>;

export const AuthUserGetResponse = message("etcdserverpb.AuthUserGetResponse", {
  header: one(1, ResponseHeader),
  roles: many(string(2)),
});
export type AuthUserGetResponse = MessageOf<typeof AuthUserGetResponse>;

export const AuthUserDeleteResponse = message("etcdserverpb.AuthUserDeleteResponse", {
  header: one(1, ResponseHeader),
});
export type AuthUserDeleteResponse = MessageOf<typeof AuthUserDeleteResponse>;

export const AuthUserChangePasswordResponse = message(
  "etcdserverpb.AuthUserChangePasswordResponse",
  {
    header: one(1, ResponseHeader),
  },
);
export type AuthUserChangePasswordResponse = MessageOf<typeof AuthUserChangePasswordResponse>;

export const AuthUserGrantRoleResponse = message("etcdserverpb.AuthUserGrantRoleResponse", {
  header: one(1, ResponseHeader),
});
export type AuthUserGrantRoleResponse = MessageOf<typeof AuthUserGrantRoleResponse>;

export const AuthUserRevokeRoleResponse = message("etcdserverpb.AuthUserRevokeRoleResponse", {
  header: one(1, ResponseHeader),
});
export type AuthUserRevokeRoleResponse = MessageOf<typeof AuthUserRevokeRoleResponse>;

export const AuthRoleAddResponse = message("etcdserverpb.AuthRoleAddResponse", {
  header: one(1, ResponseHeader),
});
export type AuthRoleAddResponse = MessageOf<typeof AuthRoleAddResponse>;

export const AuthRoleGetResponse = message("etcdserverpb.AuthRoleGetResponse", {
  header: one(1, ResponseHeader),
  perm: many(one(2, Permission)),
});
export type AuthRoleGetResponse = MessageOf<typeof AuthRoleGetResponse>;

export const AuthRoleListResponse = message("etcdserverpb.AuthRoleListResponse", {
  header: one(1, ResponseHeader),
  roles: many(string(2)),
});
export type AuthRoleListResponse = MessageOf<typeof AuthRoleListResponse>;

export const AuthUserListResponse = message("etcdserverpb.AuthUserListResponse", {
  header: one(1, ResponseHeader),
  users: many(string(2)),
});
export type AuthUserListResponse = MessageOf<typeof AuthUserListResponse>;

export const AuthRoleDeleteResponse = message("etcdserverpb.AuthRoleDeleteResponse", {
  header: one(1, ResponseHeader),
});
export type AuthRoleDeleteResponse = MessageOf<typeof AuthRoleDeleteResponse>;

export const AuthRoleGrantPermissionResponse = message(
  "etcdserverpb.AuthRoleGrantPermissionResponse",
  {
    header: one(1, ResponseHeader),
  },
);
export type AuthRoleGrantPermissionResponse = MessageOf<typeof AuthRoleGrantPermissionResponse>;

export const AuthRoleRevokePermissionResponse = message(
  "etcdserverpb.AuthRoleRevokePermissionResponse",
  {
    header: one(1, ResponseHeader),
  },
);
export type AuthRoleRevokePermissionResponse = MessageOf<typeof AuthRoleRevokePermissionResponse>;
