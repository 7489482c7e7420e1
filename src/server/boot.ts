import { join } from "node:path";
import { QUOTA_BYTES_ADVISED_MAX, type State } from "../apply/index.ts";
import { textToBytes, formatDuration } from "../base/index.ts";
import type { Db } from "../bolt/index.ts";
import { formatBytes } from "../cli/index.ts";
import {
  confStateOf,
  idToHex,
  refusalOfClusterVersion,
  refusalOfStorageVersion,
} from "../cluster/index.ts";
import {
  createWal,
  type DataDir,
  DurableLog,
  type OpenedWal,
  openWal,
  PageFiles,
  prepareDataDir,
  removeUnfinished,
  SnapshotFiles,
  v2StoreJson,
  type WalOptions,
  walExists,
} from "../disk/index.ts";
import { Member, type MemberConfig, Meters, type Ports } from "../member/index.ts";
import type { ChangeList, Store } from "../mvcc/index.ts";
import type { Logger } from "../observe/index.ts";
import { MemoryStorage, RawNode } from "../raft/index.ts";
import { refusal } from "./bootstrap.ts";
import type { Config } from "./config.ts";
import { type Host, machine } from "./host.ts";
import { memberId } from "../keys/index.ts";
import { type Birth, foundByConfig, writeFounders } from "./birth.ts";
import { NO_NETWORK } from "./no-network.ts";
import { raftLog } from "./raft-log.ts";
import { openPageFile, Received, settlePageFile } from "./received.ts";
import { maybeDefragment, newState, restoreState } from "./state.ts";

/** A reason not to start that the operator can do something about. */
export class BootError extends Error {}

export interface BootOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** How a member comes to be in a directory that is new; without, as the settings say it. */
  readonly bear?: () => Promise<Birth>;
  readonly onRevision: (changes: ChangeList) => void;
  /** The state became that of a snapshot: revisions were passed over. */
  readonly onRestored?: () => void;
  readonly flush: () => void;
  /** Links to the other members; without, the member can only be alone. */
  readonly connect?: Ports["connect"];
  /** The member was removed from its cluster: it must stop. */
  readonly onRemoved?: () => void;
  readonly onFatal: (error: unknown) => void;
}

export interface Booted {
  readonly member: Member;
  readonly store: Store;
  /** Whether the cluster begins now. */
  readonly isNew: boolean;
}

type Ids = Birth["ids"];

/** `quota`-independent bounds of raft (etcd: `maxSizePerMsg`, `maxInflightMsgs`). */
const MESSAGE_BYTES_MAX = 1024 * 1024;
const INFLIGHT_MESSAGES_MAX = 512;
/** Bytes on their way to one follower: a slow one must not take the memory of the others. */
const INFLIGHT_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Entries are kept in memory from one snapshot record of the log to the next, and some behind it.
 * etcd counts them; where they are large, that would be gigabytes.
 */
const SNAPSHOT_BYTES = 64 * 1024 * 1024;
const SNAPSHOT_CATCH_UP_BYTES = 16 * 1024 * 1024;

/** Opens or creates the data directory and builds the member that stands on it. */
export async function boot(options: BootOptions): Promise<Booted> {
  const { config, logger } = options;
  const warn = (text: string) => logger.warn(text);
  const dir = await prepareDataDir({ dataDir: config.dataDir, walDir: config.walDir, warn });
  return bootIn(dir, options, machine());
}

