import { assert, copyBytes, EMPTY_BYTES } from "../base/index.ts";
import type { Lessor } from "../lease/index.ts";
import {
  decodeKeyValue,
  type RangeRequest as RangeQuery,
  type RangeResult,
  restartable,
  type Slices,
  type Store,
  type WriteTxn,
} from "../mvcc/index.ts";
import type {
  DeleteRangeRequest,
  ErrorName,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  Writer,
} from "../proto/index.ts";
import { writeFrames, writeRangeFields } from "./replies.ts";

const DETACHED_IN_A_SLICE = 2000;

/** Tag of DeleteRangeResponse.prev_kvs. */
const PREV_KVS_TAG = 0x1a;

/** A txn whose branches hold nothing but ranges changes nothing and needs no log entry. */
export function isReadOnly(request: TxnRequest): boolean {
  return ops(request).every((op) => op.kind === "range");
}

/** A read-only txn that may be answered from this member's state as it is. */
export function isSerializable(request: TxnRequest): boolean {
  return ops(request).every((op) => op.kind === "range" && op.range.serializable);
}

function ops(request: TxnRequest): RequestOp[] {
  return [...request.success, ...request.failure];
}

/** What the compares decided: the branch to run at this level, and likewise inside. */
interface Plan {
  readonly succeeded: boolean;
  readonly steps: readonly { readonly op: RequestOp; readonly nested: Plan | undefined }[];
}

/** What a range inside a txn reads through: the write under way, or the store itself. */
type Reads = Pick<WriteTxn, "range">;

/**
 * Runs one Txn: all compares of all levels against the state before it, then every check that
 * could fail, then the operations. Nothing may fail once something has been written.
 * Source: etcd `server/etcdserver/txn`.
 */
export class Transaction {
  readonly #store: Store;
  readonly #lessor: Lessor;

  constructor(store: Store, lessor: Lessor) {
    this.#store = store;
    this.#lessor = lessor;
  }

  *plan(request: TxnRequest): Slices<Plan> {
    let succeeded = true;
    for (const compare of request.compare) {
      succeeded = yield* this.#store.holds(compare);
      if (!succeeded) break;
    }
    const steps: { op: RequestOp; nested: Plan | undefined }[] = [];
    for (const op of succeeded ? request.success : request.failure) {
      steps.push({ op, nested: op.kind === "txn" ? yield* this.plan(op.txn) : undefined });
    }
    return { succeeded, steps };
  }

