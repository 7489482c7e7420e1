import { assert, bytesToText, copyBytes } from "../base/index.ts";
import { Cursor } from "./cursor.ts";
import { BoltError } from "./errors.ts";
import { setU64 } from "./meta.ts";
import { Node } from "./node.ts";
import { ELEMENT_BYTES, LEAF_PAGE, PAGE_HEADER_BYTES, pageCount, pageFlags, u64 } from "./page.ts";
import { type Pager } from "./pager.ts";
import { fillPage, type Spill } from "./spill.ts";
import { Tree } from "./tree.ts";

/** Root page (0: the bucket is inline, its only page follows) and sequence, 8 bytes each. */
export const BUCKET_HEADER_BYTES = 16;
const SEQUENCE_AT = 8;
/** How full a page is made when it is split, unless a bucket says otherwise. */
export const FILL_PERCENT = 0.5;

/** The value under which a bucket without keys is stored. */
export const EMPTY_BUCKET: Uint8Array = emptyBucket();

function emptyBucket(): Uint8Array {
  const value = new Uint8Array(BUCKET_HEADER_BYTES + PAGE_HEADER_BYTES);
  value[BUCKET_HEADER_BYTES + 8] = LEAF_PAGE;
  return value;
}

/** A named, sorted map of keys to values. */
export class Bucket {
  /** How full pages are made when they are split; 0.9 suits keys that come in ascending order. */
  fillPercent = FILL_PERCENT;
  readonly name: Uint8Array;
  readonly tree: Tree;
  readonly #sequence: Uint8Array;

  constructor(pager: Pager, name: Uint8Array, value: Uint8Array) {
    this.name = name;
    this.tree = new Tree(pager, bucketRoot(name, value));
    this.#sequence = copyBytes(value.subarray(SEQUENCE_AT, BUCKET_HEADER_BYTES));
  }

  /** View of the stored value, valid until the next put, delete or commit. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.tree.get(key);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.reserve(key, value.length).set(value);
  }

  /** As `put`, but returns the place of the value, which the caller fills at once. */
  reserve(key: Uint8Array, valueBytes: number): Uint8Array {
    assert(!this.tree.pager.isCommitting, "nothing is put during a commit");
    return this.tree.reserve(key, valueBytes);
  }

  /** Returns whether the key was there. */
  delete(key: Uint8Array): boolean {
    assert(!this.tree.pager.isCommitting, "nothing is deleted during a commit");
    return this.tree.delete(key);
  }

  /** `passing`: for going through all of it once, see Cursor. */
  cursor(options?: { passing: boolean }): Cursor {
    return new Cursor(this.tree, options);
  }

  /** Makes pages of it and stores their root in the tree of buckets. Returns the new root. */
  *spill(spill: Spill, buckets: Tree): Generator<void, number | Uint8Array> {
    const { root } = this.tree;
    assert(typeof root === "number" || root instanceof Node, "a changed bucket has an open root");
    if (root instanceof Node && this.#fitsInline(root)) return this.#storeInline(root, buckets);
    const page = root instanceof Node ? yield* spill.tree(root, this.fillPercent) : root;
    this.#storeHeader(page, buckets.reserve(this.name, BUCKET_HEADER_BYTES, { isBucket: true }));
    return page;
  }

  #fitsInline(root: Node): boolean {
    return root.isLeaf && root.bytes <= this.tree.pager.pageSize / 4;
  }

  #storeInline(root: Node, buckets: Tree): Uint8Array {
    const length = BUCKET_HEADER_BYTES + root.bytes;
    const value = buckets.reserve(this.name, length, { isBucket: true });
    this.#storeHeader(0, value);
    const image = value.subarray(BUCKET_HEADER_BYTES);
    const part = { rows: root.rows, isLeaf: true, from: 0, to: root.rows.count };
    fillPage(image, { id: 0, overflow: 0 }, part, this.tree.pager.sources);
    return copyBytes(image);
  }

  #storeHeader(root: number, value: Uint8Array): void {
    const view = new DataView(value.buffer, value.byteOffset, BUCKET_HEADER_BYTES);
    setU64(view, 0, root);
    value.set(this.#sequence, SEQUENCE_AT);
  }
}

/** The root page of a stored bucket, or the image of its only page when it is inline. */
export function bucketRoot(name: Uint8Array, value: Uint8Array): number | Uint8Array {
  if (value.length < BUCKET_HEADER_BYTES) throw bucketError(name, "its header is cut short");
  const root = u64(value, 0);
  if (root !== 0) return root;
  const image = value.subarray(BUCKET_HEADER_BYTES);
  if (image.length < PAGE_HEADER_BYTES) throw bucketError(name, "its inline page is missing");
  if (pageFlags(image) !== LEAF_PAGE) throw bucketError(name, "its inline page is not a leaf");
  if (PAGE_HEADER_BYTES + pageCount(image) * ELEMENT_BYTES > image.length) {
    throw bucketError(name, `${pageCount(image)} elements do not fit its inline page`);
  }
  return image;
}

function bucketError(name: Uint8Array, why: string): BoltError {
  return new BoltError(`bucket ${JSON.stringify(bytesToText(name))}: ${why}`);
}