/** The same in a data directory that is there, empty or not. */
export async function bootIn(dir: DataDir, options: BootOptions, host: Host): Promise<Booted> {
  const { config, logger } = options;
  const { io, time } = host;
  const isNew = !(await walExists(io, dir.wal));
  const bear = options.bear ?? (async () => foundByConfig(config));
  let born: Promise<Birth> | undefined;
  const pageFile = await openPageFile(join(dir.snap, "db"), { config, host }, () => {
    if (isNew) born = bear();
    born?.catch(() => {});
  });
  let birth = await born;
  await removeUnfinished(dir, io);
  const found = { file: pageFile, db: await pageFile.openDb() };
  const snapshots = snapshotFiles(dir.snap, options, host);
  const meters = new Meters();
  const walOptions = walOptionsFor(dir, options, host, meters);
  const opened = isNew ? undefined : await openWal(walOptions);
  if (opened?.repaired !== undefined)
    logger.warn("repaired a torn write of the log", opened.repaired);
  const ids = opened === undefined ? birth!.ids : idsOf(opened);
  if (opened !== undefined && isUnborn(opened)) birth = await bornAgain(ids, bear);
  const wal =
    opened?.wal ??
    (await createWal(walOptions, { nodeId: ids.memberId, clusterId: ids.clusterId }));

  const snapshotAt = opened?.snapshot.index ?? 0;
  const { file, db } = await settlePageFile(found, snapshotAt, { snapshots, config, host });
  await file.secure();
  const files = new PageFiles(file, (text) => logger.warn(text));
  const parts = { config, logger, ids, time, onRevision: options.onRevision };
  const state = newState(db, parts);
  logQuota(state, config, logger);
  await maybeDefragment(file, db, parts);
  await restoreState(state, file, db, parts);
  checkDirectory(state, db, opened, { ids, config });
  const { storage, snapshotIndex } = await restoreLog(state, opened, options);
  await snapshots.removeDatabases();
  const node = newNode(ids, storage, snapshotIndex, options, host);
  if (birth !== undefined) state.members.expect(birth.members);
  if (birth?.isFounder && storage.lastIndex === 0) writeFounders(node, birth);
  const ports = portsOf(options, host, {
    log: new DurableLog(wal, snapshots),
    pageFile: files,
    received: new Received({ parts, host, snapshots, files }),
  });
  const member = new Member({
    ids,
    config: memberConfig(config),
    node,
    storage,
    state,
    db,
    ports,
    firstSequence: (host.wallMs() % 2 ** 40) * 256,
    snapshotIndex,
    snapshotData: v2StoreJson,
    flush: options.flush,
    ...(options.onRestored !== undefined && { onRestored: options.onRestored }),
    onFatal: options.onFatal,
    ...(options.onRemoved === undefined ? {} : { onRemoved: options.onRemoved }),
    meters,
  });
  tellStart(options, { ids, isNew });
  return { member, store: state.store, isNew: birth?.isFounder === true };
}

function portsOf(
  { connect, logger }: BootOptions,
  { time, wallMs }: Host,
  disk: Pick<Ports, "log" | "pageFile" | "received">,
): Ports {
  return {
    ...disk,
    connect: connect ?? (() => NO_NETWORK),
    time,
    lines: logger,
    text: { duration: formatDuration, bytes: formatBytes },
    newMemberId: (urls) => memberId(urls, String(Math.floor(wallMs() / 1000))),
    sha256: () => process.getBuiltinModule("node:crypto").createHash("sha256"),
  };
}

function tellStart(
  { config, logger }: BootOptions,
  { ids, isNew }: { readonly ids: Ids; readonly isNew: boolean },
): void {
  logger.info(isNew ? "created a new member" : "restarting the member", {
    "local-member-id": idToHex(ids.memberId),
    "cluster-id": idToHex(ids.clusterId),
    "data-dir": config.dataDir,
  });
}

function memberConfig(config: Config): MemberConfig {
  return {
    ...config,
    compactionPauseMs: config.compactionPauseMs || COMPACTION_PAUSE_MS_DEFAULT,
    snapshotBytes: SNAPSHOT_BYTES,
    snapshotCatchUpBytes: SNAPSHOT_CATCH_UP_BYTES,
    prioritizesRevokes: config.features.priorityRequest,
    renewsFast: config.features.fastLeaseKeepAlive,
    checksCompactHashes: config.features.compactHashCheck,
  };
}

function walOptionsFor(
  dir: DataDir,
  { config, logger }: BootOptions,
  host: Host,
  meters: Meters,
): WalOptions {
  return {
    directory: dir.wal,
    segmentsKept: config.walsMax,
    segmentBytes: host.segmentBytes,
    io: host.io,
    time: host.time,
    warn: (text) => logger.warn(text),
    wrote: (bytes, seconds) => {
      meters.logSync.observe(seconds);
      meters.logBytes += bytes;
    },
  };
}

/** What a pause of 0 between two batches of a compaction stands for, as in etcd. */
const COMPACTION_PAUSE_MS_DEFAULT = 10;

/**
 * A crash left a log from which nobody could learn who is in the cluster: the member is born again,
 * as the same one.
 */
function isUnborn({ snapshot, hardState }: OpenedWal): boolean {
  return snapshot.index === 0 && (hardState?.commit ?? 0) === 0;
}

async function bornAgain(ids: Ids, bear: () => Promise<Birth>): Promise<Birth> {
  const birth = await bear();
  if (birth.ids.memberId === ids.memberId && birth.ids.clusterId === ids.clusterId) return birth;
  const names = (of: Ids) => `member ${idToHex(of.memberId)} of cluster ${idToHex(of.clusterId)}`;
  throw new BootError(
    `the log is empty and was begun by ${names(ids)}, but the settings are of ${names(birth.ids)}`,
  );
}

function idsOf(opened: OpenedWal): Ids {
  return { memberId: opened.metadata.nodeId, clusterId: opened.metadata.clusterId };
}

