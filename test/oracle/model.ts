/** What a generator needs to know to ask pointed questions; learnt from the answers alone. */
import type { Message } from "@bufbuild/protobuf";
import type { KeyValue, RangeResponse, RequestOp, TxnRequest } from "../lib/api.ts";
import { bytesText } from "./plain.ts";

export class Model {
  /** Current revision of the store. */
  revision = 1;
  /** Revision of the last compaction, or 0. */
  compacted = 0;
  /** Keys as last seen; may be out of date, which is as useful to ask about. */
  readonly seen = new Map<string, KeyValue>();
  /** `performance.now()` when a compaction was begun whose reply did not wait for the work. */
  compactingSince = 0;
  /**
   * Revisions in which keys were deleted and put again. etcd 3.7.3 loses such keys when it compacts
   * at just that revision, and dies when they are read.
   */
  readonly #rewritten = new Set<number>();
  /** Leases whose ids the generator chose, that are alive. */
  readonly leases = new Set<bigint>();
  /** Stand-ins of leases whose ids the servers chose, that are alive. */
  readonly serverLeases = new Set<bigint>();
  #standIns = 0n;

  /** A lease id no server would choose: names a lease with a different id on each side. */
  newStandIn(): bigint {
    this.#standIns += 1n;
    return 0x7000_0000_0000_0000n + this.#standIns;
  }

  /** The last revision up to the given one that etcd can compact at. */
  compactable(revision: number): number {
    let found = revision;
    while (this.#rewritten.has(found)) found--;
    return found;
  }

  learn(answer: Message, request?: Message): void {
    const { header } = answer as { header?: { revision: bigint } };
    if (header !== undefined && Number(header.revision) > this.revision) {
      this.revision = Number(header.revision);
    }
    if (request?.$typeName === "etcdserverpb.TxnRequest" && mayRewrite(request as TxnRequest)) {
      this.#rewritten.add(this.revision);
    }
    if (answer.$typeName === "etcdserverpb.RangeResponse") {
      for (const kv of (answer as RangeResponse).kvs) this.seen.set(bytesText(kv.key), kv);
    }
  }
}

/** Only a delete without an end may cover what its own transaction puts. */
function mayRewrite(txn: TxnRequest): boolean {
  const ops = allOps(txn);
  const isOpen = ({ request }: RequestOp) =>
    request.case === "requestDeleteRange" &&
    request.value.rangeEnd.length === 1 &&
    request.value.rangeEnd[0] === 0;
  return ops.some(isOpen) && ops.some(({ request }) => request.case === "requestPut");
}

function allOps({ success, failure }: TxnRequest): RequestOp[] {
  return [...success, ...failure].flatMap((op) =>
    op.request.case === "requestTxn" ? allOps(op.request.value) : [op],
  );
}
