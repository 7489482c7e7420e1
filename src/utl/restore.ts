import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { textToBytes, errnoText } from "../base/index.ts";
import type { Bucket, Db } from "../bolt/index.ts";
import { EXIT, Exit } from "../cli/index.ts";
import { idToHex, memberToJson } from "../cluster/index.ts";
import {
  commitTo,
  createWal,
  nodeFileIo,
  SnapshotFiles,
  v2StoreJson,
  withPages,
} from "../disk/index.ts";
import { readMain, revisionKey } from "../mvcc/index.ts";
import {
  CONF_CHANGE_TYPE,
  EMPTY_CONF_STATE,
  encodeConfChange,
  ENTRY_TYPE,
  type SnapshotMeta,
} from "../proto/index.ts";
import type { Founding } from "./bootstrap.ts";
import { changeDatabase, exitOnFileError, syncPath } from "./database.ts";
import type { Utl } from "./utl.ts";

const SHA256_BYTES = 32;
const SECTOR_BYTES = 512;
const COPY_BYTES = 1024 * 1024;
/** The term in which the founding entries of a log stand. */
const FIRST_TERM = 1;

export interface RestoreOptions {
  readonly snapshotPath: string;
  readonly dataDir: string;
  readonly walDir: string;
  readonly skipHashCheck: boolean;
  /** How far the revision is moved, all below it being compacted; 0 leaves everything as it is. */
  readonly revisionBump: number;
}

/** Throws `Exit` when there is something in the way already. */
export async function checkTargets({ dataDir, walDir }: RestoreOptions): Promise<void> {
  const files = await readdir(dataDir).catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? [] : [error.message],
  );
  if (files.length > 0) refuse(`data-dir "${dataDir}" not empty or could not be read`);
  const found = await stat(walDir).catch(() => undefined);
  if (found !== undefined) refuse(`wal-dir "${walDir}" exists`);
}

function refuse(message: string): never {
  throw new Exit(EXIT.error, message);
}

/**
 * Makes a data directory out of a snapshot, for the first start of a new cluster. When it cannot be
 * made, nothing of it is left: half of one must not be started. Throws `Exit`.
 */
export async function restore(
  utl: Utl,
  options: RestoreOptions,
  founding: Founding,
): Promise<void> {
  const { bytes, hasDigest } = await measure(options);
  const memberDir = join(options.dataDir, "member");
  const snapDir = join(memberDir, "snap");
  try {
    await mkdir(snapDir, { recursive: true, mode: 0o700 });
    const digest = await copyAndHash(utl, options.snapshotPath, join(snapDir, "db"), bytes);
    if (hasDigest && !options.skipHashCheck) await compareDigest(options, bytes, digest);
    await rewriteDatabase(utl, options, join(snapDir, "db"), founding);
    await writeLog(options.walDir, snapDir, founding);
  } catch (error) {
    await rm(memberDir, { recursive: true, force: true });
    await rm(options.walDir, { recursive: true, force: true });
    exitOnFileError(error);
  }
  for (const path of [snapDir, memberDir, options.dataDir]) await syncPath(path);
}

interface Content {
  /** Without the digest at the end. */
  readonly bytes: number;
  /** A file copied from a data directory has none. */
  readonly hasDigest: boolean;
}

async function measure({ snapshotPath: path, skipHashCheck }: RestoreOptions): Promise<Content> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) =>
    refuse(`open ${path}: ${errnoText(error)}`),
  );
  if (found.isDirectory()) refuse(`read ${path}: is a directory`);
  const { size } = found;
  if (size < SHA256_BYTES) refuse(`seek ${path}: invalid argument`);
  const hasDigest = size % SECTOR_BYTES === SHA256_BYTES;
  if (!hasDigest && !skipHashCheck) refuse("snapshot missing hash but --skip-hash-check=false");
  return { bytes: hasDigest ? size - SHA256_BYTES : size, hasDigest };
}

async function compareDigest(
  { snapshotPath: path }: RestoreOptions,
  bytes: number,
  digest: Buffer,
): Promise<void> {
  const expected = await readTail(path, bytes);
  if (expected.equals(digest)) return;
  refuse(`expected sha256 [${[...expected].join(" ")}], got [${[...digest].join(" ")}]`);
}

async function copyAndHash(utl: Utl, path: string, target: string, bytes: number): Promise<Buffer> {
  const progress = utl.progress("restoring", bytes);
  const hash = createHash("sha256");
  const file = await open(target, "wx", 0o600);
  try {
    const range = { end: bytes - 1, highWaterMark: COPY_BYTES };
    const source: AsyncIterable<Buffer> | [] = bytes === 0 ? [] : createReadStream(path, range);
    let done = 0;
    for await (const chunk of source) {
      hash.update(chunk);
      await file.writeFile(chunk);
      done += chunk.length;
      progress.update(done);
    }
    await file.sync();
  } finally {
    progress.clear();
    await file.close();
  }
  return hash.digest();
}

