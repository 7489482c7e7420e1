import type { Db } from "../bolt/index.ts";
import { commitTo, type PageFile, runWithPages } from "./page-file.ts";

/** Pages moved in one commit, where nothing else waits for it. */
const PAGES_PER_COMMIT = 4096;

/**
 * Gives back the free pages of a database that nobody else uses yet. Its free pages must have been
 * recovered. A crash at any moment leaves it with the same content.
 */
export async function defragment(file: PageFile, db: Db): Promise<void> {
  // What is pending frees pages, too.
  await commitTo(file, db);
  db.defragment();
  while (db.isDefragmenting) {
    await runWithPages(file, () => db.shrink(PAGES_PER_COMMIT));
    await commitTo(file, db);
  }
}
