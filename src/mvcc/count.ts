import type { KeyRange } from "./key-walk.ts";
import { KeyWalk } from "./key-walk.ts";
import { NO_SLOT } from "./key-table.ts";
import { NO_ROW } from "./row-slab.ts";
import { inSlices, KEY_COST, Pace, type Slices } from "./slices.ts";
import type { StoreState } from "./store-state.ts";

/**
 * How many keys the range had at `revision`. Of the present the index knows it; of the past it is
 * that, undone change by change by the log of creations and deletions, or else a walk.
 */
export function* countAt(state: StoreState, range: KeyRange, revision: number): Slices<number> {
  const { index } = state;
  const live = index.countLive(range);
  if (revision >= index.newestMain) return live;
  const changes = index.log.entriesSince(revision);
  if (changes !== undefined && changes < live * 4 + 1000) {
    const count = yield* undo(state, range, { live, changes });
    if (count !== undefined) return count;
  }
  return yield* walk(state, range, revision);
}

/** Undefined when the log forgot a change before it was undone. */
function* undo(
  { index }: StoreState,
  range: KeyRange,
  present: { live: number; changes: number },
): Slices<number | undefined> {
  const { log } = index;
  const pace = new Pace();
  const end = log.end;
  let count = present.live;
  for (let i = end - present.changes; i < end; i++) {
    if (!log.has(i)) return undefined;
    if (index.contains(range, log.slot(i))) count -= log.change(i);
    pace.spend(KEY_COST);
    if (pace.isOver()) yield undefined;
  }
  return count;
}

function* walk({ index }: StoreState, range: KeyRange, revision: number): Slices<number> {
  const keys = new KeyWalk(index, range, { revision });
  const pace = new Pace();
  let count = 0;
  yield* inSlices(() => {
    for (; keys.slot !== NO_SLOT; keys.advance()) {
      if (pace.isOver()) {
        keys.park();
        return false;
      }
      pace.spend(KEY_COST);
      if (index.rowAt(keys.slot, revision) !== NO_ROW) count++;
    }
    return true;
  });
  return count;
}
