/**
 * A revision is `(main, sub)`: main counts the transactions that changed something, sub the changes
 * inside one. As a key of the page file:
 *
 *   0   u64be  main
 *   8   u8     '_'
 *   9   u64be  sub
 *   17  u8     't', on tombstones only
 */
const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;
const TWO_32 = 0x1_0000_0000;

/** A transaction of so many changes would not fit into memory. */
const SUB_MAX = 0x7fff_ffff;

export const REVISION_BYTES = 17;
export const TOMBSTONE_BYTES = 18;

/** A key of the bucket that is no revision: the page file is damaged or not a store's. */
export class RevisionError extends Error {
  override readonly name = "RevisionError";
}

/** Fills the first 17 bytes of `target`. */
export function writeRevision(target: Uint8Array, main: number, sub: number): void {
  writeUint64(target, 0, main);
  target[8] = SEPARATOR;
  writeUint64(target, 9, sub);
}

/** Fills the 18 bytes of `target`. */
export function writeTombstone(target: Uint8Array, main: number, sub: number): void {
  writeRevision(target, main, sub);
  target[REVISION_BYTES] = TOMBSTONE_MARK;
}

/** The key of a put's record, or of a compaction mark in the bucket `meta` (with sub 0). */
export function revisionKey(main: number, sub: number): Uint8Array {
  const key = new Uint8Array(REVISION_BYTES);
  writeRevision(key, main, sub);
  return key;
}

export function tombstoneKey(main: number, sub: number): Uint8Array {
  const key = new Uint8Array(TOMBSTONE_BYTES);
  writeTombstone(key, main, sub);
  return key;
}

/** Throws RevisionError unless `key` has the form above, main is within 2^53 and sub within 2^31. */
export function checkRevision(key: Uint8Array): void {
  const length = key.length;
  const formed = length === REVISION_BYTES || length === TOMBSTONE_BYTES;
  if (!formed || key[8] !== SEPARATOR) throw new RevisionError("not a revision key");
  if (readMain(key) > Number.MAX_SAFE_INTEGER || readSub(key) > SUB_MAX) {
    throw new RevisionError("revision is negative or out of range");
  }
}

export function readMain(key: Uint8Array): number {
  return readUint64(key, 0);
}

export function readSub(key: Uint8Array): number {
  return readUint64(key, 9);
}

export function isTombstone(key: Uint8Array): boolean {
  return key.length === TOMBSTONE_BYTES && key[REVISION_BYTES] === TOMBSTONE_MARK;
}

function writeUint64(target: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  target[at] = high >>> 24;
  target[at + 1] = high >>> 16;
  target[at + 2] = high >>> 8;
  target[at + 3] = high;
  target[at + 4] = value >>> 24;
  target[at + 5] = value >>> 16;
  target[at + 6] = value >>> 8;
  target[at + 7] = value;
}

function readUint64(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * TWO_32 + readUint32(bytes, at + 4);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}
