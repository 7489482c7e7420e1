import { type Bucket, Lookup } from "../bolt/index.ts";
import { StoreCounters } from "./counters.ts";
import { KeyIndex } from "./key-index.ts";
import { ReplyMemory } from "./reply-memory.ts";
import { REVISION_BYTES, writeRevision } from "./revision.ts";

/** Why a read or a compaction at some revision is refused: names of errors in `proto`. */
export type RevisionRefusal = "compacted" | "futureRev";

/** Revision keys ascend, so that pages may be left nearly full. */
const RECORDS_FILL_PERCENT = 0.9;

/** The page file does not hold what the index was built from: the file is damaged. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** What the parts of the store share: its revisions, its index, and where its records are. */
export class StoreState {
  readonly index = new KeyIndex();
  counters = new StoreCounters();
  /** Records: revision key to KeyValue. */
  readonly records: Bucket;
  /** The marks of compaction. */
  readonly meta: Bucket;
  /** Main revision of the last finished transaction. */
  currentRevision = 1;
  /** History is whole from here on. -1: never compacted. */
  compactedRevision = -1;
  /** Room for replies on their way out. */
  readonly replies = new ReplyMemory();
  /** Revisions that reads under way need. */
  readonly #pins: number[] = [];
  readonly #key = new Uint8Array(REVISION_BYTES);
  readonly #lookup: Lookup;

  constructor(buckets: { key: Bucket; meta: Bucket }) {
    this.records = buckets.key;
    this.records.fillPercent = RECORDS_FILL_PERCENT;
    this.meta = buckets.meta;
    this.#lookup = new Lookup(this.records.tree);
  }

  /** The revision to read at, when `asked` for (0 or less: the current one) and `current`. */
  revisionFor(asked: number, current: number): number | RevisionRefusal {
    if (asked > current) return "futureRev";
    const revision = asked <= 0 ? current : asked;
    return revision < this.compactedRevision ? "compacted" : revision;
  }

  /** The encoded pair of a row that is no tombstone. A view until the next write. */
  record(row: number): Uint8Array {
    return this.records.get(this.#keyOf(row)) ?? this.#missing(row);
  }

  /** The same for many rows: a view until anything else is read. */
  recordBriefly(row: number): Uint8Array {
    return this.#lookup.get(this.#keyOf(row)) ?? this.#missing(row);
  }

  #keyOf(row: number): Uint8Array {
    const { rows } = this.index;
    writeRevision(this.#key, rows.main(row), rows.sub(row));
    return this.#key;
  }

  #missing(row: number): never {
    const { rows } = this.index;
    throw new StoreError(`the record of revision ${rows.main(row)}.${rows.sub(row)} is missing`);
  }

  /** Keeps compactions to later revisions from starting until `unpin` of the same revision. */
  pin(revision: number): void {
    this.#pins.push(revision);
  }

  unpin(revision: number): void {
    this.#pins.splice(this.#pins.indexOf(revision), 1);
  }

  /** Whether any read is under way. */
  get isPinned(): boolean {
    return this.#pins.length > 0;
  }

  /** Whether a read under way needs what compaction at `revision` drops. */
  isPinnedBefore(revision: number): boolean {
    return this.#pins.some((pin) => pin < revision);
  }
}
