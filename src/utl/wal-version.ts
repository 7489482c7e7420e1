import { readdir } from "node:fs/promises";
import { bytesToText } from "../base/index.ts";
import { EXIT, Exit, errnoText } from "../cli/index.ts";
import { nodeFileIo, readEntries, readWal } from "../disk/index.ts";
import { BYTES, ENTRY_TYPE, ProtoError, Reader } from "../proto/index.ts";
import { holdsLog } from "../wal/index.ts";
import { exitOnFileError } from "./database.ts";
import { isBelow, type SchemaVersion } from "./schema.ts";

/** The one request that releases before 3.6 cannot read: it names the version that can. */
const DOWNGRADE_VERSION_TEST = 9900 * 8 + BYTES;
const VERSION = 1 * 8 + BYTES;
const FIRST_WITH_TEST: SchemaVersion = { major: 3, minor: 6 };

/**
 * The lowest version that can read the entries behind the last snapshot of a log; undefined when
 * every version that a database can be brought to does. Throws `Exit`.
 */
export async function versionForLog(directory: string): Promise<SchemaVersion | undefined> {
  await checkLog(directory);
  let needed: SchemaVersion | undefined;
  try {
    const content = await readWal(nodeFileIo, directory);
    for await (const entries of readEntries(nodeFileIo, directory, content)) {
      for (const { type, data } of entries) {
        const version = type === ENTRY_TYPE.normal ? versionForRequest(data) : undefined;
        if (version === undefined) continue;
        if (needed === undefined || isBelow(needed, version)) needed = version;
      }
    }
  } catch (error) {
    exitOnFileError(error, (reason) => `failed to read wal: ${reason}`);
  }
  return needed;
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

/** Data that are no request are of a release before 3.5, and ask for nothing. */
function versionForRequest(data: Uint8Array): SchemaVersion | undefined {
  try {
    for (const reader = new Reader(data); reader.next(); reader.skip()) {
      if (reader.tag === DOWNGRADE_VERSION_TEST) return readVersion(reader.nested());
    }
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
  }
  return undefined;
}

function readVersion(reader: Reader): SchemaVersion {
  let named: SchemaVersion = FIRST_WITH_TEST;
  while (reader.next()) {
    if (reader.tag !== VERSION) {
      reader.skip();
      continue;
    }
    const match = /^(\d+)\.(\d+)\./.exec(bytesToText(reader.view()));
    if (match !== null) named = { major: Number(match[1]), minor: Number(match[2]) };
  }
  return isBelow(named, FIRST_WITH_TEST) ? FIRST_WITH_TEST : named;
}
