import type { Compactions } from "./compaction.ts";
import { RecordScan } from "./record-scan.ts";
import { inSlices, KEY_COST, Pace, type Slices } from "./slices.ts";
import { StoreError, type StoreState } from "./store-state.ts";

/** Reading a record, and putting its key in the index. */
const RESTORE_COST = 2000;

/** Builds the index from the records, takes up compaction, and hands over keys with leases. */
export function* restore(
  state: StoreState,
  compactions: Compactions,
  attach: (key: Uint8Array, lease: bigint) => void,
): Slices<void> {
  const { scheduled } = yield* compactions.restore();
  const restoring = new Restore(state);
  yield* inSlices(() => restoring.step());
  // Compaction may have removed the newest record, or was about to: revisions never go back.
  const newest = Math.max(restoring.newestMain, state.compactedRevision, scheduled, 1);
  state.currentRevision = newest;
  compactions.resume(scheduled);
  const pace = new Pace();
  for (const [slot, lease] of restoring.leases) {
    attach(state.index.keys.key(slot), lease);
    pace.spend(KEY_COST);
    if (pace.isOver()) yield undefined;
  }
}

class Restore {
  readonly #state: StoreState;
  readonly #records: RecordScan;
  readonly #pace = new Pace();
  /** The lease of each key that has one, by slot. */
  readonly leases = new Map<number, bigint>();
  newestMain = 0;

  constructor(state: StoreState) {
    this.#state = state;
    this.#records = new RecordScan(state, 0, Number.MAX_SAFE_INTEGER, { passing: true });
  }

  step(): boolean {
    while (this.#records.next()) {
      this.#take(this.#records);
      this.#pace.spend(RESTORE_COST);
      if (this.#pace.isOver()) return false;
    }
    return true;
  }

  #take(record: RecordScan): void {
    const { index } = this.#state;
    const { key, main, sub } = record;
    if (main < 1) throw new StoreError("there is a record from before the first revision");
    this.newestMain = main;
    if (record.tombstone) {
      this.leases.delete(index.restoreTombstone(key, main, sub));
      return;
    }
    const { createRevision, version, lease } = record.pair;
    if (record.keyValue.length === 0) {
      // A restore that moved the revision on left an empty record: a put of the empty key.
      index.restorePut(key, { main, sub, createRevision: main, version: 1, recordBytes: 0 });
      return;
    }
    if (version < 1) throw new StoreError(`the record of revision ${main}.${sub} has no version`);
    const recordBytes = record.keyValue.length;
    const slot = index.restorePut(key, { main, sub, createRevision, version, recordBytes });
    if (lease !== 0n) this.leases.set(slot, lease);
    else if (this.leases.size > 0) this.leases.delete(slot);
  }
}
