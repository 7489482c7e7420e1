import { bytesToText, crc32c, quoteBytes, textToBytes } from "../base/index.ts";
import { EXIT, Exit, type Progress } from "../cli/index.ts";
import { runWithPages, withPages } from "../disk/index.ts";
import { isTombstone, KeyValueReader, readMain } from "../mvcc/index.ts";
import { ProtoError } from "../proto/index.ts";
import { type OpenDatabase, readDatabase } from "./database.ts";
import { KeyCount } from "./key-count.ts";
import type { Utl } from "./utl.ts";

/** What a snapshot holds. */
export interface SnapshotStatus {
  /** CRC-32C over the names of all buckets and all their keys and values. */
  readonly hash: number;
  readonly revision: number;
  /** Keys that are not deleted. */
  readonly totalKey: number;
  /** Bytes, free pages included. */
  readonly totalSize: number;
  /** The storage version; "" before 3.6. */
  readonly version: string;
}

/** Checks a snapshot through and through, and describes it. Throws `Exit`. */
export function snapshotStatus(utl: Utl, path: string): Promise<SnapshotStatus> {
  return readDatabase(path, async (opened) => {
    // All of it is read twice.
    const progress = utl.progress("reading", 2 * opened.file.sizeBytes);
    try {
      await checkIntegrity(opened, progress);
      return await withPages(opened.file, () => describe(opened, progress));
    } finally {
      progress.clear();
    }
  });
}

async function checkIntegrity(opened: OpenDatabase, progress: Progress): Promise<void> {
  const check = opened.db.check();
  await runWithPages(opened.file, function* () {
    const steps = check.run();
    while (steps.next().done !== true) yield progress.update(opened.bytesRead());
  });
  const { problems } = check;
  if (problems.length === 0) return;
  const head = `snapshot file integrity check failed. ${problems.length} errors found.`;
  throw new Exit(EXIT.error, [head, ...problems].join("\n"));
}

function describe({ db, bytesRead }: OpenDatabase, progress: Progress): SnapshotStatus {
  const keys = new KeyRecords();
  let hash = 0;
  for (const name of db.bucketNames()) {
    hash = crc32c(hash, textToBytes(name));
    const cursor = db.bucket(name).cursor();
    for (let found = cursor.first(); found; found = cursor.next()) {
      const { key, value } = cursor;
      hash = crc32c(crc32c(hash, key), value);
      if (name === "key") keys.add(key, value);
      progress.update(bytesRead());
    }
  }
  const version = db.bucket("meta").get(textToBytes("storageVersion"));
  return {
    hash,
    revision: keys.revision,
    totalKey: keys.count,
    totalSize: db.sizeInPages * db.pageSize,
    version: version === undefined ? "" : bytesToText(version),
  };
}

const REVISION_KEY_BYTES = 17;

/** Follows the records of the store in their order. */
class KeyRecords {
  revision = 0;
  readonly #keys = new KeyCount();
  readonly #pair = new KeyValueReader();

  get count(): number {
    return this.#keys.live;
  }

  /** Throws `Exit` for what is no record. */
  add(revisionKey: Uint8Array, value: Uint8Array): void {
    if (revisionKey.length < REVISION_KEY_BYTES) {
      refuse(`cannot parse revision key: ${quoteBytes(revisionKey)} err: too short`);
    }
    this.revision = readMain(revisionKey);
    this.#read(revisionKey, value);
    if (isTombstone(revisionKey)) this.#keys.delete(this.#pair.key);
    else this.#keys.add(this.#pair.key);
  }

  #read(revisionKey: Uint8Array, value: Uint8Array): void {
    try {
      this.#pair.read(value);
    } catch (error) {
      if (!(error instanceof ProtoError)) throw error;
      const where = `key: ${quoteBytes(revisionKey)} value: ${quoteBytes(value)}`;
      refuse(`cannot unmarshal value, ${where} err: proto: ${error.message}`);
    }
  }
}

function refuse(reason: string): never {
  throw new Exit(EXIT.error, `error during bucket key iteration, name: "key" err: ${reason}`);
}
