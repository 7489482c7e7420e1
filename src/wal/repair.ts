import { Reader, readHardState } from "../proto/index.ts";
import { CRC_TAG, Frame, RECORD, TYPE_TAG } from "./record.ts";

// When is a bad record a torn write?
//
// A member that loses power while it appends finds, at the end of its last segment, a record of
// which only a part reached the disk. Nobody was told that it was saved, so it may be cut off.
// Any other damage may have eaten records that somebody relies on, and is never cut off: quord
// then refuses to start and names file and offset.
//
// A record is bad when its frame is not of the exact form in `record.ts`, when it runs past the
// end of the file, when its checksum does not continue the one before, or when its length field is
// zero and yet something other than zeros follows. A bad record is a torn write when
//
//   1. it stands in the last segment, since a segment is finished and synced before the next one
//      gets its name;
//   2. two sound records stand before it in that segment, since a segment's first records are
//      synced before it gets its name;
//   3. no intact record of a later write follows it, wherever one could begin: at every multiple of
//      8. The length field of the bad record is not believed, for the damage may be in it;
//   4. a part of it is missing: the file ends before it does, or zeros stand at its end or in all
//      of a sector. Space is prepared with zeros, so that is what a torn write leaves. A flipped
//      bit leaves the record complete: then a vote or an entry may be in it that counts.
//
// Sectors of one write reach the disk in any order, so intact records of the same write may follow
// the bad one: entries, then one hard state, and snapshot positions, which say nothing. A later
// write shows by a hard state that entries or another one follow, or that has the bad record
// committed: it was durable then. Only the first write of all may commit its own entries.
//
// A record that is sound by its checksum but makes no sense is not a torn write wherever it stands
// (`Replay` refuses it): the checksum leaves out the type, so one flipped bit makes a hard state
// of an entry. No flip makes a valid record of another: an entry lacks the hard state's first
// field or its term or has one field more; a hard state read as an entry is one of type >= 1
// without data, or of an unknown type; metadata must repeat the first; a snapshot position has
// data and, above index 0, a configuration; a crc record has no data.

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

/** Where the first intact record begins in `bytes`, at a multiple of 8 from `start` on; or -1. */
export function findIntactRecord(bytes: Uint8Array, start: number): number {
  const frame = new Frame();
  for (let at = start; at < bytes.length; at += 8) {
    // The low half of a length is never zero, and prepared space is nothing else.
    if ((bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) === 0) continue;
    if (frame.parse(bytes, at, bytes.length) === "record" && looksWritten(frame)) return at;
  }
  return -1;
}

/**
 * Whether all that is intact behind the bad record at the start of `bytes` was written together
 * with it, of which then whole sectors are missing. `offset` is the place in the file, `intact`
 * where in `bytes` the first intact record begins, `index` the entry that the bad one could be,
 * `commit` what the log has committed before it.
 */
export function isOneTornWrite(
  bytes: Uint8Array,
  {
    offset,
    intact,
    index,
    commit,
  }: { offset: number; intact: number; index: number; commit: number },
): boolean {
  const frame = new Frame();
  let hasEnded = false;
  for (let at = intact; at >= 0; at = findIntactRecord(bytes, frame.end)) {
    frame.parse(bytes, at, bytes.length);
    if (frame.type === RECORD.snapshot) continue;
    if (hasEnded || (frame.type !== RECORD.entry && frame.type !== RECORD.state)) return false;
    hasEnded = frame.type === RECORD.state;
    const data = bytes.subarray(frame.dataStart, frame.dataEnd);
    if (hasEnded && commit > 0 && !(commitOf(data) < index)) return false;
  }
  const sectorsEnd = intact - ((offset + intact) % SECTOR_BYTES);
  if (sectorsEnd <= 0 || lengthIsFlipped(bytes, offset)) return false;
  return hasZeroSector(bytes.subarray(0, sectorsEnd), offset);
}

/** NaN when the bytes are not those of a hard state: nobody has checked them. */
function commitOf(state: Uint8Array): number {
  try {
    return readHardState(new Reader(state)).commit;
  } catch {
    return Number.NaN;
  }
}

/**
 * Whether the bad record at the start of `bytes`, which reach to the end of the file, lacks a part
 * (rule 4). `offset` is its place in the file.
 */
export function lacksPart(bytes: Uint8Array, offset: number): boolean {
  const frame = new Frame();
  const status = frame.parse(bytes, 0, bytes.length);
  if (status === "short") return true;
  if (status === "end") return !lengthIsFlipped(bytes, offset);
  const lengthIsKnown = frame.bytesNeeded > 8;
  if (!lengthIsKnown) return isZero(bytes, 8, bytes.length);
  const end = frame.bytesNeeded - frame.padding;
  return bytes[end - 1] === 0 || hasZeroSector(bytes.subarray(0, end), offset);
}

/** A zero length before the head of a record was another once, unless its sector ends with it. */
function lengthIsFlipped(bytes: Uint8Array, offset: number): boolean {
  if (!isZero(bytes, 0, 8) || (offset + 8) % SECTOR_BYTES === 0) return false;
  return bytes[8] === TYPE_TAG && bytes[10] === CRC_TAG;
}

function hasZeroSector(bytes: Uint8Array, offset: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    if (isZero(bytes, at, next)) return true;
    at = next;
  }
  return false;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

function looksWritten(frame: Frame): boolean {
  if (frame.type < RECORD.metadata || frame.type > RECORD.snapshot) return false;
  return frame.hasData === (frame.type !== RECORD.crc);
}
