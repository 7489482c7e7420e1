/**
 * bolt: the file format of bbolt, as a state machine without I/O. A file is a tree of pages that
 * are never changed in place: a commit writes new pages beside the old ones, then one meta page
 * that refers to them, and a crash in between leaves the old tree whole. `Db` is the place to
 * begin, then `page.ts` for the bytes and `spill.ts` for a commit.
 */
export { Bucket } from "./bucket.ts";
export { Cursor } from "./cursor.ts";
export { type Commit, Db, type Pin } from "./db.ts";
export { BoltError, PageMiss } from "./errors.ts";
export { Lookup } from "./lookup.ts";
export { MemoryFile } from "./memory-file.ts";
export { type Meta, NO_FREELIST, readMeta, writeMeta } from "./meta.ts";
export { isLeafPage, pageOverflow } from "./page.ts";
export { type PageSource } from "./pager.ts";
export { type PageWrite } from "./spill.ts";
