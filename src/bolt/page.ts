/**
 * The bytes of a branch or leaf page. All numbers are little endian.
 *
 *   0   u64  page number                     leaf element            branch element
 *   8   u16  flags: what kind of page        0   u32  flags          0   u32  pos
 *   10  u16  count of elements               4   u32  pos            4   u32  key bytes
 *   12  u32  overflow: pages that follow     8   u32  key bytes      8   u64  page of the child
 *   16  ...  elements, 16 bytes each         12  u32  value bytes
 *       ...  keys and values
 *
 * `pos` counts from the start of its own element; a value follows its key directly.
 */
import { BoltError } from "./errors.ts";

export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;

export const BRANCH_PAGE = 0x01;
export const LEAF_PAGE = 0x02;
export const META_PAGE = 0x04;
export const FREELIST_PAGE = 0x10;

/** Leaf element flag: the value is the header of a bucket, not a user's bytes. */
export const BUCKET_ELEMENT = 1;

export const KEY_BYTES_MAX = 32768;
/** bbolt's own bound; it leaves the top bit of a length free. */
export const VALUE_BYTES_MAX = 0x7fff_fffe;

export function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}

/** A u64 as a number; what exceeds 2^53 loses its low bits, and so fails every range check. */
export function u64(bytes: Uint8Array, at: number): number {
  const high = u32(bytes, at + 4);
  return high === 0 ? u32(bytes, at) : high * 0x1_0000_0000 + u32(bytes, at);
}

export const pageId = (page: Uint8Array): number => u64(page, 0);
export const pageFlags = (page: Uint8Array): number => u16(page, 8);
export const pageCount = (page: Uint8Array): number => u16(page, 10);
export const pageOverflow = (page: Uint8Array): number => u32(page, 12);
export const isLeafPage = (page: Uint8Array): boolean => page[8] === LEAF_PAGE;

const elementAt = (index: number): number => PAGE_HEADER_BYTES + index * ELEMENT_BYTES;

export const elementFlags = (leaf: Uint8Array, index: number): number =>
  u32(leaf, elementAt(index));

/** The page number that element `index` of a branch page points at. */
export const childPage = (branch: Uint8Array, index: number): number =>
  u64(branch, elementAt(index) + 8);

/** Where the key of an element begins, once it is known to lie inside the page. */
export function keyStart(page: Uint8Array, index: number): number {
  const element = elementAt(index);
  const field = isLeafPage(page) ? element + 4 : element;
  const start = element + u32(page, field);
  if (start + u32(page, field + 4) > page.length) throw elementError(page, index);
  return start;
}

export function keyBytes(page: Uint8Array, index: number): number {
  return u32(page, elementAt(index) + (isLeafPage(page) ? 8 : 4));
}

/** The length of the value that follows the key, once it is known to lie inside the page. */
export function valueBytes(leaf: Uint8Array, index: number): number {
  const length = u32(leaf, elementAt(index) + 12);
  if (keyStart(leaf, index) + keyBytes(leaf, index) + length > leaf.length) {
    throw elementError(leaf, index);
  }
  return length;
}

/**
 * Index of the element with this key, or `~i` where i is the place it would be inserted at. What
 * the keys on both sides have in common with it, all between them have too: those bytes are not
 * compared again. Neighbouring revisions differ in their last bytes only.
 */
export function findInPage(page: Uint8Array, key: Uint8Array): number {
  const field = isLeafPage(page) ? 4 : 0;
  let low = 0;
  let high = pageCount(page);
  let sharedLow = 0;
  let sharedHigh = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const element = elementAt(middle);
    const start = element + u32(page, element + field);
    const length = u32(page, element + field + 4);
    if (start + length > page.length) throw elementError(page, middle);
    const end = Math.min(length, key.length);
    let shared = Math.min(sharedLow, sharedHigh, end);
    while (shared < end && page[start + shared] === key[shared]) shared++;
    const order = shared < end ? page[start + shared]! - key[shared]! : length - key.length;
    if (order === 0) return middle;
    if (order < 0) {
      low = middle + 1;
      sharedLow = shared;
    } else {
      high = middle;
      sharedHigh = shared;
    }
  }
  return ~low;
}

/** The child to follow for a key, given what a find in a branch said: the last one not above it. */
export function childIndex(found: number): number {
  if (found >= 0) return found;
  return found === ~0 ? 0 : ~found - 1;
}

function elementError(page: Uint8Array, index: number): BoltError {
  return damaged(page, `element ${index} of ${pageCount(page)} reaches beyond the page`);
}

/** An error that names the page and where in the file it lies. */
export function damaged(page: Uint8Array, why: string): BoltError {
  const id = pageId(page);
  const offset = (id * page.length) / (1 + pageOverflow(page));
  return new BoltError(`page ${id} at offset ${offset}: ${why}`);
}
