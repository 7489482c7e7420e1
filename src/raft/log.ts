import { entriesBytes, limitEntries } from "./entries.ts";
import type { Storage } from "./storage.ts";
import {
  ENTRY_TYPE,
  type Entry,
  type EntryId,
  type Logger,
  panic,
  type Snapshot,
} from "./types.ts";
import { Unstable } from "./unstable.ts";

/** Entries that follow `previous` in the log of a leader. */
interface LogSlice {
  readonly previous: EntryId;
  readonly entries: readonly Entry[];
}

/** The whole log: what storage has, continued by what is not durable yet. */
export class RaftLog {
  readonly storage: Storage;
  readonly unstable: Unstable;
  /** The highest index known durable on a quorum. */
  committed: number;
  /** The highest index handed out to be applied. Invariant: applied <= applying <= committed. */
  applying: number;
  /** The highest index that the application has applied. */
  applied: number;
  /** How many bytes of entries may be handed out and not applied yet. */
  readonly #applyingBytesMax: number;
  #applyingBytes = 0;
  #applyingPaused = false;
  readonly #logger: Logger;

  constructor(storage: Storage, logger: Logger, applyingBytesMax: number) {
    this.storage = storage;
    this.unstable = new Unstable(storage.lastIndex + 1, logger);
    this.committed = storage.firstIndex - 1;
    this.applying = this.committed;
    this.applied = this.committed;
    this.#applyingBytesMax = applyingBytesMax;
    this.#logger = logger;
  }

  describe(): string {
    const { offset, offsetInProgress, entries } = this.unstable;
    return (
      `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, ` +
      `unstable.offset=${offset}, unstable.offsetInProgress=${offsetInProgress}, ` +
      `len(unstable.Entries)=${entries.length}`
    );
  }

  get firstIndex(): number {
    const { snapshot } = this.unstable;
    return snapshot === undefined ? this.storage.firstIndex : snapshot.meta.index + 1;
  }

  get lastIndex(): number {
    return this.unstable.lastIndex() ?? this.storage.lastIndex;
  }

  lastEntry(): EntryId {
    const index = this.lastIndex;
    const term =
      this.term(index) ?? panic(`unexpected error when getting the last term at ${index}`);
    return { term, index };
  }

