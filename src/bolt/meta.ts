/**
 * The meta page: page 0 or 1, whichever the parity of the transaction says. After the page header:
 *
 *   0   u32  magic 0xED0CDAED              32  u64  page of the free list, or NO_FREELIST
 *   4   u32  version 2                     40  u64  high water mark: pages that exist
 *   8   u32  page size                     48  u64  transaction
 *   12  u32  flags, 0                      56  u64  FNV-1a of bytes 0 to 55
 *   16  u64  root page of the root bucket
 *   24  u64  its sequence, 0
 *
 * A commit writes one of the two pages and so leaves the other as the way back.
 */
import { META_PAGE, PAGE_HEADER_BYTES, u32, u64 } from "./page.ts";

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const META_BYTES = 64;
const CHECKSUM_AT = 56;
export const PAGE_BYTES_MIN = 1024;
export const PAGE_BYTES_MAX = 65536;

/** In place of a page of the free list: none is written, a reader finds the free pages itself. */
export const NO_FREELIST = -1;

export interface Meta {
  readonly pageSize: number;
  /** Root page of the tree of buckets. */
  readonly root: number;
  /** Page of a stored free list, or NO_FREELIST. */
  readonly freelist: number;
  /** Pages at and above this one were never used. */
  readonly sizeInPages: number;
  readonly txid: number;
}

/** The meta in a page, or why it is none. `page` may be longer or shorter than a page. */
export function readMeta(page: Uint8Array): Meta | string {
  if (page.length < PAGE_HEADER_BYTES + META_BYTES) return "the page is missing";
  const meta = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES);
  if (u32(meta, 0) !== MAGIC) return "not a bbolt file (wrong magic number)";
  if (u32(meta, 4) !== VERSION) return `format version ${u32(meta, 4)} is not ${VERSION}`;
  const { high, low } = fnv1a(meta.subarray(0, CHECKSUM_AT));
  if (u32(meta, CHECKSUM_AT) !== low || u32(meta, CHECKSUM_AT + 4) !== high) {
    return "the checksum is wrong";
  }
  return checkedMeta({
    pageSize: u32(meta, 8),
    root: u64(meta, 16),
    freelist: isNoFreelist(meta) ? NO_FREELIST : u64(meta, 32),
    sizeInPages: u64(meta, 40),
    txid: u64(meta, 48),
  });
}

function isNoFreelist(meta: Uint8Array): boolean {
  return u32(meta, 32) === 0xffff_ffff && u32(meta, 36) === 0xffff_ffff;
}

function checkedMeta(meta: Meta): Meta | string {
  const { pageSize, root, freelist, sizeInPages, txid } = meta;
  const isPower = (pageSize & (pageSize - 1)) === 0;
  if (!isPower || pageSize < PAGE_BYTES_MIN || pageSize > PAGE_BYTES_MAX) {
    return `page size ${pageSize} is not supported`;
  }
  // Rows keep page numbers in 32 bits: 16 TiB at the usual page size.
  if (sizeInPages > 0xffff_ffff) return `${sizeInPages} pages are more than supported`;
  if (root < 2 || root >= sizeInPages) return `root page ${root} is outside the file`;
  if (freelist !== NO_FREELIST && (freelist < 2 || freelist >= sizeInPages)) {
    return `free list page ${freelist} is outside the file`;
  }
  if (!Number.isSafeInteger(txid)) return `transaction ${txid} is too large`;
  return meta;
}

/** A whole page with this meta, at page 0 or 1. bbolt itself asks for `txid % 2`. */
export function writeMeta(page: Uint8Array, id: 0 | 1, meta: Meta): void {
  page.fill(0);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  view.setUint32(0, id, true);
  view.setUint16(8, META_PAGE, true);
  const at = PAGE_HEADER_BYTES;
  view.setUint32(at, MAGIC, true);
  view.setUint32(at + 4, VERSION, true);
  view.setUint32(at + 8, meta.pageSize, true);
  setU64(view, at + 16, meta.root);
  if (meta.freelist === NO_FREELIST) view.setBigInt64(at + 32, -1n, true);
  else setU64(view, at + 32, meta.freelist);
  setU64(view, at + 40, meta.sizeInPages);
  setU64(view, at + 48, meta.txid);
  const { high, low } = fnv1a(page.subarray(at, at + CHECKSUM_AT));
  view.setUint32(at + CHECKSUM_AT, low, true);
  view.setUint32(at + CHECKSUM_AT + 4, high, true);
}

export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** FNV-1a, 64 bits, in two halves. The prime is 2^40 + 0x1b3. */
function fnv1a(bytes: Uint8Array): { high: number; low: number } {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    const product = low * 0x1b3;
    const carry = Math.floor(product / 0x1_0000_0000);
    high = (Math.imul(high, 0x1b3) + carry + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return { high, low };
}
