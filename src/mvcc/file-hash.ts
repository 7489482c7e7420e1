import { bytesToText, copyBytes, crc32c, textToBytes } from "../base/index.ts";
import type { Bucket, Db } from "../bolt/index.ts";
import { inSlices, Pace, restartable, SCAN_COST, type Slices } from "./slices.ts";

/** Entries of the bucket `meta` that differ between members whose state is the same. */
const IGNORED = ["consistent_index", "term", "storageVersion"];

/** Checksum over all buckets. For a file at rest: what is written meanwhile may count or not. */
export function* hashAll(db: Db): Slices<number> {
  const names = yield* restartable(() => db.bucketNames());
  let hash = 0;
  for (const name of names) {
    // Asked for again in each slice: the file may become another between two of them.
    const bucket = () => db.bucket(name);
    const hasher = new BucketHasher(bucket, crc32c(hash, textToBytes(name)), {
      ignored: name === "meta" ? IGNORED : [],
    });
    yield* inSlices(() => hasher.step());
    hash = hasher.hash;
  }
  return hash;
}

class BucketHasher {
  readonly #bucket: () => Bucket;
  readonly #ignored: readonly string[];
  readonly #pace = new Pace();
  #lastKey: Uint8Array | undefined;
  hash: number;

  constructor(bucket: () => Bucket, hash: number, options: { ignored: readonly string[] }) {
    this.#bucket = bucket;
    this.#ignored = options.ignored;
    this.hash = hash;
  }

  /** Hashes on from the last key. True at the end. */
  step(): boolean {
    const cursor = this.#bucket().cursor();
    const last = this.#lastKey;
    let isThere = last === undefined ? cursor.first() : cursor.seek(after(last));
    while (isThere) {
      const { key, value } = cursor;
      if (!this.#ignored.includes(bytesToText(key))) {
        this.hash = crc32c(crc32c(this.hash, key), value);
      }
      this.#lastKey = key;
      this.#pace.spend(SCAN_COST + value.length);
      if (this.#pace.isOver()) {
        this.#lastKey = copyBytes(key);
        return false;
      }
      isThere = cursor.next();
    }
    return true;
  }
}

function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