/** etcd's lines about the quota (`storage/quota.go`). */
function logQuota({ quota }: State, { quotaBytes }: Config, logger: Logger): void {
  const size = { "quota-name": "v3-applier", "quota-size-bytes": quotaBytes };
  if (quotaBytes < 0) {
    logger.info("disabled backend quota", size);
    return;
  }
  const max = quota.bytesMax;
  const fields = { ...size, "quota-size-bytes": max, "quota-size": formatBytes(max) };
  if (quotaBytes > QUOTA_BYTES_ADVISED_MAX) {
    logger.warn("quota exceeds the maximum value", {
      ...fields,
      "quota-maximum-size-bytes": QUOTA_BYTES_ADVISED_MAX,
      "quota-maximum-size": formatBytes(QUOTA_BYTES_ADVISED_MAX),
    });
  }
  const isDefault = quotaBytes === 0;
  logger.info(
    isDefault ? "enabled backend quota with default value" : "enabled backend quota",
    fields,
  );
}

/** Refuses directories that cannot be served safely, before anything in them is changed. */
function checkDirectory(
  state: State,
  db: Db,
  opened: OpenedWal | undefined,
  { ids, config }: { readonly ids: Ids; readonly config: Config },
): void {
  if (db.bucket("auth").get(textToBytes("authEnabled"))?.[0] === 1) {
    throw new BootError("the directory has authentication enabled, which is not supported yet");
  }
  const isOther = refusalOfStorageVersion(state.members.storageVersion);
  if (isOther !== undefined) throw refusal(isOther);
  const isNewer = refusalOfClusterVersion(state.members.version);
  if (isNewer !== undefined) throw new BootError(`${isNewer}: ${state.members.version}`);
  if (state.members.isRemoved(ids.memberId)) {
    throw new BootError("this member was removed from its cluster");
  }
  if (config.forceNewCluster && state.members.known(ids.memberId)?.isLearner) {
    throw new BootError("a learner cannot become the only member of its cluster: it has no vote");
  }
  const lastIndex = opened === undefined ? 0 : Math.max(opened.lastIndex, opened.snapshot.index);
  if (state.storedIndex > lastIndex) {
    throw new BootError(
      `the page file (member/snap/db) is ahead of the log: it holds entry ${state.storedIndex}, ` +
        `the log ends at ${lastIndex}. Entries of the log are lost, so new ones would be taken for ` +
        "ones already applied; restore a snapshot instead",
    );
  }
}

/** Fills raft's memory of the log from the files. */
async function restoreLog(
  state: State,
  opened: OpenedWal | undefined,
  { config, logger }: BootOptions,
): Promise<{ storage: MemoryStorage; snapshotIndex: number }> {
  const storage = new MemoryStorage();
  if (opened === undefined) return { storage, snapshotIndex: 0 };
  const { index, term } = opened.snapshot;
  const confState = confStateOf(state.members.allKnown());
  if (state.storedIndex < index) {
    throw new BootError(
      `the page file (member/snap/db) ends at entry ${state.storedIndex}, before the log's ` +
        `snapshot at ${index}: the data between them is missing`,
    );
  }
  storage.applySnapshot({ meta: { index, term, confState }, data: new Uint8Array(0) });
  state.appliedIndex = index;
  // Its first write was torn: it has promised nothing, and some founders may be missing.
  if (opened.hardState === undefined && index === 0) return { storage, snapshotIndex: 0 };
  if (config.forceNewCluster) {
    const { forceNewCluster } = await import("./force-new.ts");
    await forceNewCluster(opened, storage, { state, lines: logger });
    return { storage, snapshotIndex: index };
  }
  if (opened.hardState !== undefined) storage.setHardState(opened.hardState);
  for await (const entries of opened.entries()) storage.append(entries);
  return { storage, snapshotIndex: index };
}

function newNode(
  ids: Ids,
  storage: MemoryStorage,
  applied: number,
  { config, logger }: BootOptions,
  host: Host,
): RawNode {
  return new RawNode({
    id: ids.memberId,
    electionTicks: Math.floor(config.electionMs / config.tickMs),
    heartbeatTicks: 1,
    storage,
    applied,
    random: host.random,
    messageBytesMax: MESSAGE_BYTES_MAX,
    inflightMessagesMax: INFLIGHT_MESSAGES_MAX,
    inflightBytesMax: INFLIGHT_BYTES_MAX,
    asyncStorageWrites: true,
    stepDownOnRemoval: true,
    checkQuorum: true,
    preVote: config.preVote,
    logger: raftLog(logger),
  });
}

function snapshotFiles(
  directory: string,
  { config, logger }: BootOptions,
  { io }: Host,
): SnapshotFiles {
  return new SnapshotFiles({
    directory,
    io,
    kept: config.snapshotsMax,
    warn: (text) => logger.warn(text),
  });
}
