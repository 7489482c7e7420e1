import { checkRange } from "../apply/index.ts";
import { concatBytes, copyBytes } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import { type RangeResult, decodeKeyValue } from "../mvcc/index.ts";
import {
  BYTES,
  CODE,
  decodeRangeRequest,
  type Failure,
  fail,
  type RangeRequest,
  Reader,
  SORT_ORDER,
  SORT_TARGET,
  Writer,
} from "../proto/index.ts";
import type { Service } from "./service.ts";

/** Keys of the first chunk; from then on their number follows the size of the chunks. */
const CHUNK_KEYS_FIRST = 10;
/** A chunk is read at once: the more there is in it, the better pages are used (see BulkPairs). */
const CHUNK_BYTES = 64 * 1024 * 1024;

/**
 * A range in chunks, all at one revision, in messages of about the size of a request. Only the last
 * message has a header, `more` and `count`. With a sort target but no order each chunk is sorted by itself,
 * and the next one begins behind its last key, whichever that is: so does etcd. Source: etcd
 * `server/etcdserver/v3_server.go` RangeStream.
 */
export function rangeStream(service: Service, call: ServerCall): void {
  call.onMessage = (bytes) => {
    const request = decodeRangeRequest(new Reader(copyBytes(bytes)));
    const refusal = check(request);
    if (refusal !== undefined) {
      call.end(refusal);
      return;
    }
    const send = () => service.member.spawn(new RangeSender(service, call, request).run());
    if (request.serializable) send();
    else service.linearizable({ fail: (failure) => call.end(failure) }, send);
  };
}

function check(request: RangeRequest): Failure | undefined {
  const refusal = checkRange(request);
  if (refusal !== undefined) return fail(refusal);
  const { sortOrder, sortTarget } = request;
  const isByKey = sortTarget === SORT_TARGET.key && sortOrder === SORT_ORDER.ascend;
  if (sortOrder !== SORT_ORDER.none && !isByKey) {
    return unimplemented("RangeStream does not support custom sort orders");
  }
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (minModRevision || maxModRevision || minCreateRevision || maxCreateRevision) {
    return unimplemented("RangeStream does not support revision filters");
  }
  return undefined;
}

function unimplemented(message: string): Failure {
  return { code: CODE.unimplemented, message };
}

class RangeSender {
  readonly #service: Service;
  readonly #call: ServerCall;
  readonly #request: RangeRequest;
  readonly #chunkBytes: number;
  #keys = CHUNK_KEYS_FIRST;
  #sent = 0;
  #resume = () => {};

  constructor(service: Service, call: ServerCall, request: RangeRequest) {
    this.#service = service;
    this.#call = call;
    this.#request = request;
    // Where chunks are sorted by themselves, their size is seen: it is etcd's then.
    const isSeen = request.sortTarget !== SORT_TARGET.key;
    this.#chunkBytes = isSeen ? service.limits.requestBytesMax : CHUNK_BYTES;
    call.onDrain = call.onCancel = () => this.#resume();
  }

  async run(): Promise<void> {
    const { store } = this.#service.state;
    const header = { revision: store.currentRevision, raftTerm: this.#service.raftTerm };
    const revision = this.#request.revision > 0 ? this.#request.revision : header.revision;
    const { limit: total, countOnly } = this.#request;
    let key = this.#request.key;
    while (this.#call.isOpen) {
      // No limit at all is one chunk; 0 stands for every key, in chunks.
      const limit = total === 0 ? this.#keys : Math.min(this.#keys, total - this.#sent);
      const query = { ...this.#request, key, revision, limit, withoutCount: !countOnly };
      const result = await this.#service.slicer.run(store.range(query));
      if (typeof result === "string") return this.#call.end(fail(result));
      this.#sent += result.kvs.length;
      const next = result.more ? keyAfterLast(result) : undefined;
      if (next === undefined || this.#sent === total) {
        const left = next === undefined ? 0 : await this.#countFrom(next, revision);
        const count = countOnly ? result.count : this.#sent + left;
        return this.#finish({ ...result, count }, header);
      }
      key = next;
      this.#fit(result.kvs.byteLength);
      for (const message of this.#cut(result)) await this.#send(message);
    }
  }

  /** Keys behind the limit. */
  async #countFrom(key: Uint8Array, revision: number): Promise<number> {
    const { rangeEnd } = this.#request;
    const query = { key, rangeEnd, revision, countOnly: true };
    const result = await this.#service.slicer.run(this.#service.state.store.range(query));
    return typeof result === "string" ? 0 : result.count;
  }

  /** Makes the next chunk larger or smaller than this one. */
  #fit(bytes: number): void {
    if (bytes < this.#chunkBytes / 2) this.#keys *= 2;
    else if (bytes > 2 * this.#chunkBytes) this.#keys = Math.max(1, this.#keys >>> 1);
  }

  #cut({ kvs }: RangeResult): Generator<Uint8Array[]> {
    return kvs.pieces(this.#service.limits.requestBytesMax);
  }

  /** Resolves when there is room for more, or the call is over. */
  async #send(message: readonly Uint8Array[]): Promise<void> {
    if (!this.#call.isOpen || this.#call.send(frame(message), "owned")) return;
    if (!this.#call.isOpen) return;
    await new Promise<void>((resume) => {
      this.#resume = resume;
    });
  }

  async #finish(
    result: RangeResult,
    header: { revision: number; raftTerm: number },
  ): Promise<void> {
    let last: Uint8Array[] = [];
    for (const message of this.#cut(result)) {
      if (last.length > 0) await this.#send(last);
      last = message;
    }
    const w = this.#service.replies.start(header.revision, header.raftTerm);
    const head = w.copy();
    w.reset();
    w.boolField(3, result.more);
    w.intField(4, result.count);
    this.#call.send(frame([head, ...last, w.copy()]), "owned");
    this.#call.end({ code: CODE.ok, message: "" });
  }
}

/** RangeStreamResponse: 1 range_response, in parts. */
function frame(rangeResponse: readonly Uint8Array[]): Uint8Array[] {
  const w = new Writer(8);
  w.tag(1, BYTES);
  w.varint(rangeResponse.reduce((length, part) => length + part.length, 0));
  return [w.view(), ...rangeResponse];
}

/** The least key above that of the result's last pair. */
function keyAfterLast({ kvs }: RangeResult): Uint8Array {
  return concatBytes([decodeKeyValue(kvs.last).key, new Uint8Array(1)]);
}
