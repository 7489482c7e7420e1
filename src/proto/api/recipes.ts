import { bytes, int64, message, type MessageOf, one, signedId } from "../schema.ts";
import { KeyValue, ResponseHeader } from "./store.ts";

/** Locks and elections kept by the server. */

export const LockRequest = message("v3lockpb.LockRequest", {
  name: bytes(1),
  lease: signedId(2),
});
export type LockRequest = MessageOf<typeof LockRequest>;

export const LockResponse = message("v3lockpb.LockResponse", {
  header: one(1, ResponseHeader),
  key: bytes(2),
});
export type LockResponse = MessageOf<typeof LockResponse>;

export const UnlockRequest = message("v3lockpb.UnlockRequest", {
  key: bytes(1),
});
export type UnlockRequest = MessageOf<typeof UnlockRequest>;

export const UnlockResponse = message("v3lockpb.UnlockResponse", {
  header: one(1, ResponseHeader),
});
export type UnlockResponse = MessageOf<typeof UnlockResponse>;

export const CampaignRequest = message("v3electionpb.CampaignRequest", {
  name: bytes(1),
  lease: signedId(2),
  value: bytes(3),
});
export type CampaignRequest = MessageOf<typeof CampaignRequest>;

export const LeaderKey = message("v3electionpb.LeaderKey", {
  name: bytes(1),
  key: bytes(2),
  rev: int64(3),
  lease: signedId(4),
});
export type LeaderKey = MessageOf<typeof LeaderKey>;

export const CampaignResponse = message("v3electionpb.CampaignResponse", {
  header: one(1, ResponseHeader),
  leader: one(2, LeaderKey),
});
export type CampaignResponse = MessageOf<typeof CampaignResponse>;

export const LeaderRequest = message("v3electionpb.LeaderRequest", {
  name: bytes(1),
});
export type LeaderRequest = MessageOf<typeof LeaderRequest>;

export const LeaderResponse = message("v3electionpb.LeaderResponse", {
  header: one(1, ResponseHeader),
  kv: one(2, KeyValue),
});
export type LeaderResponse = MessageOf<typeof LeaderResponse>;

export const ResignRequest = message("v3electionpb.ResignRequest", {
  leader: one(1, LeaderKey),
});
export type ResignRequest = MessageOf<typeof ResignRequest>;

export const ResignResponse = message("v3electionpb.ResignResponse", {
  header: one(1, ResponseHeader),
});
export type ResignResponse = MessageOf<typeof ResignResponse>;

export const ProclaimRequest = message("v3electionpb.ProclaimRequest", {
  leader: one(1, LeaderKey),
  value: bytes(2),
});
export type ProclaimRequest = MessageOf<typeof ProclaimRequest>;

export const ProclaimResponse = message("v3electionpb.ProclaimResponse", {
  header: one(1, ResponseHeader),
});
export type ProclaimResponse = MessageOf<typeof ProclaimResponse>;
