import { EMPTY_BYTES } from "../base/index.ts";
import { BYTES, Reader, VARINT, type Writer } from "./wire.ts";

/**
 * Hand-written codecs of the messages on the hot path of etcdserverpb.KV. Byte fields are views
 * of the message they were read from. Field numbers: etcdserverpb/rpc.proto.
 */

export interface RangeRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  limit: number;
  revision: number;
  sortOrder: number;
  sortTarget: number;
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

export interface PutRequest {
  key: Uint8Array;
  value: Uint8Array;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

export interface DeleteRangeRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  prevKv: boolean;
}

export interface Compare {
  result: number;
  target: number;
  key: Uint8Array;
  rangeEnd: Uint8Array;
  /** The value to compare with and which field of the union it came in; 0 when none was sent. */
  unionField: number;
  number: number;
  lease: bigint;
  value: Uint8Array;
}

export type RequestOp =
  | { kind: "range"; range: RangeRequest }
  | { kind: "put"; put: PutRequest }
  | { kind: "delete"; delete: DeleteRangeRequest }
  | { kind: "txn"; txn: TxnRequest }
  | { kind: "none" };

export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export const COMPARE_RESULT = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;
export const COMPARE_TARGET = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;
export const SORT_ORDER = { none: 0, ascend: 1, descend: 2 } as const;
export const SORT_TARGET = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;

const V = VARINT;
const B = BYTES;

