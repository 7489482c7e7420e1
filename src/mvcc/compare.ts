import { compareBytes, EMPTY_BYTES } from "../base/index.ts";
import { COMPARE_RESULT, COMPARE_TARGET, type Compare } from "../proto/index.ts";
import { NO_SLOT } from "./key-table.ts";
import { decodeKeyValue, type KeyValue } from "./key-value.ts";
import { KeyWalk, keyRange } from "./key-walk.ts";
import { NO_ROW } from "./row-slab.ts";
import { inSlices, KEY_COST, Pace, RECORD_COST, type Slices } from "./slices.ts";
import type { StoreState } from "./store-state.ts";

/** Field of the union that goes with target 0; the others follow it. */
const FIRST_UNION_FIELD = 4;

/** Whether the compare of a txn holds for every key of its range, at the last finished revision. */
export function* compareHolds(state: StoreState, compare: Compare): Slices<boolean> {
  const revision = state.currentRevision;
  state.pin(revision);
  try {
    const check = new CompareCheck(state, compare, revision);
    yield* inSlices(() => check.step());
    return check.holds;
  } finally {
    state.unpin(revision);
  }
}

class CompareCheck {
  readonly #state: StoreState;
  readonly #compare: Compare;
  readonly #revision: number;
  readonly #walk: KeyWalk;
  readonly #pace = new Pace();
  /** Operands that do not go with the target count as zero. */
  readonly #number: number;
  readonly #value: Uint8Array;
  readonly #lease: bigint;
  #hasFound = false;
  holds = true;

  constructor(state: StoreState, compare: Compare, revision: number) {
    const hasOperand = compare.unionField === compare.target + FIRST_UNION_FIELD;
    this.#state = state;
    this.#compare = compare;
    this.#revision = revision;
    this.#walk = new KeyWalk(state.index, keyRange(compare.key, compare.rangeEnd), { revision });
    this.#number = hasOperand ? compare.number : 0;
    this.#value = hasOperand ? compare.value : EMPTY_BYTES;
    this.#lease = hasOperand ? compare.lease : 0n;
  }

  step(): boolean {
    try {
      return this.#walkOn();
    } finally {
      this.#walk.park();
    }
  }

  #walkOn(): boolean {
    for (; this.#walk.slot !== NO_SLOT; this.#walk.advance()) {
      if (this.#pace.isOver()) return false;
      this.#pace.spend(KEY_COST);
      const row = this.#state.index.rowAt(this.#walk.slot, this.#revision);
      if (row === NO_ROW) continue;
      this.holds = this.#judge(row);
      this.#hasFound = true;
      if (!this.holds) return true;
    }
    // No key has no value, not even an empty one. Its numbers are 0.
    const comparesValue = this.#compare.target === COMPARE_TARGET.value;
    if (!this.#hasFound) this.holds = !comparesValue && this.#judge(NO_ROW);
    return true;
  }

  #judge(row: number): boolean {
    const order = this.#order(row);
    switch (this.#compare.result) {
      case COMPARE_RESULT.equal:
        return order === 0;
      case COMPARE_RESULT.greater:
        return order > 0;
      case COMPARE_RESULT.less:
        return order < 0;
      case COMPARE_RESULT.notEqual:
        return order !== 0;
      default:
        return true;
    }
  }

  /** Where the key stands against the operand. An unknown target compares equal. */
  #order(row: number): number {
    const { rows } = this.#state.index;
    const exists = row !== NO_ROW;
    switch (this.#compare.target) {
      case COMPARE_TARGET.version:
        return (exists ? rows.version(row) : 0) - this.#number;
      case COMPARE_TARGET.create:
        return (exists ? rows.createRevision(row) : 0) - this.#number;
      case COMPARE_TARGET.mod:
        return (exists ? rows.main(row) : 0) - this.#number;
      case COMPARE_TARGET.value:
        return compareBytes(this.#read(row).value, this.#value);
      case COMPARE_TARGET.lease:
        return orderOf(exists ? this.#read(row).lease : 0n, this.#lease);
      default:
        return 0;
    }
  }

  #read(row: number): KeyValue {
    this.#pace.spend(RECORD_COST);
    return decodeKeyValue(this.#state.record(row));
  }
}

function orderOf(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
