/** Requests of a history as the API's messages, and answers back. */
import { bytesToKey, keyToBytes } from "../../../src/base/index.ts";
import { api, decodeMessage, encodeMessage, type Init } from "../../../src/proto/index.ts";
import type { Answer, Change, Pair, Request, Span, Write } from "../../lib/history/index.ts";

/** Keys of a span without an upper bound. */
export const END = "\uffff";

export interface Encoded {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly decode: (bytes: Uint8Array) => Answer;
}

/** Without `renew`, which is a stream. */
export function encode(request: Exclude<Request, { kind: "renew" }>): Encoded {
  switch (request.kind) {
    case "put":
      return {
        path: "/etcdserverpb.KV/Put",
        bytes: encodeMessage(api.PutRequest, putOf(request)),
        decode: (bytes) => ({ revision: revisionOf(decodeMessage(api.PutResponse, bytes)) }),
      };
    case "delete":
      return {
        path: "/etcdserverpb.KV/DeleteRange",
        bytes: encodeMessage(api.DeleteRangeRequest, spanOf(request)),
        decode: (bytes) => {
          const answer = decodeMessage(api.DeleteRangeResponse, bytes);
          return { revision: revisionOf(answer), deleted: answer.deleted };
        },
      };
    case "range":
      return encodeRange(request);
    case "txn":
      return encodeTxn(request);
    case "grant": {
      const { lease, ttlSeconds: TTL } = request;
      return {
        path: "/etcdserverpb.Lease/LeaseGrant",
        bytes: encodeMessage(api.LeaseGrantRequest, { ID: leaseOf(lease), TTL }),
        decode: (bytes) => {
          const answer = decodeMessage(api.LeaseGrantResponse, bytes);
          return { revision: revisionOf(answer), ttlSeconds: answer.TTL };
        },
      };
    }
    case "revoke":
      return {
        path: "/etcdserverpb.Lease/LeaseRevoke",
        bytes: encodeMessage(api.LeaseRevokeRequest, { ID: leaseOf(request.lease) }),
        decode: (bytes) => ({ revision: revisionOf(decodeMessage(api.PutResponse, bytes)) }),
      };
    case "other":
      throw new Error(`nothing is asked for by ${request.name}`);
  }
}

function encodeRange(request: Request & { kind: "range" }): Encoded {
  const { isSerializable: serializable = false, revision = 0 } = request;
  return {
    path: "/etcdserverpb.KV/Range",
    bytes: encodeMessage(api.RangeRequest, { ...spanOf(request), serializable, revision }),
    decode: (bytes) => {
      const answer = decodeMessage(api.RangeResponse, bytes);
      return { revision: revisionOf(answer), pairs: answer.kvs.map(pairOf) };
    },
  };
}

function encodeTxn(request: Request & { kind: "txn" }): Encoded {
  const message: Init<api.TxnRequest> = {
    compare: request.compares.map(({ key, modRevision }) => ({
      key: keyToBytes(key),
      target: MOD,
      modRevision,
    })),
    success: request.success.map(opOf),
    failure: request.failure.map(opOf),
  };
  return {
    path: "/etcdserverpb.KV/Txn",
    bytes: encodeMessage(api.TxnRequest, message),
    decode: (bytes) => {
      const answer = decodeMessage(api.TxnResponse, bytes);
      const deleted = answer.responses.reduce(
        (sum, { responseDeleteRange }) => sum + (responseDeleteRange?.deleted ?? 0),
        0,
      );
      return { revision: revisionOf(answer), succeeded: answer.succeeded, deleted };
    },
  };
}

/** Compare.CompareTarget. */
const MOD = 2;

const opOf = (write: Write): Init<api.RequestOp> =>
  write.kind === "put" ? { requestPut: putOf(write) } : { requestDeleteRange: spanOf(write) };

const putOf = ({ key, value, lease }: Write & { kind: "put" }) => ({
  key: keyToBytes(key),
  value: keyToBytes(value),
  lease: lease === undefined ? 0n : leaseOf(lease),
});

export function spanOf({ key, end }: Span) {
  const rangeEnd = end === undefined ? "" : end === END ? "\0" : end;
  return { key: keyToBytes(key === "" ? "\0" : key), rangeEnd: keyToBytes(rangeEnd) };
}

export const leaseOf = (lease: string): bigint => BigInt(`0x${lease}`);

export function revisionOf({ header }: { header?: api.ResponseHeader | undefined }): number {
  return header!.revision;
}

function pairOf(kv: api.KeyValue): Pair {
  return {
    key: bytesToKey(kv.key),
    value: bytesToKey(kv.value),
    modRevision: kv.modRevision,
    createRevision: kv.createRevision,
    version: kv.version,
    ...(kv.lease !== 0n && { lease: kv.lease.toString(16) }),
  };
}

/** Event.EventType. */
const DELETE = 1;

export function changeOf({ type, kv }: api.Event): Change {
  const revision = kv!.modRevision;
  return { revision, key: bytesToKey(kv!.key), pair: type === DELETE ? undefined : pairOf(kv!) };
}
