import { State } from "../../../src/apply/index.ts";
import { toEnd } from "../../../src/base/testing.ts";
import { Db, MemoryFile, pageOverflow } from "../../../src/bolt/index.ts";
import { Members } from "../../../src/cluster/index.ts";
import { Lessor } from "../../../src/lease/index.ts";
import { type KvHash, Store } from "../../../src/mvcc/index.ts";
import { type Entry, ENTRY_TYPE } from "../../../src/proto/index.ts";
import { TTL_SECONDS_MIN } from "../model.ts";

const PAGE_BYTES = 4096;
const IDS = { clusterId: 1n, memberId: 1n };

/** The state that a log makes on a machine that never fails and never commits. */
export class FreshReplay {
  readonly state: State;

  constructor(db: Db = new MemoryFile().open()) {
    this.state = new State({
      db,
      store: new Store({ key: db.bucket("key"), meta: db.bucket("meta") }),
      lessor: new Lessor({ bucket: db.bucket("lease"), ttlSecondsMin: TTL_SECONDS_MIN }),
      members: new Members({ db }),
      ids: IDS,
      clock: () => 0,
      onRevision: () => {},
      quotaBytes: 0,
      persistCheckpoints: false,
      learnersMax: 1,
    });
    toEnd(this.state.store.restore(() => {}));
    this.state.restore();
  }

  apply(entry: Entry): void {
    if (entry.type !== ENTRY_TYPE.normal) return;
    const applied = this.state.apply(entry, { has: () => false });
    if ("next" in applied) toEnd(applied);
    while (this.state.store.compactionsPending > 0) toEnd(this.state.store.runCompaction());
  }

  hash(revision = 0): KvHash {
    return hashOf(this.state.store, revision);
  }
}

/** HashKV of a store whose pages are all in memory. */
export function hashOf(store: Store, revision = 0): KvHash {
  const hash = toEnd(store.hashKv(revision));
  if (typeof hash === "string") throw new Error(`no hash at ${revision}: ${hash}`);
  return hash;
}

/** What the image of a whole page file holds. */
export function openImage(image: Uint8Array): FreshReplay {
  const page = (id: number, pages: number) =>
    image.subarray(id * PAGE_BYTES, (id + pages) * PAGE_BYTES);
  const source = { read: (id: number) => page(id, 1 + pageOverflow(page(id, 1))) };
  const metas = { meta0: page(0, 1), meta1: page(1, 1) };
  return new FreshReplay(Db.open({ source, ...metas, fileSizeBytes: image.length }));
}
