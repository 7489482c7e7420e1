import assert from "node:assert/strict";
import { test } from "node:test";
import { textToBytes } from "../base/index.ts";
import type { Compare, PutRequest, RangeRequest, RequestOp, TxnRequest } from "../proto/index.ts";
import { checkDeleteRange, checkPut, checkRange, checkTxn } from "./index.ts";

const NO_BYTES = new Uint8Array(0);

const putOf = (key: string): PutRequest => ({
  key: textToBytes(key),
  value: NO_BYTES,
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
});

const put = (key: string): RequestOp => ({ kind: "put", put: putOf(key) });

const del = (key: string, rangeEnd = ""): RequestOp => ({
  kind: "delete",
  delete: { key: textToBytes(key), rangeEnd: textToBytes(rangeEnd), prevKv: false },
});

const rangeOf = (key: string): RangeRequest => ({
  key: textToBytes(key),
  rangeEnd: NO_BYTES,
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
});

const range = (key: string, more = {}): RequestOp => ({
  kind: "range",
  range: { ...rangeOf(key), ...more },
});

const txn = (
  success: RequestOp[],
  failure: RequestOp[] = [],
  compare: Compare[] = [],
): TxnRequest => ({ compare, success, failure });

const nested = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  kind: "txn",
  txn: txn(success, failure),
});

const compare = (key: string): Compare => ({
  result: 0,
  target: 0,
  key: textToBytes(key),
  rangeEnd: NO_BYTES,
  unionField: 0,
  number: 0,
  lease: 0n,
  value: NO_BYTES,
});

/** Branches inside branches, `levels` of them below the first. */
const deep = (levels: number): TxnRequest =>
  levels === 0 ? txn([put("leaf")]) : txn([{ kind: "txn", txn: deep(levels - 1) }]);

const many = (count: number): RequestOp[] => Array.from({ length: count }, (_, i) => put(`k${i}`));

const cases: { what: string; request: TxnRequest; answer: string | undefined }[] = [
  { what: "an empty txn", request: txn([]), answer: undefined },
  { what: "128 operations", request: txn(many(128)), answer: undefined },
  { what: "129 operations", request: txn(many(129)), answer: "tooManyOps" },
  { what: "129 in the other branch", request: txn([], many(129)), answer: "tooManyOps" },
  {
    what: "129 compares",
    request: txn(
      [],
      [],
      Array.from({ length: 129 }, () => compare("k")),
    ),
    answer: "tooManyOps",
  },
  { what: "127 levels of nesting", request: deep(127), answer: undefined },
  { what: "128 levels of nesting", request: deep(128), answer: "tooManyOps" },
  { what: "a compare without a key", request: txn([], [], [compare("")]), answer: "emptyKey" },
  { what: "a put without a key", request: txn([put("")]), answer: "emptyKey" },
  { what: "a range without a key", request: txn([range("")]), answer: "emptyKey" },
  { what: "a delete without a key", request: txn([], [del("")]), answer: "emptyKey" },
  {
    what: "an operation without a request",
    request: txn([{ kind: "none" }]),
    answer: "keyNotFound",
  },
  {
    what: "an unknown sort order",
    request: txn([range("k", { sortOrder: 3 })]),
    answer: "invalidSortOption",
  },
  { what: "the same put twice", request: txn([put("a"), put("a")]), answer: "duplicateKey" },
  {
    what: "the same put in both branches",
    request: txn([put("a")], [put("a")]),
    answer: undefined,
  },
  { what: "a put and its delete", request: txn([put("a"), del("a")]), answer: "duplicateKey" },
  {
    what: "a put inside a deleted range",
    request: txn([del("a", "c"), put("b")]),
    answer: "duplicateKey",
  },
  {
    what: "a put at the end of a deleted range",
    request: txn([del("a", "c"), put("c")]),
    answer: undefined,
  },
  {
    what: 'a delete up to "\\0", which covers nothing here',
    request: txn([del("a", "\0"), put("b")]),
    answer: undefined,
  },
  {
    what: 'a put that keeps the old value under a delete up to "\\0"',
    request: txn([del("a", "\0"), { kind: "put", put: { ...putOf("b"), ignoreValue: true } }]),
    answer: "duplicateKey",
  },
  { what: "overlapping deletes", request: txn([del("a", "c"), del("b")]), answer: undefined },
  {
    what: "one put in both branches of a nested txn",
    request: txn([nested([put("a")], [put("a")])]),
    answer: undefined,
  },
  {
    what: "one put in opposite branches of two nested txns",
    request: txn([nested([put("a")]), nested([], [put("a")])]),
    answer: "duplicateKey",
  },
  {
    what: "a nested put of a key that the parent puts",
    request: txn([nested([put("a")]), put("a")]),
    answer: "duplicateKey",
  },
  {
    what: "a nested put that the parent deletes",
    request: txn([nested([put("a")]), del("a")]),
    answer: "duplicateKey",
  },
  {
    what: "a nested put that a later sibling deletes",
    request: txn([nested([put("a")]), nested([del("a")])]),
    answer: undefined,
  },
  {
    what: "a nested put that an earlier sibling deletes",
    request: txn([nested([del("a")]), nested([put("a")])]),
    answer: "duplicateKey",
  },
];

for (const { what, request, answer } of cases) {
  test(`${what}: ${answer ?? "accepted"} (etcd checkTxnRequest, checkIntervals)`, () => {
    assert.equal(checkTxn(request, 128), answer);
  });
}

const single: { what: string; answer: string | undefined; refusal: string | undefined }[] = [
  {
    what: "a put that keeps the value and brings one",
    answer: "valueProvided",
    refusal: checkPut({ ...putOf("k"), ignoreValue: true, value: textToBytes("v") }),
  },
  {
    what: "a put that keeps the lease and brings one",
    answer: "leaseProvided",
    refusal: checkPut({ ...putOf("k"), ignoreLease: true, lease: 1n }),
  },
  {
    what: "a put that keeps both",
    answer: undefined,
    refusal: checkPut({ ...putOf("k"), ignoreValue: true, ignoreLease: true }),
  },
  {
    what: "a range with an unknown sort target",
    answer: "invalidSortOption",
    refusal: checkRange({ ...rangeOf("k"), sortTarget: 5 }),
  },
  {
    what: "a range with a negative sort order",
    answer: "invalidSortOption",
    refusal: checkRange({ ...rangeOf("k"), sortOrder: -1 }),
  },
  {
    what: "a delete without a key",
    answer: "emptyKey",
    refusal: checkDeleteRange({ key: NO_BYTES, rangeEnd: NO_BYTES, prevKv: false }),
  },
];

for (const { what, answer, refusal } of single) {
  test(`${what}: ${answer ?? "accepted"}`, () => assert.equal(refusal, answer));
}
