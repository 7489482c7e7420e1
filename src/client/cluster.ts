import { api } from "../proto/index.ts";
import { unary } from "./call.ts";

/** Calls on members. */
export const cluster = {
  memberList: unary(
    "/etcdserverpb.Cluster/MemberList",
    api.MemberListRequest,
    api.MemberListResponse,
    "repeatable",
  ),
  memberAdd: unary("/etcdserverpb.Cluster/MemberAdd", api.MemberAddRequest, api.MemberAddResponse),
  memberRemove: unary(
    "/etcdserverpb.Cluster/MemberRemove",
    api.MemberRemoveRequest,
    api.MemberRemoveResponse,
  ),
  memberUpdate: unary(
    "/etcdserverpb.Cluster/MemberUpdate",
    api.MemberUpdateRequest,
    api.MemberUpdateResponse,
  ),
  memberPromote: unary(
    "/etcdserverpb.Cluster/MemberPromote",
    api.MemberPromoteRequest,
    api.MemberPromoteResponse,
  ),
} as const;