  /** Whether the chosen operations can all be carried out. */
  *check(plan: Plan): Slices<ErrorName | undefined> {
    for (const { op, nested } of plan.steps) {
      let refusal: ErrorName | undefined;
      if (op.kind === "range") refusal = this.#checkRevision(op.range.revision);
      else if (op.kind === "put") refusal = yield* this.checkPut(op.put);
      else if (nested !== undefined) refusal = yield* this.check(nested);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #checkRevision(revision: number): ErrorName | undefined {
    if (revision === 0) return undefined;
    if (revision > this.#store.currentRevision) return "futureRev";
    return revision < this.#store.compactedRevision ? "compacted" : undefined;
  }

  *checkPut(put: PutRequest): Slices<ErrorName | undefined> {
    if (put.lease !== 0n && this.#lessor.get(put.lease) === undefined) return "leaseNotFound";
    if (!put.ignoreValue && !put.ignoreLease) return undefined;
    const previous = yield* restartable(() => this.#store.get(put.key));
    return previous === undefined ? "keyNotFound" : undefined;
  }

  /** Writes TxnResponse's fields behind the header. `w` is undefined when nobody waits. */
  *execute(plan: Plan, txn: WriteTxn, w: Writer | undefined): Slices<void> {
    w?.boolField(2, plan.succeeded);
    for (const { op, nested } of plan.steps) {
      const response = w?.open(3);
      yield* this.#step(op, nested, txn, w);
      if (response !== undefined) w?.close(response);
    }
  }

  /** The same for a txn that only reads. */
  *executeReads(plan: Plan, reads: Reads, w: Writer): Slices<void> {
    w.boolField(2, plan.succeeded);
    for (const { op } of plan.steps) {
      assert(op.kind === "range", "a txn of nothing but reads");
      const response = w.open(3);
      yield* writeRange(w, op.range, reads);
      w.close(response);
    }
  }

  *#step(
    op: RequestOp,
    nested: Plan | undefined,
    txn: WriteTxn,
    w: Writer | undefined,
  ): Slices<void> {
    switch (op.kind) {
      case "range":
        if (w !== undefined) yield* writeRange(w, op.range, txn);
        return;
      case "put": {
        const start = w?.open(2);
        yield* this.#put(op.put, txn, w);
        if (start !== undefined) w?.close(start);
        return;
      }
      case "delete": {
        const start = w?.open(3);
        yield* this.#delete(op.delete, txn, w);
        if (start !== undefined) w?.close(start);
        return;
      }
      case "txn": {
        assert(nested !== undefined, "a nested txn was planned");
        const start = w?.open(4);
        // The header of a nested response is there, and empty.
        w?.messageField(1, EMPTY_BYTES);
        yield* this.execute(nested, txn, w);
        if (start !== undefined) w?.close(start);
        return;
      }
      case "none":
        assert(false, "an empty operation was refused before it was proposed");
    }
  }

  *#put(put: PutRequest, txn: WriteTxn, w: Writer | undefined): Slices<void> {
    const previous = yield* this.write(put, txn);
    if (w === undefined) return;
    writeRevision(w, txn.beginRevision + 1);
    if (put.prevKv && previous !== undefined) w.messageField(2, previous);
  }

  /** Carries a put out. Returns an owned copy of the pair before it, where the put looks at it. */
  *write(put: PutRequest, txn: WriteTxn): Slices<Uint8Array | undefined> {
    let previous: Uint8Array | undefined;
    let { value, lease } = put;
    if (put.prevKv || put.ignoreValue || put.ignoreLease) {
      const found = yield* restartable(() => txn.get(put.key));
      if (found !== undefined) previous = copyBytes(found);
    }
    if (previous !== undefined && (put.ignoreValue || put.ignoreLease)) {
      const pair = decodeKeyValue(previous);
      if (put.ignoreValue) value = pair.value;
      if (put.ignoreLease) lease = pair.lease;
    }
    yield* restartable(() => txn.put(put.key, value, lease));
    this.#lessor.attach(lease, put.key);
    return previous;
  }

  *#delete(request: DeleteRangeRequest, txn: WriteTxn, w: Writer | undefined): Slices<void> {
    if (w === undefined) {
      yield* this.remove(request, txn);
      return;
    }
    const previous = yield* this.previous(request, txn);
    const deleted = yield* this.remove(request, txn);
    writeRevision(w, txn.revision);
    w.intField(2, deleted);
    if (previous !== undefined) writeFrames(w, previous.kvs);
  }

  /** The pairs that a delete is about to remove, if it wants to know them. */
  *previous(request: DeleteRangeRequest, txn: WriteTxn): Slices<RangeResult | undefined> {
    if (!request.prevKv) return undefined;
    const { key, rangeEnd } = request;
    return yield* mustRange(txn, { key, rangeEnd, withoutCount: true, tag: PREV_KVS_TAG });
  }

  /**
   * Carries a delete out and returns how many keys it took. They leave their leases at once: a
   * later put of the same txn may attach one of them anew.
   */
  *remove({ key, rangeEnd }: DeleteRangeRequest, txn: WriteTxn): Slices<number> {
    const { changes } = txn;
    const before = changes.length;
    const deleted = yield* txn.deleteRange(key, rangeEnd);
    for (let i = before; i < changes.length; i++) {
      this.#lessor.detach(changes.key(i));
      if (i % DETACHED_IN_A_SLICE === DETACHED_IN_A_SLICE - 1) yield undefined;
    }
    return deleted;
  }
}

/** A RangeResponse inside a txn: its header carries only the working revision. */
function* writeRange(w: Writer, request: RangeRequest, reads: Reads): Slices<void> {
  const start = w.open(1);
  const result = yield* mustRange(reads, request);
  writeRevision(w, result.revision);
  writeRangeFields(w, result);
  w.close(start);
}

function* mustRange(reads: Reads, query: RangeQuery): Slices<RangeResult> {
  const result = yield* reads.range(query);
  assert(typeof result !== "string", "the revision was checked before the txn began");
  return result;
}

/** A ResponseHeader with nothing but a revision. */
function writeRevision(w: Writer, revision: number): void {
  const start = w.open(1);
  w.intField(3, revision);
  w.close(start);
}
