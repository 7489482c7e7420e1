import { copyBytes, equalBytes } from "../base/index.ts";
import {
  decodeLogMetadata,
  ENTRY_TYPE,
  type Entry,
  entryBytes,
  type HardState,
  type LogMetadata,
  ProtoError,
  Reader,
  readEntry,
  readHardState,
  readWalSnapshot,
  type SnapshotMeta,
} from "../proto/index.ts";
import { WalError } from "./errors.ts";
import { type Frame, RECORD } from "./record.ts";
import type { SegmentName } from "./segment.ts";

/** Where an entry's record stands: the how-manieth segment of the replay, and the byte in it. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

/** What a log says once all of it was read. */
export interface Recovered {
  readonly metadata: LogMetadata;
  /** The metadata record's bytes, which every later segment repeats. */
  readonly metadataBytes: Uint8Array;
  /** The last snapshot position that is committed; index 0 when there was none yet. */
  readonly snapshot: SnapshotMeta;
  readonly hardState: HardState | undefined;
  /** The last entry, or the snapshot's index when no entry follows it. */
  readonly lastIndex: number;
  /** The places of the entries from `snapshot.index + 1` on, ascending, `undefined` past the end. */
  readonly placeOf: (index: number) => Place | undefined;
}

const NO_INDEX = -1;

/** A place as one number: the segment above, the offset in the low 40 bits. */
const SEGMENT_STEP = 2 ** 40;

/**
 * Reads records in the order of the log and keeps what counts: a later entry replaces the one at
 * its index and all behind it, the last hard state wins, the metadata never changes. Of an entry
 * only its place is kept, so that a log of any size can be looked through before it is served.
 */
export class Replay {
  /** The running checksum. */
  crc = 0;
  readonly #segments: SegmentName[] = [];
  #recordsInSegment = 0;
  #metadata: Uint8Array | undefined;
  #hardState: HardState | undefined;
  #hardStatePlace = 0;
  readonly #snapshots: SnapshotMeta[] = [];
  /** Places of the entries from `#firstIndex` on. */
  readonly #places: number[] = [];
  #firstIndex = 1;
  /** Where another term begins among them, ascending. */
  readonly #terms: { readonly index: number; readonly term: number }[] = [];
  /** What a snapshot from a leader has replaced is never written again. */
  #replacedTo = 0;
  /** Index of the record of such a snapshot, until an entry follows it. */
  #receivedIndex = NO_INDEX;
  readonly #reader = new Reader(new Uint8Array(0));

  /** The records that follow are of this segment, the next of the list. */
  beginSegment(segment: SegmentName): void {
    this.#segments.push(segment);
    this.#recordsInSegment = 0;
  }

  /** Whether the segment has the records that were synced before it got its name. */
  get segmentIsBegun(): boolean {
    return this.#recordsInSegment >= 2;
  }

  /** The last commit index so far. */
  get commit(): number {
    return this.#hardState?.commit ?? 0;
  }

