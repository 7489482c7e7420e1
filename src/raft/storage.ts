import type { ConfState, Entry, HardState, Snapshot } from "./types.ts";

export { EMPTY_CONF_STATE } from "../proto/index.ts";

/**
 * What raft reads of its own durable past. Every member reads its log and latest snapshot here;
 * the application writes both, as each Ready says.
 */
export interface Storage {
  /** What was saved before a restart: no hard state and an empty configuration when new. */
  initialState(): { hardState: HardState | undefined; confState: ConfState };
  /** The first index that `entries` may still have; everything before is in the snapshot. */
  readonly firstIndex: number;
  /** The last index of the log, or of the snapshot when no entry follows it. */
  readonly lastIndex: number;
  /** The term of the entry, known from `firstIndex - 1` to `lastIndex`; undefined elsewhere. */
  term(index: number): number | undefined;
  /**
   * Entries of `[from, to)`, cut so that they take at most `bytesMax` bytes encoded, but at least
   * one. They own their bytes. Undefined when `from` is compacted. Throws when `to` is past the
   * end.
   */
  entries(range: { from: number; to: number; bytesMax: number }): Entry[] | undefined;
  /** The latest snapshot, for a follower too far behind. Undefined: not just now, ask again. */
  snapshot(): Snapshot | undefined;
}
