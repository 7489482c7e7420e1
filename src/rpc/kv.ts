import {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  costOfPut,
  costOfTxn,
  isReadOnly,
  isSerializable,
  Transaction,
  type Applied,
} from "../apply/index.ts";
import { copyBytes } from "../base/index.ts";
import { OPERATION } from "../member/index.ts";
import type { RangeResult, RevisionRefusal, Slices } from "../mvcc/index.ts";
import {
  api,
  decodeDeleteRangeRequest,
  decodeMessage,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  type ErrorName,
  fail,
  type RangeRequest,
  Reader,
  REQUEST,
  type TxnRequest,
  Writer,
} from "../proto/index.ts";
import { type Answer, settle } from "./answer.ts";
import type { Service } from "./service.ts";
import { shedding } from "./shedding.ts";

export function put(service: Service, request: Uint8Array, answer: Answer): void {
  const decoded = decodePutRequest(new Reader(request));
  if (service.refuseForQuota(costOfPut(decoded), answer)) return;
  const refusal = checkPut(decoded);
  if (refusal !== undefined) answer.fail(fail(refusal));
  else service.propose(REQUEST.put, request, answer);
}

export function deleteRange(service: Service, request: Uint8Array, answer: Answer): void {
  const refusal = checkDeleteRange(decodeDeleteRangeRequest(new Reader(request)));
  if (refusal !== undefined) answer.fail(fail(refusal));
  else service.member.propose(REQUEST.deleteRange, request, answer);
}

export function range(service: Service, bytes: Uint8Array, answer: Answer): void {
  const request = decodeRangeRequest(new Reader(bytes));
  const refusal = checkRange(request);
  if (refusal !== undefined) {
    answer.fail(fail(refusal));
    return;
  }
  // Both ways may outlive the bytes that the request came in.
  request.key = service.arena.copy(request.key);
  if (request.rangeEnd.length > 0) request.rangeEnd = service.arena.copy(request.rangeEnd);
  const read = new RangeRead(service, request, answer);
  if (request.serializable) read.ready();
  else service.member.linearizable(read);
}

export function isSerializableRange(bytes: Uint8Array): boolean {
  return decodeRangeRequest(new Reader(bytes)).serializable;
}

/** Why a read has no result. */
type ReadRefusal = RevisionRefusal | "tooManyRequests";

/** One Range, from the moment it may read. */
class RangeRead {
  readonly #service: Service;
  readonly #request: RangeRequest;
  readonly #answer: Answer;
  readonly #arrived: number;
  #begun: number;

  constructor(service: Service, request: RangeRequest, answer: Answer) {
    this.#service = service;
    this.#arrived = this.#begun = service.member.now();
    this.#request = request;
    this.#answer = answer;
  }

  ready(): void {
    if (!this.#request.serializable) this.#begun = this.#service.member.now();
    const slices = this.#service.state.store.range(this.#request);
    const step = slices.next();
    if (step.done === true) this.#done(step.value);
    else this.#later(slices, step);
  }

  /** It takes long: so it waits for its turns, and needs much memory. */
  #later(slices: Slices<RangeResult | RevisionRefusal>, step: IteratorYieldResult<unknown>): void {
    const { member, slicer, memory } = this.#service;
    const rest = shedding(slices, memory);
    member.spawn(slicer.resume(rest, step).then((result) => this.#done(result)));
  }

  #done(result: RangeResult | ReadRefusal): void {
    const isOk = typeof result !== "string";
    this.#measure(isOk, this.#begun);
    if (isOk) this.#reply(result);
    else this.#answer.fail(fail(result));
  }

  /** Of lent memory, what cannot leave at once is copied: the next reply is made in it. */
  #reply(result: RangeResult): void {
    const { kvs } = result;
    const message = this.#service.replies.range(result, this.#service.raftTerm);
    this.#answer.reply(message, kvs.isLent ? "copy" : undefined);
    kvs.release();
  }

  fail(failure: { code: number; message: string }): void {
    this.#measure(false, undefined);
    this.#answer.fail(failure);
  }

  #measure(isOk: boolean, begun: number | undefined): void {
    const { member } = this.#service;
    const now = member.now();
    if (begun !== undefined) member.meters.ranges.observe(OPERATION.range, isOk, now - begun);
    member.meters.requests.observe(OPERATION.range, isOk, now - this.#arrived);
  }
}

export function txn(service: Service, request: Uint8Array, answer: Answer): void {
  const decoded = decodeTxnRequest(new Reader(request));
  if (service.refuseForQuota(costOfTxn(decoded), answer)) return;
  const refusal = checkTxn(decoded, service.limits.txnOpsMax);
  if (refusal !== undefined) {
    answer.fail(fail(refusal));
    return;
  }
  if (!isReadOnly(decoded)) {
    service.propose(REQUEST.txn, request, answer);
    return;
  }
  const kept = decodeTxnRequest(new Reader(copyBytes(request)));
  const read = () => service.member.spawn(readTxn(service, kept, answer));
  if (isSerializable(kept)) read();
  else service.linearizable(answer, read);
}

/**
 * A txn of nothing but reads. All of it must see one revision: when the store moved on while it
 * waited between two slices, it begins again.
 */
async function readTxn(service: Service, request: TxnRequest, answer: Answer): Promise<void> {
  const { store, lessor } = service.state;
  const transaction = new Transaction(store, lessor);
  const begun = service.member.now();
  for (;;) {
    const revision = store.currentRevision;
    const reading = runReadTxn(service, transaction, request);
    const step = reading.next();
    const result = step.done
      ? step.value
      : await service.slicer.resume(shedding(reading, service.memory), step);
    if (store.currentRevision !== revision) continue;
    const ms = service.member.now() - begun;
    service.member.meters.requests.observe(OPERATION.readonlyTxn, typeof result !== "string", ms);
    if (typeof result === "string") answer.fail(fail(result));
    else {
      const w = service.replies.start(revision, service.raftTerm);
      w.raw(result.view());
      answer.reply(w.view());
    }
    return;
  }
}

function* runReadTxn(
  service: Service,
  transaction: Transaction,
  request: TxnRequest,
): Slices<Writer | ErrorName> {
  const plan = yield* transaction.plan(request);
  const refusal = yield* transaction.check(plan);
  if (refusal !== undefined) return refusal;
  const fields = new Writer(512);
  yield* transaction.executeReads(plan, service.state.store, fields);
  return fields;
}

export function compact(service: Service, request: Uint8Array, answer: Answer): void {
  const { physical, revision } = decodeMessage(api.CompactionRequest, request);
  service.member.propose(REQUEST.compaction, request, {
    fail: (failure) => answer.fail(failure),
    settle: (applied) => settleCompaction(service, applied, { physical, revision }, answer),
  });
}

/** A physical compaction is answered when what it removes is gone from the page file. */
function settleCompaction(
  service: Service,
  applied: Applied,
  { physical, revision }: { physical: boolean; revision: number },
  answer: Answer,
): void {
  if (!physical || applied.message === undefined) {
    settle(answer, applied);
    return;
  }
  const message = copyBytes(applied.message);
  service.member.spawn(service.member.compacted(revision).then(() => answer.reply(message)));
}