export function decodeRangeRequest(r: Reader): RangeRequest {
  const m: RangeRequest = {
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
  return mergeRangeRequest(r, m);
}

function mergeRangeRequest(r: Reader, m: RangeRequest): RangeRequest {
  while (r.next()) {
    switch (r.tag) {
      case 8 + B:
        m.key = r.view();
        break;
      case 16 + B:
        m.rangeEnd = r.view();
        break;
      case 24 + V:
        m.limit = r.int();
        break;
      case 32 + V:
        m.revision = r.int();
        break;
      case 40 + V:
        m.sortOrder = r.int32();
        break;
      case 48 + V:
        m.sortTarget = r.int32();
        break;
      case 56 + V:
        m.serializable = r.bool();
        break;
      case 64 + V:
        m.keysOnly = r.bool();
        break;
      case 72 + V:
        m.countOnly = r.bool();
        break;
      case 80 + V:
        m.minModRevision = r.int();
        break;
      case 88 + V:
        m.maxModRevision = r.int();
        break;
      case 96 + V:
        m.minCreateRevision = r.int();
        break;
      case 104 + V:
        m.maxCreateRevision = r.int();
        break;
      default:
        r.skip();
    }
  }
  return m;
}

export function decodePutRequest(r: Reader): PutRequest {
  const m: PutRequest = {
    key: EMPTY_BYTES,
    value: EMPTY_BYTES,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
  return mergePutRequest(r, m);
}

function mergePutRequest(r: Reader, m: PutRequest): PutRequest {
  while (r.next()) {
    switch (r.tag) {
      case 8 + B:
        m.key = r.view();
        break;
      case 16 + B:
        m.value = r.view();
        break;
      case 24 + V:
        m.lease = r.signedBig();
        break;
      case 32 + V:
        m.prevKv = r.bool();
        break;
      case 40 + V:
        m.ignoreValue = r.bool();
        break;
      case 48 + V:
        m.ignoreLease = r.bool();
        break;
      default:
        r.skip();
    }
  }
  return m;
}

export function decodeDeleteRangeRequest(r: Reader): DeleteRangeRequest {
  return mergeDeleteRangeRequest(r, { key: EMPTY_BYTES, rangeEnd: EMPTY_BYTES, prevKv: false });
}

function mergeDeleteRangeRequest(r: Reader, m: DeleteRangeRequest): DeleteRangeRequest {
  while (r.next()) {
    switch (r.tag) {
      case 8 + B:
        m.key = r.view();
        break;
      case 16 + B:
        m.rangeEnd = r.view();
        break;
      case 24 + V:
        m.prevKv = r.bool();
        break;
      default:
        r.skip();
    }
  }
  return m;
}

export function decodeCompare(r: Reader): Compare {
  const m: Compare = {
    result: 0,
    target: 0,
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    unionField: 0,
    number: 0,
    lease: 0n,
    value: EMPTY_BYTES,
  };
  while (r.next()) {
    switch (r.tag) {
      case 8 + V:
        m.result = r.int32();
        break;
      case 16 + V:
        m.target = r.int32();
        break;
      case 24 + B:
        m.key = r.view();
        break;
      case 32 + V:
      case 40 + V:
      case 48 + V:
        m.unionField = r.tag >>> 3;
        m.number = r.int();
        break;
      case 56 + B:
        m.unionField = 7;
        m.value = r.view();
        break;
      case 64 + V:
        m.unionField = 8;
        m.lease = r.signedBig();
        break;
      case 512 + B:
        m.rangeEnd = r.view();
        break;
      default:
        r.skip();
    }
  }
  return m;
}

/** Deeper nesting is not a message: Go's protobuf stops at 10,000, and the op limit long before. */
const TXN_DEPTH_MAX = 1000;

export function decodeTxnRequest(r: Reader, depth = 0): TxnRequest {
  return mergeTxnRequest(r, { compare: [], success: [], failure: [] }, depth);
}

function mergeTxnRequest(r: Reader, m: TxnRequest, depth: number): TxnRequest {
  if (depth > TXN_DEPTH_MAX) r.fail("exceeded maximum recursion depth");
  while (r.next()) {
    switch (r.tag) {
      case 8 + B:
        m.compare.push(decodeCompare(r.nested()));
        break;
      case 16 + B:
        m.success.push(decodeRequestOp(r.nested(), depth));
        break;
      case 24 + B:
        m.failure.push(decodeRequestOp(r.nested(), depth));
        break;
      default:
        r.skip();
    }
  }
  return m;
}

/** A union member that is sent twice is merged with itself; another member replaces it. */
function decodeRequestOp(r: Reader, depth: number): RequestOp {
  let op: RequestOp = { kind: "none" };
  while (r.next()) {
    switch (r.tag) {
      case 8 + B: {
        const inner = r.nested();
        op =
          op.kind === "range"
            ? { kind: "range", range: mergeRangeRequest(inner, op.range) }
            : { kind: "range", range: decodeRangeRequest(inner) };
        break;
      }
      case 16 + B: {
        const inner = r.nested();
        op =
          op.kind === "put"
            ? { kind: "put", put: mergePutRequest(inner, op.put) }
            : { kind: "put", put: decodePutRequest(inner) };
        break;
      }
      case 24 + B: {
        const inner = r.nested();
        op =
          op.kind === "delete"
            ? { kind: "delete", delete: mergeDeleteRangeRequest(inner, op.delete) }
            : { kind: "delete", delete: decodeDeleteRangeRequest(inner) };
        break;
      }
      case 32 + B: {
        const inner = r.nested();
        op =
          op.kind === "txn"
            ? { kind: "txn", txn: mergeTxnRequest(inner, op.txn, depth + 1) }
            : { kind: "txn", txn: decodeTxnRequest(inner, depth + 1) };
        break;
      }
      default:
        r.skip();
    }
  }
  return op;
}

/** Identity of the answering member and its position; revision 0 leaves the field out. */
export interface ResponseHeader {
  clusterId: bigint;
  memberId: bigint;
  revision: number;
  raftTerm: number;
}

/**
 * Writes etcdserverpb.ResponseHeader as field 1 of a response. The two ids never change, so their
 * bytes are made once.
 */
export class HeaderWriter {
  readonly #ids: Uint8Array;

  constructor(clusterId: bigint, memberId: bigint, writer: Writer) {
    writer.reset();
    writer.bigField(1, clusterId);
    writer.bigField(2, memberId);
    this.#ids = writer.copy();
  }

  write(w: Writer, revision: number, raftTerm: number): void {
    const start = w.open(1);
    w.raw(this.#ids);
    w.intField(3, revision);
    w.intField(4, raftTerm);
    w.close(start);
  }
}