  /** Known from just before the first index to the last one; undefined elsewhere. */
  term(index: number): number | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex || index > this.lastIndex) return undefined;
    return this.storage.term(index);
  }

  matches({ index, term }: EntryId): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends with `theirs` has all that this one may have committed (§5.4.1). */
  isUpToDate(theirs: EntryId): boolean {
    const ours = this.lastEntry();
    return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index);
  }

  /**
   * Takes entries from the leader, and its commit index as far as they reach. Returns the index up
   * to which the logs now agree, or undefined when this log does not have `previous`.
   */
  maybeAppend({ previous, entries }: LogSlice, committed: number): number | undefined {
    if (!this.matches(previous)) return undefined;
    const last = previous.index + entries.length;
    const fresh = this.#findConflict(entries);
    if (fresh < entries.length) {
      const { index } = entries[fresh]!;
      if (index <= this.committed) {
        panic(`entry ${index} conflict with committed entry [committed(${this.committed})]`);
      }
      this.append(fresh === 0 ? entries : entries.slice(fresh));
    }
    this.commitTo(Math.min(committed, last));
    return last;
  }

  /** The position of the first entry that is not in the log, perhaps the end. */
  #findConflict(entries: readonly Entry[]): number {
    for (let i = 0; i < entries.length; i++) {
      const { index, term } = entries[i]!;
      const existing = this.term(index);
      if (existing === term) continue;
      if (index <= this.lastIndex) {
        this.#logger.info?.(
          `found conflict at index ${index} ` +
            `[existing term: ${existing ?? 0}, conflicting term: ${term}]`,
        );
      }
      return i;
    }
    return entries.length;
  }

  append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    const after = first.index - 1;
    if (after < this.committed) {
      panic(`after(${after}) is out of range [committed(${this.committed})]`);
    }
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * A guess where this log and one that has an entry of `term` at `index` part: the last index up
   * to there whose term is not above. The term is 0 where it is not known.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (ours === undefined) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /** The highest index that may be handed out to be applied. */
  #appliableIndex(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  /** Nothing while too much is being applied, or while a snapshot must come first. */
  hasNextCommitted(allowUnstable: boolean): boolean {
    if (this.#applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.#appliableIndex(allowUnstable);
  }

  /** Committed entries to be applied next. */
  nextCommitted(allowUnstable: boolean): Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const from = this.applying + 1;
    const to = this.#appliableIndex(allowUnstable) + 1;
    const bytesMax = this.#applyingBytesMax - this.#applyingBytes;
    return this.#slice(from, to, bytesMax) ?? panic(`unapplied entry ${from} is compacted`);
  }

  /** Entries up to `index`, of `bytes` in all, were handed out to be applied. */
  acceptApplying(index: number, bytes: number, allowUnstable: boolean): void {
    if (index > this.committed) {
      panic(
        `applying(${index}) is out of range ` +
          `[prevApplying(${this.applying}), committed(${this.committed})]`,
      );
    }
    this.applying = index;
    this.unstable.forgetSettled(index);
    this.#applyingBytes += bytes;
    // An answer cut short means that the next entry would pass the limit.
    const wasCut = index < this.#appliableIndex(allowUnstable);
    this.#applyingPaused = wasCut || this.#applyingBytes >= this.#applyingBytesMax;
  }

  appliedTo(index: number, bytes: number): void {
    if (index > this.committed || index < this.applied) {
      panic(
        `applied(${index}) is out of range ` +
          `[prevApplied(${this.applied}), committed(${this.committed})]`,
      );
    }
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#applyingPaused = this.#applyingBytes >= this.#applyingBytesMax;
  }

  /** Whether a configuration change is committed and not applied. Reads a page at a time. */
  hasUnappliedConfChange(): boolean {
    for (let from = this.applied + 1; from <= this.committed; ) {
      const page = this.#slice(from, this.committed + 1, this.#applyingBytesMax);
      if (page === undefined || page.length === 0) panic(`unapplied entry ${from} is missing`);
      if (page.some((entry) => entry.type !== ENTRY_TYPE.normal)) return true;
      from += page.length;
    }
    return false;
  }

  /** Never moves back. */
  commitTo(index: number): void {
    if (index <= this.committed) return;
    if (index > this.lastIndex) {
      panic(
        `tocommit(${index}) is out of range [lastIndex(${this.lastIndex})]. ` +
          "Was the raft log corrupted, truncated, or lost?",
      );
    }
    this.committed = index;
  }

  /** Commits up to `index` if its entry is of `term`: older ones commit only with it (§5.4.2). */
  maybeCommit({ index, term }: EntryId): boolean {
    if (index <= this.committed || !this.matches({ index, term })) return false;
    this.commitTo(index);
    return true;
  }

  snapshot(): Snapshot | undefined {
    return this.unstable.snapshot ?? this.storage.snapshot();
  }

  restore(snapshot: Snapshot): void {
    const { index, term } = snapshot.meta;
    this.#logger.info?.(
      `log [${this.describe()}] starts to restore snapshot [index: ${index}, term: ${term}]`,
    );
    this.committed = index;
    this.unstable.restore(snapshot);
  }

  /** Entries from `from` on, at most `bytesMax` bytes but at least one; undefined if compacted. */
  entries(from: number, bytesMax: number): Entry[] | undefined {
    const to = this.lastIndex + 1;
    return from >= to ? [] : this.#slice(from, to, bytesMax);
  }

  #slice(from: number, to: number, bytesMax: number): Entry[] | undefined {
    if (from < this.firstIndex) return undefined;
    if (to > this.lastIndex + 1) {
      panic(`slice[${from},${to}) out of bound [${this.firstIndex},${this.lastIndex}]`);
    }
    const { offset } = this.unstable;
    if (from >= offset) return limitEntries(this.unstable.slice(from, to), bytesMax);
    const settled = this.unstable.settled(from, to);
    if (settled !== undefined) return limitEntries(settled, bytesMax);
    const stored = this.storage.entries({ from, to: Math.min(to, offset), bytesMax });
    if (stored === undefined || to <= offset || stored.length < offset - from) return stored;
    const bytesLeft = bytesMax - entriesBytes(stored);
    const rest = limitEntries(this.unstable.slice(offset, to), bytesLeft);
    // Only a single entry may be larger than asked for; behind others it has to wait.
    return entriesBytes(rest) > bytesLeft ? stored : [...stored, ...rest];
  }
}
