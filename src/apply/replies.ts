import type { KeyValueList, RangeResult } from "../mvcc/index.ts";
import { HeaderWriter, Writer } from "../proto/index.ts";

/** Replies up to this size are one buffer; longer ones leave as the parts they are made of. */
const ONE_BUFFER_BYTES = 64 * 1024;

/** An encoded message, in one piece or in parts to be sent back to back. */
export type Message = Uint8Array | readonly Uint8Array[];

/**
 * Encodes replies. Small ones are views of one buffer that is used again and again: they must be
 * sent before the next reply is made.
 */
export class Replies {
  readonly #header: HeaderWriter;
  readonly #w = new Writer(4096);

  constructor(ids: { clusterId: bigint; memberId: bigint }) {
    this.#header = new HeaderWriter(ids.clusterId, ids.memberId, new Writer(64));
  }

  /** A reply that begins with a header; `fill` writes the other fields. */
  message(revision: number, raftTerm: number, fill?: (w: Writer) => void): Uint8Array {
    const w = this.start(revision, raftTerm);
    fill?.(w);
    return w.view();
  }

  /** The buffer, reset and with the header in it. */
  start(revision: number, raftTerm: number): Writer {
    const w = this.#w;
    w.reset();
    this.#header.write(w, revision, raftTerm);
    return w;
  }

  /** etcdserverpb.RangeResponse. */
  range(result: RangeResult, raftTerm: number): Message {
    const w = this.start(result.revision, raftTerm);
    if (result.kvs.byteLength <= ONE_BUFFER_BYTES) {
      writeRangeFields(w, result);
      return w.view();
    }
    const head = w.copy();
    w.reset();
    writeRangeTail(w, result);
    return [head, ...result.kvs.chunks, w.copy()];
  }
}

/** Fields of a RangeResponse behind its header. */
export function writeRangeFields(w: Writer, result: RangeResult): void {
  writeFrames(w, result.kvs);
  writeRangeTail(w, result);
}

/** Pairs that are framed for the message they go into. */
export function writeFrames(w: Writer, kvs: KeyValueList): void {
  for (const chunk of kvs.chunks) w.raw(chunk);
}

function writeRangeTail(w: Writer, result: RangeResult): void {
  w.boolField(3, result.more);
  w.intField(4, result.count);
}
