import { bool, id, many, message, type MessageOf, one, string } from "../schema.ts";
import { ResponseHeader } from "./store.ts";

/** Who belongs to the cluster. */

export const Member = message("etcdserverpb.Member", {
  ID: id(1),
  name: string(2),
  peerURLs: many(string(3)),
  clientURLs: many(string(4)),
  isLearner: bool(5),
});
export type Member = MessageOf<typeof Member>;

export const MemberAddRequest = message("etcdserverpb.MemberAddRequest", {
  peerURLs: many(string(1)),
  isLearner: bool(2),
});
export type MemberAddRequest = MessageOf<typeof MemberAddRequest>;

export const MemberAddResponse = message("etcdserverpb.MemberAddResponse", {
  header: one(1, ResponseHeader),
  member: one(2, Member),
  members: many(one(3, Member)),
});
export type MemberAddResponse = MessageOf<typeof MemberAddResponse>;

export const MemberRemoveRequest = message("etcdserverpb.MemberRemoveRequest", {
  ID: id(1),
});
export type MemberRemoveRequest = MessageOf<typeof MemberRemoveRequest>;

export const MemberRemoveResponse = message("etcdserverpb.MemberRemoveResponse", {
  header: one(1, ResponseHeader),
  members: many(one(2, Member)),
});
export type MemberRemoveResponse = MessageOf<typeof MemberRemoveResponse>;

export const MemberUpdateRequest = message("etcdserverpb.MemberUpdateRequest", {
  ID: id(1),
  peerURLs: many(string(2)),
});
export type MemberUpdateRequest = MessageOf<typeof MemberUpdateRequest>;

export const MemberUpdateResponse = message("etcdserverpb.MemberUpdateResponse", {
  header: one(1, ResponseHeader),
  members: many(one(2, Member)),
});
export type MemberUpdateResponse = MessageOf<typeof MemberUpdateResponse>;

export const MemberListRequest = message("etcdserverpb.MemberListRequest", {
  linearizable: bool(1),
});
export type MemberListRequest = MessageOf<typeof MemberListRequest>;

export const MemberListResponse = message("etcdserverpb.MemberListResponse", {
  header: one(1, ResponseHeader),
  members: many(one(2, Member)),
});
export type MemberListResponse = MessageOf<typeof MemberListResponse>;

export const MemberPromoteRequest = message("etcdserverpb.MemberPromoteRequest", {
  ID: id(1),
});
export type MemberPromoteRequest = MessageOf<typeof MemberPromoteRequest>;

export const MemberPromoteResponse = message("etcdserverpb.MemberPromoteResponse", {
  header: one(1, ResponseHeader),
  members: many(one(2, Member)),
});
export type MemberPromoteResponse = MessageOf<typeof MemberPromoteResponse>;
