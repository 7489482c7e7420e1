import { EXIT, Exit, intFlag, UsageError } from "../../cli/index.ts";
import { withPages } from "../../disk/index.ts";
import { type KvHash, Store } from "../../mvcc/index.ts";
import { finish, type OpenDatabase, readDatabase, waitForLock } from "../database.ts";
import { define } from "../define.ts";
import type { Utl } from "../utl.ts";

export const hashKv = define({
  use: "hashkv <filename>",
  flags: { rev: intFlag("maximum revision to hash (default: latest revision)") },
  run: async ({ args, context: utl }, flags) => {
    if (args.length !== 1) throw new UsageError(`accepts 1 arg(s), received ${args.length}`);
    utl.checkFormat();
    const { hash, hashRevision, compactRevision } = await hashFile(utl, args[0]!, flags.rev);
    const row = [hash, hashRevision, compactRevision].map(String);
    utl.show({
      simple: (page) => page.line(row.join(", ")),
      fields: (lines) => {
        lines.add("Hash", hash);
        lines.add("Hash revision", hashRevision);
        lines.add("Compact revision", compactRevision);
      },
      json: () => ({ hash, hashRevision, compactRevision }),
      table: () => ({ header: ["hash", "hash revision", "compact revision"], rows: [row] }),
    });
  },
});

const REFUSALS = {
  compacted: "mvcc: required revision has been compacted",
  futureRev: "mvcc: required revision is a future revision",
} as const;

/** Throws `Exit`. */
function hashFile(utl: Utl, path: string, revision: number): Promise<KvHash> {
  const read = async ({ file, db }: OpenDatabase) => {
    const buckets = () => ({ key: db.bucket("key"), meta: db.bucket("meta") });
    const store = new Store(await withPages(file, buckets));
    const attachNone = () => {};
    await finish(file, store.restore(attachNone));
    const hash = await finish(file, store.hashKv(revision));
    if (typeof hash === "string") throw new Exit(EXIT.error, REFUSALS[hash]);
    return hash;
  };
  return readDatabase(path, read, waitForLock(utl, path));
}
