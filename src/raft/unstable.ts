import { type Entry, type EntryId, type Logger, panic, type Snapshot } from "./types.ts";

/**
 * The end of the log that is not known to be durable yet: entries and perhaps a snapshot, handed
 * out in a Ready to be written (in progress) or still waiting for one.
 *
 * `offset` may be below the end of the stored log: then writing the entries replaces that end.
 */
export class Unstable {
  snapshot: Snapshot | undefined;
  #snapshotInProgress = false;
  /** `entries[i]` has index `offset + i`. */
  entries: Entry[] = [];
  offset: number;
  /** Entries below it are being written. Invariant: offset <= offsetInProgress. */
  offsetInProgress: number;
  /**
   * Entries that became durable last, ending below `offset`. They are about to be handed out as
   * committed, and taking them from here saves building them again from storage.
   */
  #settled: Entry[] = [];
  readonly #logger: Logger;

  constructor(offset: number, logger: Logger) {
    this.offset = offset;
    this.offsetInProgress = offset;
    this.#logger = logger;
  }

  /** The last index held here, if anything is. */
  lastIndex(): number | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.meta.index;
  }

  term(index: number): number | undefined {
    if (index >= this.offset) return this.entries[index - this.offset]?.term;
    const meta = this.snapshot?.meta;
    return meta?.index === index ? meta.term : undefined;
  }

  /** Entries that wait for a Ready. */
  nextEntries(): Entry[] {
    return this.entries.slice(this.offsetInProgress - this.offset);
  }

  get hasNextEntries(): boolean {
    return this.entries.length > this.offsetInProgress - this.offset;
  }

  /** The snapshot, if it waits for a Ready. */
  nextSnapshot(): Snapshot | undefined {
    return this.#snapshotInProgress ? undefined : this.snapshot;
  }

  /** Everything held here was handed out to be written. */
  acceptInProgress(): void {
    this.offsetInProgress = this.offset + this.entries.length;
    if (this.snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /**
   * Entries up to this one are durable, and no write under way can replace them. Ignored when the
   * entry has itself been replaced here meanwhile.
   */
  stableTo({ index, term }: EntryId): void {
    const known = this.term(index);
    if (known === undefined) {
      this.#logger.routine?.(`entry at index ${index} missing from unstable log; ignoring`);
    } else if (index < this.offset) {
      this.#logger.info?.(`entry at index ${index} matched unstable snapshot; ignoring`);
    } else if (known !== term) {
      this.#logger.info?.(
        `entry at (index,term)=(${index},${term}) mismatched with ` +
          `entry at (${index},${known}) in unstable log; ignoring`,
      );
    } else {
      this.#settle(index + 1 - this.offset);
    }
  }

  #settle(count: number): void {
    if (count === this.entries.length) {
      this.#settled = this.entries;
      this.entries = [];
    } else {
      this.#settled = this.entries.splice(0, count);
    }
    this.offset += count;
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot?.meta.index !== index) return;
    this.snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  /** Starts over behind a snapshot. */
  restore(snapshot: Snapshot): void {
    this.offset = snapshot.meta.index + 1;
    this.offsetInProgress = this.offset;
    this.entries = [];
    this.#settled = [];
    this.snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends entries, first dropping what stands at the index of the first one and behind. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]!.index;
    if (from === this.offset + this.entries.length) {
      for (const entry of entries) this.entries.push(entry);
    } else if (from <= this.offset) {
      this.#logger.info?.(`replace the unstable entries from index ${from}`);
      this.entries = [...entries];
      this.#settled = [];
      this.offset = from;
      this.offsetInProgress = from;
    } else {
      this.#logger.info?.(`truncate the unstable entries before index ${from}`);
      this.entries = [...this.slice(this.offset, from), ...entries];
      this.offsetInProgress = Math.min(this.offsetInProgress, from);
    }
  }

  slice(from: number, to: number): Entry[] {
    const end = this.offset + this.entries.length;
    if (from < this.offset || to > end || from > to) {
      panic(`unstable.slice[${from},${to}) out of bound [${this.offset},${end}]`);
    }
    return this.entries.slice(from - this.offset, to - this.offset);
  }

  /** Entries of `[from, to)` from among those that became durable last, if all are. */
  settled(from: number, to: number): Entry[] | undefined {
    const start = this.offset - this.#settled.length;
    if (from < start || to > this.offset) return undefined;
    return this.#settled.slice(from - start, to - start);
  }

  /** Lets go of the entries that became durable last: they were handed out as committed. */
  forgetSettled(to: number): void {
    if (to >= this.offset - 1) this.#settled = [];
  }
}
