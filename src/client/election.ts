import { api } from "../proto/index.ts";
import type { Client } from "./client.ts";
import { kv, prefixEnd } from "./kv.ts";
import { memberKey } from "./mutex.ts";
import type { Session } from "./session.ts";
import { oldestOf, waitForOlder, watchUntil } from "./waiting.ts";

const PUT = 0;
const DELETE = 1;

/** A leader among clients: as with a lock, the key created first leads, and its value is shown. */
export class Election {
  /** The key that stands for this candidate. */
  readonly key: Uint8Array;
  readonly #session: Session;
  readonly #prefix: Uint8Array;
  /** When this candidate's key was created; 0 before that. */
  #created = 0;

  constructor(session: Session, name: Uint8Array) {
    this.#session = session;
    this.#prefix = Buffer.concat([name, Buffer.from("/")]);
    this.key = memberKey(this.#prefix, session);
  }

  /** Resolves when this candidate leads. Rejects with `StatusError`, also for the signal. */
  async campaign(value: Uint8Array, signal: AbortSignal): Promise<void> {
    const { client, leaseId } = this.#session;
    const request = { key: this.key, value, lease: leaseId, prevKv: true };
    const { header, prevKv } = await client.call(kv.put, request);
    this.#created = prevKv?.createRevision ?? header?.revision ?? 0;
    try {
      await waitForOlder(client, this.#prefix, this.#created - 1, signal);
    } catch (error) {
      if (signal.aborted) await this.resign();
      throw error;
    }
  }

  /** Gives the lead up, if it is still this candidate's. */
  async resign(): Promise<void> {
    const { key } = this;
    const target = api.COMPARE_TARGET.CREATE;
    await this.#session.client.call(kv.txn, {
      compare: [{ key, target, createRevision: this.#created }],
      success: [{ requestDeleteRange: { key } }],
    });
  }

  /** The leader's key whenever there is a new leader or a new value; ends for the signal. */
  async *observe(signal: AbortSignal): AsyncGenerator<api.RangeResponse, void> {
    const { client } = this.#session;
    while (!signal.aborted) {
      const leader = await this.#leader(client, signal);
      if (leader === undefined) return;
      yield leader;
      const request = { key: leader.kvs[0]!.key, startRevision: leader.header!.revision + 1 };
      if (!(yield* follow(client, request, signal))) return;
    }
  }

  /** Who leads, or the first who will. Undefined when the watch for that ends. */
  async #leader(client: Client, signal: AbortSignal): Promise<api.RangeResponse | undefined> {
    const answer = await client.call(kv.range, oldestOf(this.#prefix));
    const { header, kvs } = answer;
    if (kvs.length > 0) return single(header, kvs[0]!);
    const range = { key: this.#prefix, rangeEnd: prefixEnd(this.#prefix) };
    const request = { ...range, startRevision: header?.revision ?? 0 };
    for await (const { header, events } of watchUntil(client, request, signal)) {
      const pair = events.find(({ type }) => type === PUT)?.kv;
      if (pair !== undefined && header !== undefined) {
        return single({ ...header, revision: pair.modRevision }, pair);
      }
    }
    return undefined;
  }
}

/** New values of a leader until it is gone. False when the watch ended before. */
async function* follow(
  client: Client,
  request: { readonly key: Uint8Array; readonly startRevision: number },
  signal: AbortSignal,
): AsyncGenerator<api.RangeResponse, boolean> {
  for await (const { header, events } of watchUntil(client, request, signal)) {
    for (const { type, kv: pair } of events) {
      if (type === DELETE) return true;
      if (pair !== undefined) yield single(header, pair);
    }
  }
  return false;
}

function single(header: api.ResponseHeader | undefined, pair: api.KeyValue): api.RangeResponse {
  return { header, kvs: [pair], more: false, count: 0 };
}
