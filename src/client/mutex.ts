import { api } from "../proto/index.ts";
import { kv } from "./kv.ts";
import type { Session } from "./session.ts";
import { oldestOf, waitForOlder } from "./waiting.ts";

/**
 * A lock among clients, as etcd's clients take it: each puts a key of its own under the lock's
 * name, and the one created first holds the lock. The key hangs on the session's lease.
 */
export class Mutex {
  /** The key that stands for the holder. */
  readonly key: Uint8Array;
  readonly #session: Session;
  readonly #prefix: Uint8Array;

  constructor(session: Session, name: Uint8Array) {
    this.#session = session;
    this.#prefix = Buffer.concat([name, Buffer.from("/")]);
    this.key = memberKey(this.#prefix, session);
  }

  /**
   * Resolves with the revision at which the lock was had. Rejects with `StatusError`, also when
   * the signal comes first, or the session ended meanwhile.
   */
  async lock(signal: AbortSignal): Promise<number> {
    const { client } = this.#session;
    const { key } = this;
    const oldest = { requestRange: oldestOf(this.#prefix) };
    const answer = await client.call(kv.txn, {
      compare: [{ key, target: api.COMPARE_TARGET.CREATE, createRevision: 0 }],
      success: [{ requestPut: { key, lease: this.#session.leaseId } }, oldest],
      failure: [{ requestRange: { key } }, oldest],
    });
    const revision = answer.header?.revision ?? 0;
    const mine = answer.responses[0]?.responseRange?.kvs[0]?.createRevision ?? revision;
    const owner = answer.responses[1]?.responseRange?.kvs[0];
    if (owner === undefined || owner.createRevision === mine) return revision;
    try {
      await waitForOlder(client, this.#prefix, mine - 1, signal);
      const { header, kvs } = await client.call(kv.range, { key });
      if (kvs.length > 0) return header?.revision ?? 0;
    } catch (error) {
      await this.unlock();
      throw error;
    }
    throw new Error("mutex: session is expired");
  }

  async unlock(): Promise<void> {
    await this.#session.client.call(kv.deleteRange, { key: this.key });
  }
}

/** A name of its own for each session. */
export function memberKey(prefix: Uint8Array, session: Session): Uint8Array {
  return Buffer.concat([prefix, Buffer.from(BigInt.asUintN(64, session.leaseId).toString(16))]);
}