async function readTail(path: string, from: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(SHA256_BYTES), 0, SHA256_BYTES, from);
    return buffer;
  } finally {
    await file.close();
  }
}

/** Puts the new cluster's members in the place of the old one's. */
async function rewriteDatabase(
  utl: Utl,
  options: RestoreOptions,
  path: string,
  founding: Founding,
): Promise<void> {
  const { revisionBump } = options;
  await changeDatabase(utl, path, async ({ file, db }) => {
    utl.log("schema/membership.go:125", "Trimming membership information from the backend...");
    await withPages(file, () => {
      removeAll(db.bucket("members"));
      removeAll(db.bucket("members_removed"));
    });
    if (revisionBump > 0) await withPages(file, () => bump(utl, db, revisionBump));
    await withPages(file, () => {
      storeMembers(utl, db, founding);
      storePosition(db.bucket("meta"), founding.members.length);
    });
    await commitTo(file, db);
  });
}

function removeAll(bucket: Bucket): void {
  for (const key of keysOf(bucket)) bucket.delete(key);
}

function keysOf(bucket: Bucket): Uint8Array[] {
  const keys: Uint8Array[] = [];
  const cursor = bucket.cursor();
  for (let found = cursor.first(); found; found = cursor.next()) keys.push(cursor.key.slice());
  return keys;
}

/** Moves the revision on, so that clients never see it go back, and compacts all below it. */
function bump(utl: Utl, db: Db, amount: number): void {
  const keys = db.bucket("key", { fillPercent: 0.9 });
  const last = keys.cursor();
  const latest = last.last() ? readMain(last.key) : 0;
  const revision = latest + amount;
  utl.log("snapshot/v3_snapshot.go:397", "bumping latest revision", {
    "latest-revision": latest,
    "bump-amount": amount,
    "new-latest-revision": revision,
  });
  keys.put(revisionKey(revision, 0), new Uint8Array(0));
  utl.log("snapshot/v3_snapshot.go:414", "marking revision compacted", { revision });
  db.bucket("meta").put(textToBytes("scheduledCompactRev"), revisionKey(revision, 0));
}

function storeMembers(utl: Utl, db: Db, founding: Founding): void {
  const bucket = db.bucket("members");
  for (const member of founding.members) {
    const id = idToHex(member.id);
    bucket.put(textToBytes(id), textToBytes(memberToJson(member, { withId: true })));
    utl.log("membership/cluster.go:408", "added member", {
      "cluster-id": idToHex(founding.clusterId),
      "local-member-id": "0",
      "added-peer-id": id,
      "added-peer-peer-urls": member.peerUrls,
      "added-peer-is-learner": member.isLearner,
    });
  }
}

/** The database stands right behind the founding entries of the new log. */
function storePosition(meta: Bucket, index: number): void {
  meta.put(textToBytes("consistent_index"), uint64(index));
  meta.put(textToBytes("term"), uint64(FIRST_TERM));
}

function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** A log that founds the cluster, and a snapshot after that: a member starts behind both. */
async function writeLog(walDir: string, snapDir: string, founding: Founding): Promise<void> {
  const { members, self } = founding;
  const commit = members.length;
  const metadata = { nodeId: self.id, clusterId: founding.clusterId };
  await mkdir(dirname(walDir), { recursive: true, mode: 0o700 });
  const wal = await createWal({ directory: walDir, io: nodeFileIo }, metadata);
  const entries = members.map((member, at) => ({
    term: FIRST_TERM,
    index: at + 1,
    type: ENTRY_TYPE.confChange,
    data: encodeConfChange({
      id: 0n,
      type: CONF_CHANGE_TYPE.addNode,
      nodeId: member.id,
      context: textToBytes(memberToJson(member, { withId: true })),
    }),
  }));
  const hardState = { term: FIRST_TERM, vote: members[0]!.id, commit };
  await wal.append({ hardState, entries, mustSync: true });
  const meta: SnapshotMeta = {
    index: commit,
    term: FIRST_TERM,
    confState: { ...EMPTY_CONF_STATE, voters: members.map((member) => member.id) },
  };
  const files = new SnapshotFiles({ directory: snapDir, io: nodeFileIo, kept: 0, warn: () => {} });
  await files.save({ meta, data: v2StoreJson(members, "") });
  await wal.saveSnapshot(meta);
  await wal.close();
}
