import { concatBytes, textToBytes } from "../../base/index.ts";
import { type Client, FROM_KEY, kv, prefixEnd, Watcher } from "../../client/index.ts";
import { api, type Init } from "../../proto/index.ts";

const PAGE_KEYS = 1000;
/** Read only to learn the revision of the store; any key will do. */
const ANY_KEY = textToBytes("foo");

type Operation = Init<api.RequestOp>;

/** Keeps the keys of one cluster in another, under names that may be others. */
export class Mirror {
  /** Keys copied, and changes carried over. */
  total = 0;
  readonly #from: Client;
  readonly #to: Client;
  readonly #prefix: Uint8Array;
  readonly #rename: (key: Uint8Array) => Uint8Array;
  readonly #opsMax: number;

  constructor(options: {
    readonly from: Client;
    readonly to: Client;
    /** Which keys; all of them when empty. */
    readonly prefix: Uint8Array;
    /** What a key is called in the other cluster. */
    readonly rename: (key: Uint8Array) => Uint8Array;
    /** Changes of one revision that go into one transaction. */
    readonly opsMax: number;
  }) {
    this.#from = options.from;
    this.#to = options.to;
    this.#prefix = options.prefix;
    this.#rename = options.rename;
    this.#opsMax = options.opsMax;
  }

  /** Copies all keys as they are now; returns their revision. Rejects with StatusError. */
  async copy(): Promise<number> {
    const key = this.#prefix.length === 0 ? ANY_KEY : this.#prefix;
    const { header } = await this.#from.call(kv.range, { key });
    const revision = header!.revision;
    const range = this.#range();
    for (let next = range.key; ; ) {
      const page = await this.#from.call(kv.range, {
        key: next,
        rangeEnd: range.rangeEnd,
        limit: PAGE_KEYS,
        revision,
        sortOrder: api.SORT_ORDER.ASCEND,
      });
      await Promise.all(page.kvs.map((pair) => this.#copyPair(pair)));
      if (!page.more) return revision;
      next = concatBytes([page.kvs.at(-1)!.key, Uint8Array.of(0)]);
    }
  }

  async #copyPair({ key, value }: api.KeyValue): Promise<void> {
    await this.#to.call(kv.put, { key: this.#rename(key), value });
    this.total++;
  }

  /** Carries over all changes after a revision. Ends only when the watch does; returns why. */
  async follow(revision: number): Promise<string> {
    const watcher = new Watcher(this.#from);
    try {
      const watch = watcher.watch({ ...this.#range(), startRevision: revision + 1 });
      for await (const { events, error } of watch) {
        for (const operations of this.#transactions(events)) {
          await this.#to.call(kv.txn, { success: operations });
        }
        if (error !== undefined) return error;
      }
      return "<nil>";
    } finally {
      watcher.close();
    }
  }

  #range(): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
    const key = this.#prefix.length === 0 ? FROM_KEY : this.#prefix;
    return { key, rangeEnd: this.#prefix.length === 0 ? FROM_KEY : prefixEnd(key) };
  }

  /** A transaction for each revision, or more of them where it has more changes than fit. */
  *#transactions(events: readonly api.Event[]): Generator<Operation[], void> {
    let operations: Operation[] = [];
    let revision = 0;
    for (const { type, kv: pair } of events) {
      const { key, value, modRevision } = pair!;
      const isNext = operations.length > 0 && modRevision > revision;
      if (isNext || operations.length === this.#opsMax) {
        yield operations;
        operations = [];
      }
      revision = modRevision;
      const renamed = this.#rename(key);
      operations.push(
        type === api.EVENT_TYPE.DELETE
          ? { requestDeleteRange: { key: renamed } }
          : { requestPut: { key: renamed, value } },
      );
      this.total++;
    }
    if (operations.length > 0) yield operations;
  }
}
