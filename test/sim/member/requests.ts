import type { Applied } from "../../../src/apply/index.ts";
import { textToBytes } from "../../../src/base/index.ts";
import { api, decodeMessage, encodeMessage, type Init, REQUEST } from "../../../src/proto/index.ts";

/** A request as it goes into the log. */
export interface Request {
  readonly field: number;
  readonly bytes: Uint8Array;
}

type Op = Init<api.RequestOp>;

export function put(key: string, value: string, lease = 0n): Request {
  return { field: REQUEST.put, bytes: encodeMessage(api.PutRequest, putOf(key, value, lease)) };
}

/** Deletes a key, or all from it to before `end`. */
export function remove(key: string, end = ""): Request {
  const bytes = encodeMessage(api.DeleteRangeRequest, removalOf(key, end));
  return { field: REQUEST.deleteRange, bytes };
}

export function txn(request: Init<api.TxnRequest>): Request {
  return { field: REQUEST.txn, bytes: encodeMessage(api.TxnRequest, request) };
}

export function compact(revision: number): Request {
  return { field: REQUEST.compaction, bytes: encodeMessage(api.CompactionRequest, { revision }) };
}

export function grant(ID: bigint, TTL: number): Request {
  return { field: REQUEST.leaseGrant, bytes: encodeMessage(api.LeaseGrantRequest, { ID, TTL }) };
}

export function revoke(ID: bigint): Request {
  return { field: REQUEST.leaseRevoke, bytes: encodeMessage(api.LeaseRevokeRequest, { ID }) };
}

export const putOp = (key: string, value: string, lease = 0n): Op => ({
  requestPut: putOf(key, value, lease),
});

export const removeOp = (key: string, end = ""): Op => ({
  requestDeleteRange: removalOf(key, end),
});

function putOf(key: string, value: string, lease: bigint) {
  return { key: textToBytes(key), value: textToBytes(value), lease };
}

function removalOf(key: string, end: string) {
  return { key: textToBytes(key), rangeEnd: textToBytes(end) };
}

/** What a client is told, as the model tells it. */
export function answerOf(field: number, { error, message }: Applied): string {
  if (error !== undefined) return error;
  const bytes = message!;
  // The header is the first field of every reply.
  const revision = `revision ${decodeMessage(api.PutResponse, bytes).header?.revision}`;
  switch (field) {
    case REQUEST.deleteRange:
      return `${revision}, deleted ${decodeMessage(api.DeleteRangeResponse, bytes).deleted}`;
    case REQUEST.txn:
      return `${revision}, ${decodeMessage(api.TxnResponse, bytes).succeeded}`;
    case REQUEST.leaseGrant:
      return `${revision}, for ${decodeMessage(api.LeaseGrantResponse, bytes).TTL} s`;
    default:
      return revision;
  }
}
