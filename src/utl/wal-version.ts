import { readdir } from "node:fs/promises";
import { errnoText } from "../base/index.ts";
import { EXIT, Exit } from "../cli/index.ts";
import { versionForEntry } from "../cluster/index.ts";
import { nodeFileIo, readEntries, readWal } from "../disk/index.ts";
import { holdsLog } from "../wal/index.ts";
import { exitOnFileError } from "./database.ts";
import { type SchemaVersion, schemaVersion } from "./schema.ts";

/**
 * The lowest version that can read the entries behind the last snapshot of a log; undefined when
 * every version that a database can be brought to does. Throws `Exit`.
 */
export async function versionForLog(directory: string): Promise<SchemaVersion | undefined> {
  await checkLog(directory);
  let needed: number | undefined;
  try {
    const content = await readWal(nodeFileIo, directory);
    for await (const entries of readEntries(nodeFileIo, directory, content)) {
      for (const entry of entries) {
        const version = versionForEntry(entry);
        if (version !== undefined) needed = Math.max(needed ?? version, version);
      }
    }
  } catch (error) {
    exitOnFileError(error, (reason) => `failed to read wal: ${reason}`);
  }
  return needed === undefined ? undefined : schemaVersion(needed);
}

async function checkLog(directory: string): Promise<void> {
  const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    const reason = `open ${directory}: ${errnoText(error)}`;
    noSnapshot(`[readWALNames] fileutil.ReadDir failed: ${reason}`);
  });
  if (!holdsLog(files)) noSnapshot("wal: file not found");
}

function noSnapshot(reason: string): never {
  throw new Exit(EXIT.error, `failed to get the lastest snapshot: ${reason}`);
}
