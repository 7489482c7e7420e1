import { rename, rm, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import type { Db } from "../../bolt/index.ts";
import { formatDuration } from "../../base/index.ts";
import {
  EXIT,
  Exit,
  formatBytes,
  offering,
  type Progress,
  required,
  stringFlag,
} from "../../cli/index.ts";
import { commitTo, PageFile, runWithPages } from "../../disk/index.ts";
import { changeDatabase, databasePath, type OpenDatabase, syncPath } from "../database.ts";
import { define } from "../define.ts";
import type { Utl } from "../utl.ts";

/** Between two commits, so that the pages of one fit into memory. */
const PUTS_PER_COMMIT = 10_000;
const BYTES_PER_COMMIT = 16 * 1024 * 1024;
const FILL_PERCENT = 0.9;

export const defrag = define({
  use: "defrag",
  flags: {
    "data-dir": offering(
      "directories",
      required(stringFlag("Required. Defragments a data directory not in use by etcd.")),
    ),
  },
  run: async ({ context: utl }, flags) => {
    const dataDir = flags["data-dir"];
    const path = databasePath(dataDir);
    try {
      await changeDatabase(utl, path, (opened) => rewrite(utl, path, opened));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const status = error instanceof Exit ? error.status : EXIT.error;
      throw new Exit(status, `Failed to defragment etcd data[${dataDir}] (${reason})`);
    }
  },
});

interface Sizes {
  readonly file: number;
  readonly inUse: number;
}

/**
 * Copies the database without its free pages, and puts the copy in its place. The lock on the old
 * file is held until the end, so that nobody begins to use it.
 */
async function rewrite(utl: Utl, path: string, { db }: OpenDatabase): Promise<void> {
  const started = performance.now();
  const before = sizesOf(db);
  utl.log("backend/backend.go:532", "defragmenting", {
    path,
    "current-db-size-bytes": before.file,
    "current-db-size": formatBytes(before.file),
    "current-db-size-in-use-bytes": before.inUse,
    "current-db-size-in-use": formatBytes(before.inUse),
  });

  const temporary = `${path}.tmp.defrag`;
  await rm(temporary, { force: true });
  const progress = utl.progress("defragmenting", before.inUse);
  const to = await PageFile.open(temporary);
  const copy = await to.openDb();
  await copyAll(db, to, copy, progress).finally(() => progress.clear());
  const after = sizesOf(copy);
  await to.close();
  await truncate(temporary, after.file);
  await syncPath(temporary);
  await rename(temporary, path);
  await syncPath(dirname(path));
  utl.log("backend/backend.go:602", "finished defragmenting directory", {
    path,
    "current-db-size-bytes-diff": after.file - before.file,
    "current-db-size-bytes": after.file,
    "current-db-size": formatBytes(after.file),
    "current-db-size-in-use-bytes-diff": after.inUse - before.inUse,
    "current-db-size-in-use-bytes": after.inUse,
    "current-db-size-in-use": formatBytes(after.inUse),
    took: formatDuration(performance.now() - started),
  });
}

function sizesOf(db: Db): Sizes {
  const file = db.sizeInPages * db.pageSize;
  return { file, inUse: file - db.freePages * db.pageSize };
}

async function copyAll(from: Db, file: PageFile, to: Db, progress: Progress): Promise<void> {
  await runWithPages(file, () => to.recoverFreePages());
  let done = 0;
  let pendingBytes = 0;
  for (const name of from.bucketNames()) {
    const target = to.bucket(name, { fillPercent: FILL_PERCENT });
    const cursor = from.bucket(name).cursor({ passing: true });
    for (let found = cursor.first(); found; found = cursor.next()) {
      const { key, value } = cursor;
      target.put(key, value);
      pendingBytes += key.length + value.length;
      if (to.pendingOperations < PUTS_PER_COMMIT && pendingBytes < BYTES_PER_COMMIT) continue;
      done += pendingBytes;
      pendingBytes = 0;
      await commitTo(file, to);
      progress.update(done);
    }
  }
  await commitTo(file, to);
}
