import { bytesToText } from "../base/index.ts";
import { BYTES, ENTRY_TYPE, type Entry, ProtoError, Reader } from "../proto/index.ts";
import { versionOf } from "./versions.ts";

/** The one request that releases before 3.6 cannot read: it names the version that can. */
const DOWNGRADE_VERSION_TEST = 9900 * 8 + BYTES;
const VERSION = 1 * 8 + BYTES;
const FIRST_WITH_TEST = 3006;

/**
 * The lowest version that can read an entry of the log, as `versionOf` counts; undefined when every
 * version can that a page file can be brought to (etcd: `wal.MinimalEtcdVersion`).
 */
export function versionForEntry({ type, data }: Pick<Entry, "type" | "data">): number | undefined {
  if (type !== ENTRY_TYPE.normal) return undefined;
  try {
    for (const reader = new Reader(data); reader.next(); reader.skip()) {
      if (reader.tag === DOWNGRADE_VERSION_TEST) return readVersion(reader.nested());
    }
  } catch (error) {
    // Data that are no request are of a release before 3.5, and ask for nothing.
    if (!(error instanceof ProtoError)) throw error;
  }
  return undefined;
}

function readVersion(reader: Reader): number {
  let named = FIRST_WITH_TEST;
  while (reader.next()) {
    if (reader.tag === VERSION) named = versionOf(bytesToText(reader.view())) ?? named;
    else reader.skip();
  }
  return Math.max(named, FIRST_WITH_TEST);
}
