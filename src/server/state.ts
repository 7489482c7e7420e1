import { State } from "../apply/index.ts";
import { textToBytes } from "../base/index.ts";
import type { Db } from "../bolt/index.ts";
import { formatBytes } from "../cli/index.ts";
import { Members } from "../cluster/index.ts";
import { defragment, type PageFile, withPages } from "../disk/index.ts";
import { Lessor } from "../lease/index.ts";
import { resumable, Slicer, type TimePort } from "../member/index.ts";
import { type ChangeList, Store } from "../mvcc/index.ts";
import type { Logger } from "../observe/index.ts";
import type { Config } from "./config.ts";

/** What a member's state is made with, whichever page file it stands on. */
export interface StateParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly ids: { readonly memberId: bigint; readonly clusterId: bigint };
  readonly time: TimePort;
  readonly onRevision: (changes: ChangeList) => void;
}

const BUCKETS = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta",
];

/** etcd keeps revision keys nearly full: they only grow at the end. */
const KEY_FILL = 0.9;

const AUTH_REVISION = textToBytes("authRevision");

/** Time between two checkpoints of a lease (etcd: `defaultLeaseCheckpointInterval`). */
const LEASE_CHECKPOINT_SECONDS = 300;

/** All of etcd's buckets: hashes include their names, and its tools expect them. */
function createBuckets(db: Db): void {
  for (const name of BUCKETS) db.bucket(name, name === "key" ? { fillPercent: KEY_FILL } : {});
  const auth = db.bucket("auth");
  if (auth.get(AUTH_REVISION) !== undefined) return;
  const first = new Uint8Array(8);
  first[7] = 1;
  auth.put(AUTH_REVISION, first);
}

/** The state over a page file, still empty: `restoreState` fills it. */
export function newState(db: Db, { config, ids, time, onRevision }: StateParts): State {
  createBuckets(db);
  const { leaseCheckpoint, leaseCheckpointPersist } = config.features;
  const lessor = new Lessor({
    bucket: db.bucket("lease"),
    ttlSecondsMin: ttlSecondsMin(config),
    checkpointSeconds: leaseCheckpoint ? LEASE_CHECKPOINT_SECONDS : undefined,
  });
  return new State({
    db,
    store: new Store({
      key: db.bucket("key"),
      meta: db.bucket("meta"),
      // As in etcd, 0 stands for the default.
      ...(config.compactionBatch > 0 && { compactionBatch: config.compactionBatch }),
    }),
    lessor,
    members: new Members({ db }),
    ids,
    clock: () => time.now(),
    onRevision,
    quotaBytes: config.quotaBytes,
    persistCheckpoints: leaseCheckpointPersist,
    learnersMax: config.learnersMax,
  });
}

/** Shortest lease: one and a half election timeouts, in whole seconds (etcd: `minTTL`). */
function ttlSecondsMin({ electionMs, tickMs }: Config): number {
  const ticks = Math.floor(electionMs / tickMs);
  return Math.ceil((Math.floor((3 * ticks) / 2) * tickMs) / 1000);
}

/** Reads everything from the page file, in slices. */
export async function restoreState(
  state: State,
  pageFile: PageFile,
  db: Db,
  { time }: StateParts,
): Promise<void> {
  const slicer = Slicer.alone({ time, pageFile });
  await slicer.run(resumable(() => db.recoverFreePages()));
  await withPages(pageFile, () => state.members.restore());
  await slicer.run(resumable(() => state.lessor.restore()));
  await slicer.run(state.store.restore((key, lease) => state.lessor.attach(lease, key)));
  await withPages(pageFile, () => state.restore());
}

/** Gives free pages back before anything is served, where that is asked for and worth it. */
export async function maybeDefragment(
  pageFile: PageFile,
  db: Db,
  { config: { bootstrapDefragThresholdMb }, logger, time }: StateParts,
): Promise<void> {
  if (bootstrapDefragThresholdMb === 0) return;
  await Slicer.alone({ time, pageFile }).run(resumable(() => db.recoverFreePages()));
  const threshold = bootstrapDefragThresholdMb * 1024 * 1024;
  const size = db.sizeInPages * db.pageSize;
  const free = db.freePages * db.pageSize;
  if (free >= threshold) {
    await defragment(pageFile, db);
    return;
  }
  logger.info("Skipping defragmentation", {
    "current-db-size-bytes": size,
    "current-db-size": formatBytes(size),
    "current-db-size-in-use-bytes": size - free,
    "current-db-size-in-use": formatBytes(size - free),
    "bootstrap-defrag-threshold-bytes": threshold,
    "bootstrap-defrag-threshold": formatBytes(threshold),
  });
}
