import {
  bool,
  bytes,
  int64,
  many,
  message,
  type MessageOf,
  one,
  signedId,
  string,
} from "../schema.ts";
import { ResponseHeader } from "./store.ts";

/** Leases. TTLs are seconds. */

export const LeaseGrantRequest = message("etcdserverpb.LeaseGrantRequest", {
  TTL: int64(1),
  ID: signedId(2),
});
export type LeaseGrantRequest = MessageOf<typeof LeaseGrantRequest>;

export const LeaseGrantResponse = message("etcdserverpb.LeaseGrantResponse", {
  header: one(1, ResponseHeader),
  ID: signedId(2),
  TTL: int64(3),
  error: string(4),
});
export type LeaseGrantResponse = MessageOf<typeof LeaseGrantResponse>;

export const LeaseRevokeRequest = message("etcdserverpb.LeaseRevokeRequest", {
  ID: signedId(1),
});
export type LeaseRevokeRequest = MessageOf<typeof LeaseRevokeRequest>;

export const LeaseRevokeResponse = message("etcdserverpb.LeaseRevokeResponse", {
  header: one(1, ResponseHeader),
});
export type LeaseRevokeResponse = MessageOf<typeof LeaseRevokeResponse>;

export const LeaseCheckpoint = message("etcdserverpb.LeaseCheckpoint", {
  ID: signedId(1),
  remaining_TTL: int64(2),
});
export type LeaseCheckpoint = MessageOf<typeof LeaseCheckpoint>;

export const LeaseCheckpointRequest = message("etcdserverpb.LeaseCheckpointRequest", {
  checkpoints: many(one(1, LeaseCheckpoint)),
});
export type LeaseCheckpointRequest = MessageOf<typeof LeaseCheckpointRequest>;

export const LeaseCheckpointResponse = message("etcdserverpb.LeaseCheckpointResponse", {
  header: one(1, ResponseHeader),
});
export type LeaseCheckpointResponse = MessageOf<typeof LeaseCheckpointResponse>;

export const LeaseKeepAliveRequest = message("etcdserverpb.LeaseKeepAliveRequest", {
  ID: signedId(1),
});
export type LeaseKeepAliveRequest = MessageOf<typeof LeaseKeepAliveRequest>;

export const LeaseKeepAliveResponse = message("etcdserverpb.LeaseKeepAliveResponse", {
  header: one(1, ResponseHeader),
  ID: signedId(2),
  TTL: int64(3),
});
export type LeaseKeepAliveResponse = MessageOf<typeof LeaseKeepAliveResponse>;

export const LeaseTimeToLiveRequest = message("etcdserverpb.LeaseTimeToLiveRequest", {
  ID: signedId(1),
  keys: bool(2),
});
export type LeaseTimeToLiveRequest = MessageOf<typeof LeaseTimeToLiveRequest>;

export const LeaseTimeToLiveResponse = message("etcdserverpb.LeaseTimeToLiveResponse", {
  header: one(1, ResponseHeader),
  ID: signedId(2),
  TTL: int64(3),
  grantedTTL: int64(4),
  keys: many(bytes(5)),
});
export type LeaseTimeToLiveResponse = MessageOf<typeof LeaseTimeToLiveResponse>;

export const LeaseLeasesRequest = message("etcdserverpb.LeaseLeasesRequest", {});
export type LeaseLeasesRequest = MessageOf<typeof LeaseLeasesRequest>;

export const LeaseStatus = message("etcdserverpb.LeaseStatus", {
  ID: signedId(1),
});
export type LeaseStatus = MessageOf<typeof LeaseStatus>;

export const LeaseLeasesResponse = message("etcdserverpb.LeaseLeasesResponse", {
  header: one(1, ResponseHeader),
  leases: many(one(2, LeaseStatus)),
});
export type LeaseLeasesResponse = MessageOf<typeof LeaseLeasesResponse>;

// What members ask each other about leases.

export const LeaseInternalRequest = message("leasepb.LeaseInternalRequest", {
  LeaseTimeToLiveRequest: one(1, LeaseTimeToLiveRequest),
});
export type LeaseInternalRequest = MessageOf<typeof LeaseInternalRequest>;

export const LeaseInternalResponse = message("leasepb.LeaseInternalResponse", {
  LeaseTimeToLiveResponse: one(1, LeaseTimeToLiveResponse),
});
export type LeaseInternalResponse = MessageOf<typeof LeaseInternalResponse>;
