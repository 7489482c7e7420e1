import { bytesToKey, compareBytes, equalBytes } from "../base/index.ts";
import {
  type DeleteRangeRequest,
  type ErrorName,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  SORT_ORDER,
  SORT_TARGET,
  type TxnRequest,
} from "../proto/index.ts";

/**
 * What a request must be before it is worth proposing. Each check answers the name of the refusal,
 * or undefined. Source: etcd `server/etcdserver/api/v3rpc/key.go`.
 */
type Refusal = ErrorName | undefined;

export function checkRange(request: RangeRequest): Refusal {
  if (request.key.length === 0) return "emptyKey";
  const { sortOrder, sortTarget } = request;
  if (sortOrder < 0 || sortOrder > SORT_ORDER.descend) return "invalidSortOption";
  if (sortTarget < 0 || sortTarget > SORT_TARGET.value) return "invalidSortOption";
  return undefined;
}

export function checkPut(request: PutRequest): Refusal {
  if (request.key.length === 0) return "emptyKey";
  if (request.ignoreValue && request.value.length !== 0) return "valueProvided";
  if (request.ignoreLease && request.lease !== 0n) return "leaseProvided";
  return undefined;
}

export function checkDeleteRange(request: DeleteRangeRequest): Refusal {
  return request.key.length === 0 ? "emptyKey" : undefined;
}

export function checkTxn(request: TxnRequest, opsMax: number): Refusal {
  return checkTxnForm(request, opsMax) ?? checkOverlaps(request);
}

/** Sizes and single operations, this level first, then what is nested with the budget left. */
function checkTxnForm(request: TxnRequest, opsMax: number): Refusal {
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > opsMax) return "tooManyOps";
  if (compare.some(({ key }) => key.length === 0)) return "emptyKey";
  for (const op of [...success, ...failure]) {
    const refusal = checkOp(op, opsMax - ops);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function checkOp(op: RequestOp, opsLeft: number): Refusal {
  switch (op.kind) {
    case "range":
      return checkRange(op.range);
    case "put":
      return checkPut(op.put);
    case "delete":
      return checkDeleteRange(op.delete);
    case "txn":
      return checkTxnForm(op.txn, opsLeft);
    case "none":
      // Not a missing key, but this is what etcd answers.
      return "keyNotFound";
  }
}

function checkOverlaps(request: TxnRequest): Refusal {
  for (const branch of [request.success, request.failure]) {
    const touched = collectTouched(branch);
    if (touched === undefined) return "duplicateKey";
  }
  return undefined;
}

interface Touched {
  readonly puts: Map<string, PutRequest>;
  readonly deletes: DeleteRangeRequest[];
}

/**
 * The keys that a branch puts and the ranges it deletes; undefined when a key may be put twice or
 * put and deleted. Both branches of a nested txn count, since either may run; its own two branches
 * may put the same key. Source: etcd `checkIntervals`.
 */
function collectTouched(ops: readonly RequestOp[]): Touched | undefined {
  const puts = new Map<string, PutRequest>();
  const deletes: DeleteRangeRequest[] = [];
  for (const op of ops) if (op.kind === "delete") deletes.push(op.delete);
  for (const op of ops) {
    if (op.kind !== "txn") continue;
    const yes = collectTouched(op.txn.success);
    if (yes === undefined || clashes(yes.puts, puts, deletes)) return undefined;
    const before = new Map(puts);
    for (const [name, put] of yes.puts) puts.set(name, put);
    const no = collectTouched(op.txn.failure);
    if (no === undefined || clashes(no.puts, before, deletes)) return undefined;
    for (const [name, put] of no.puts) puts.set(name, put);
    deletes.push(...yes.deletes, ...no.deletes);
  }
  for (const op of ops) {
    if (op.kind !== "put") continue;
    const name = bytesToKey(op.put.key);
    if (puts.has(name) || deletes.some((range) => undoes(range, op.put))) return undefined;
    puts.set(name, op.put);
  }
  return { puts, deletes };
}

function clashes(
  added: ReadonlyMap<string, PutRequest>,
  puts: ReadonlyMap<string, PutRequest>,
  deletes: readonly DeleteRangeRequest[],
): boolean {
  for (const [name, put] of added) {
    if (puts.has(name) || deletes.some((range) => undoes(range, put))) return true;
  }
  return false;
}

/**
 * Whether a delete takes away what the same txn puts. As in etcd the end "\0" is no sign for "all
 * keys" here, and such a range covers nothing; but a put that keeps the old value or lease would
 * find none left (etcd crashes on it), so for those it does count.
 */
function undoes(range: DeleteRangeRequest, { key, ignoreValue, ignoreLease }: PutRequest): boolean {
  const { rangeEnd } = range;
  if (rangeEnd.length === 0) return equalBytes(range.key, key);
  if (compareBytes(range.key, key) > 0) return false;
  if (compareBytes(key, rangeEnd) < 0) return true;
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return isOpen && (ignoreValue || ignoreLease);
}