  /** The index of the entry that comes next, if one does. */
  get nextIndex(): number {
    if (this.#places.length > 0) return this.#firstIndex + this.#places.length;
    return this.#segments.at(-1)?.index ?? 0;
  }

  /**
   * Takes the record of a whole frame. False when its checksum says that it is damaged. Throws
   * WalError when it is sound but does not belong here.
   */
  accept(frame: Frame, bytes: Uint8Array, offset: number): boolean {
    if (!this.#checksumHolds(frame, bytes)) return false;
    const place = (this.#segments.length - 1) * SEGMENT_STEP + offset;
    try {
      this.#record(frame, bytes, place);
    } catch (error) {
      if (error instanceof ProtoError) this.#refuse(error.message, place);
      throw error;
    }
    this.#recordsInSegment++;
    return true;
  }

  /**
   * What the log says. Undefined when no snapshot position in the segments seen so far is committed
   * and has all entries behind it in them: an earlier segment is needed.
   */
  finish(): Recovered | undefined {
    const { commit } = this;
    const snapshot = this.#snapshots.findLast((meta) => meta.index <= commit);
    const firstSegment = this.#segments[0];
    if (snapshot === undefined || firstSegment === undefined) return undefined;
    if (firstSegment.index > snapshot.index) return undefined;
    this.#checkTerms(snapshot);
    // Nothing was written yet in place of the entries that it has replaced.
    if (this.#receivedIndex === snapshot.index) this.#truncate(snapshot.index + 1);
    const lastIndex = this.#lastIndex(snapshot);
    if (commit > lastIndex) {
      const reason = `state.commit ${commit} is out of range [${snapshot.index}, ${lastIndex}]`;
      this.#refuse(reason, this.#hardStatePlace);
    }
    const metadataBytes = this.#metadata!;
    return {
      metadata: decodeLogMetadata(metadataBytes),
      metadataBytes,
      snapshot,
      hardState: this.#hardState,
      lastIndex,
      placeOf: (index) => this.#placeOf(index),
    };
  }

  #checksumHolds(frame: Frame, bytes: Uint8Array): boolean {
    if (frame.type === RECORD.crc) {
      const isFirst = this.#segments.length === 1 && this.#recordsInSegment === 0;
      if (frame.hasData || !(isFirst || frame.crc === this.crc)) return false;
    } else {
      const computed = frame.checksum(this.crc, bytes);
      if (this.#recordsInSegment === 0 || computed !== frame.crc) return false;
    }
    this.crc = frame.crc;
    return true;
  }

  /** The checksum does not cover the type: what a flipped one would make of a record is refused. */
  #record(frame: Frame, bytes: Uint8Array, place: number): void {
    if (this.#recordsInSegment === 1 && frame.type !== RECORD.metadata) {
      this.#refuse("the segment does not begin with metadata", place);
    }
    if (!frame.hasData && frame.type !== RECORD.crc) this.#refuse("record without data", place);
    const r = this.#reader;
    r.bytes = bytes;
    r.at = frame.dataStart;
    r.end = frame.dataEnd;
    switch (frame.type) {
      case RECORD.entry:
        return this.#entry(readEntry(r), frame.dataEnd - frame.dataStart, place);
      case RECORD.state:
        return this.#state(readHardState(r), place);
      case RECORD.metadata:
        return this.#metadataRecord(bytes.subarray(frame.dataStart, frame.dataEnd), place);
      case RECORD.snapshot:
        return this.#snapshot(readWalSnapshot(r));
      case RECORD.crc:
        return;
      default:
        this.#refuse(`unexpected block type ${frame.type}`, place);
    }
  }

  #entry(entry: Entry, dataBytes: number, place: number): void {
    const { index, term, type } = entry;
    if (index === 0 || term === 0 || type > ENTRY_TYPE.confChangeV2) {
      this.#refuse(`entry ${index} of term ${term} and type ${type} cannot be`, place);
    }
    // A hard state reads as an entry of type 1 or 2 that lacks its data.
    if (type !== ENTRY_TYPE.normal && entry.data.length === 0 && dataBytes < entryBytes(entry)) {
      this.#refuse(`entry ${index} has no data`, place);
    }
    if (index <= this.#replacedTo) {
      this.#refuse(`entry ${index} stands behind entry ${this.#firstIndex}`, place);
    }
    this.#receivedIndex = NO_INDEX;
    const at = index - this.#firstIndex;
    if (at > this.#places.length && this.#places.length > 0) {
      // Only a snapshot from the leader may bridge a gap, and makes all before it superfluous:
      // `finish` sees whether one does.
      this.#replacedTo = index - 1;
    }
    if (at >= 0 && at <= this.#places.length) {
      this.#truncate(index);
    } else {
      // The end that it replaces may begin in a segment that was not read.
      this.#truncate(this.#firstIndex);
      this.#firstIndex = index;
    }
    this.#places.push(place);
    if (this.#terms.at(-1)?.term !== term) this.#terms.push({ index, term });
  }

  /** Forgets the entries from an index on, which is not before the first of them. */
  #truncate(index: number): void {
    this.#places.length = Math.max(0, Math.min(this.#places.length, index - this.#firstIndex));
    while ((this.#terms.at(-1)?.index ?? -1) >= index) this.#terms.pop();
  }

  /** A snapshot whose entry is in the log is the member's own, and the entries behind it stand. */
  #snapshot(meta: SnapshotMeta): void {
    this.#snapshots.push(meta);
    const { index, term } = meta;
    const isWithin = index >= this.#firstIndex && index < this.#firstIndex + this.#places.length;
    if (!isWithin) return;
    if (this.#terms.findLast((run) => run.index <= index)!.term !== term) {
      this.#receivedIndex = index;
    }
  }

  #state(state: HardState, place: number): void {
    if (state.term === 0) this.#refuse("hard state of term 0", place);
    this.#hardState = state;
    this.#hardStatePlace = place;
  }

  #metadataRecord(bytes: Uint8Array, place: number): void {
    if (this.#metadata === undefined) {
      decodeLogMetadata(bytes);
      this.#metadata = copyBytes(bytes);
    } else if (!equalBytes(this.#metadata, bytes)) {
      this.#refuse("metadata differs from that of the records before", place);
    }
  }

  #checkTerms(snapshot: SnapshotMeta): void {
    for (const other of this.#snapshots) {
      if (other.index !== snapshot.index || other.term === snapshot.term) continue;
      this.#refuse(`snapshot ${snapshot.index} has terms ${other.term} and ${snapshot.term}`, 0);
    }
  }

  #lastIndex(snapshot: SnapshotMeta): number {
    const first = this.#places[0];
    const last = this.#firstIndex + this.#places.length - 1;
    if (first === undefined || last <= snapshot.index) return snapshot.index;
    if (this.#firstIndex > snapshot.index + 1) {
      const reason = `slice bounds out of range, entry ${this.#firstIndex - 1} is missing`;
      this.#refuse(reason, first);
    }
    return last;
  }

  #placeOf(index: number): Place | undefined {
    const place = this.#places[index - this.#firstIndex];
    if (place === undefined) return undefined;
    return { segment: Math.floor(place / SEGMENT_STEP), offset: place % SEGMENT_STEP };
  }

  #refuse(reason: string, place: number): never {
    const file = this.#segments[Math.floor(place / SEGMENT_STEP)]!.file;
    throw new WalError(reason, { file, offset: place % SEGMENT_STEP });
  }
}
