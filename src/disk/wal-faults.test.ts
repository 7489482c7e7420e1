import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { EMPTY_CONF_STATE, type Entry } from "../proto/index.ts";
import { decodeSnapFile, snapFileName } from "../wal/index.ts";
import { DurableLog } from "./durable-log.ts";
import { DiskError, type FileIo } from "./file-io.ts";
import { MemoryFiles, systemError } from "./memory-files.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { createWal, openWal, type WalFiles } from "./wal-files.ts";
import { walExists } from "./wal-reader.ts";

// A member's log is written by a script, and the n-th file call goes wrong, for every n: it fails,
// it is cut in the middle as by a power failure, or it writes less than asked. What was
// acknowledged before must be there afterwards, whatever of the rest the disk kept.

type Fault = "fails" | "is cut" | "is shortened";

class PowerFailure extends Error {}

/** Files of which the n-th call goes wrong. After a cut every call does. */
function withFault(files: FileIo, fault: Fault, nth: number): FileIo & { calls: number } {
  let isOff = false;
  const counting: Record<string, unknown> = { calls: 0 };
  for (const name of Object.keys(CALLS) as (keyof FileIo)[]) {
    counting[name] = async (...parameters: unknown[]) => {
      if (isOff) throw new PowerFailure();
      const call = files[name] as (...parameters: unknown[]) => Promise<unknown>;
      if (++(counting["calls"] as number) !== nth) return call.apply(files, parameters);
      if (name === "write" && fault !== "fails") await writeHalf(files, parameters);
      if (fault === "is shortened" && name === "write") return half(parameters[1] as Uint8Array);
      if (fault === "is shortened") return call.apply(files, parameters);
      if (fault === "fails") throw systemError("EIO", name, String(parameters[0]));
      isOff = true;
      throw new PowerFailure();
    };
  }
  return counting as unknown as FileIo & { calls: number };
}

const CALLS: Record<Exclude<keyof FileIo, "readSync" | "writeSync">, true> = {
  open: true,
  close: true,
  read: true,
  write: true,
  sync: true,
  truncate: true,
  size: true,
  rename: true,
  unlink: true,
  mkdir: true,
  readdir: true,
};

const half = (bytes: Uint8Array) => bytes.length >>> 1;

async function writeHalf(files: FileIo, [fd, bytes, position]: unknown[]): Promise<void> {
  const part = bytes as Uint8Array;
  await files.write(fd as number, part.subarray(0, half(part)), position as number);
}

const confState = { ...EMPTY_CONF_STATE, voters: [7n] };

/** What the script was told is safe. */
interface Acknowledged {
  isCreated: boolean;
  lastIndex: number;
  snapshotIndex: number;
}

const OPTIONS = { directory: "/member/wal", segmentBytes: 2048, segmentsKept: 2 };
const dataOf = (index: number) => new Uint8Array((index * 67) % 500).fill(index);

function save(log: DurableLog | WalFiles, from: number, count: number): Promise<void> {
  const entries: Entry[] = [];
  for (let index = from; index < from + count; index++) {
    entries.push({ term: 1, index, type: 0, data: dataOf(index) });
  }
  const hardState = { term: 1, vote: 7n, commit: from + count - 1 };
  return log.append({ entries, hardState, mustSync: true });
}

/** Creates a log, fills some segments, saves snapshots and purges, and says what was promised. */
async function writeLog(io: FileIo, acknowledged: Acknowledged): Promise<void> {
  const wal = await createWal({ ...OPTIONS, io }, { nodeId: 7n, clusterId: 9n });
  acknowledged.isCreated = true;
  const snapshots = new SnapshotFiles({ directory: "/member/snap", io, kept: 1, warn: () => {} });
  const log = new DurableLog(wal, snapshots);
  for (let round = 0; round < 8; round++) {
    await save(log, acknowledged.lastIndex + 1, 3);
    acknowledged.lastIndex += 3;
    const hardState = { term: 1, vote: 7n, commit: acknowledged.lastIndex };
    await log.append({ entries: [], hardState, mustSync: false });
    if (round % 3 !== 2) continue;
    const index = acknowledged.lastIndex - 1;
    await log.saveSnapshot({ index, term: 1, confState }, new Uint8Array(600));
    acknowledged.snapshotIndex = index;
    await log.release(index);
  }
  await log.close();
}

function emptyDisk(): MemoryFiles {
  const files = new MemoryFiles();
  for (const path of ["/member", "/member/snap"]) files.addDirectory(path);
  return files;
}

/** Opens what is left, and sees that all that was promised is there and that the log goes on. */
async function check(files: MemoryFiles, { isCreated, lastIndex, snapshotIndex }: Acknowledged) {
  if (!(await walExists(files, OPTIONS.directory))) return assert.ok(!isCreated, "the log is gone");
  const opened = await openWal({ ...OPTIONS, io: files });
  assert.ok(opened.snapshot.index >= snapshotIndex, "a snapshot is gone");
  if (opened.snapshot.index > 0) await checkSnapFile(files, opened.snapshot.index);
  let last = opened.snapshot.index;
  for await (const slice of opened.entries()) {
    for (const { index, data } of slice) {
      assert.equal(index, ++last);
      assert.deepEqual(Uint8Array.from(data), dataOf(index));
    }
  }
  assert.equal(last, opened.lastIndex);
  assert.ok(last >= lastIndex, `entry ${lastIndex} is gone, ${last} is the last`);
  await save(opened.wal, last + 1, 2);
  await opened.wal.close();
  assert.equal((await openWal({ ...OPTIONS, io: files })).lastIndex, last + 2);
}

async function checkSnapFile(files: MemoryFiles, index: number): Promise<void> {
  const bytes = files.contents(`/member/snap/${snapFileName(1, index)}`);
  assert.equal(decodeSnapFile(bytes).meta.index, index);
}

const NOTHING = (): Acknowledged => ({ isCreated: false, lastIndex: 0, snapshotIndex: 0 });

async function callsOf(run: (io: FileIo) => Promise<unknown>): Promise<number> {
  const counting = withFault(emptyDisk(), "fails", 0);
  await run(counting);
  return counting.calls;
}

const calls = await callsOf((io) => writeLog(io, NOTHING()));

test("the script writes several segments", () => {
  assert.ok(calls > 60, `${calls} calls`);
});

test("whichever call fails, what was acknowledged is there", async () => {
  for (let nth = 1; nth <= calls; nth++) {
    const files = emptyDisk();
    const acknowledged = NOTHING();
    // A failed removal of an old file only warns.
    await writeLog(withFault(files, "fails", nth), acknowledged).catch((error) => {
      if (!(error instanceof DiskError)) assert.match(error.message, /^EIO: (close|unlink)/);
    });
    await check(files, acknowledged);
  }
});

test("whichever write is shortened, nothing is missing", async () => {
  for (let nth = 1; nth <= calls; nth++) {
    const files = emptyDisk();
    const acknowledged = NOTHING();
    await writeLog(withFault(files, "is shortened", nth), acknowledged);
    assert.equal(acknowledged.lastIndex, 24);
    await check(files, acknowledged);
  }
});

/** What the disk keeps of what was not synced. */
const SURVIVALS: (() => () => boolean)[] = [
  () => () => true,
  () => () => false,
  ...[1, 2].map((seed) => () => {
    const prng = new Prng(seed);
    return () => prng.oneIn(2);
  }),
];

test("whichever call the power fails in, what was acknowledged is there", async () => {
  for (let nth = 1; nth <= calls; nth++) {
    const files = emptyDisk();
    const acknowledged = NOTHING();
    const written = writeLog(withFault(files, "is cut", nth), acknowledged);
    await written.catch(() => {});
    for (const survival of SURVIVALS) {
      await check(files.afterPowerLoss(survival()), acknowledged);
    }
  }
});

test("whichever call of a repair the power fails in, what was sound is there", async () => {
  const torn = emptyDisk();
  const acknowledged = NOTHING();
  await writeLog(torn, acknowledged);
  const names = (await torn.readdir(OPTIONS.directory)).toSorted();
  const tail = `${OPTIONS.directory}/${names.at(-1)}`;
  const whole = torn.contents(tail);
  torn.addFile(tail, whole.slice(0, whole.findLastIndex((byte) => byte !== 0) - 3));
  acknowledged.lastIndex = 0;
  const repair = (io: FileIo) => openWal({ ...OPTIONS, io });
  for (let nth = 1; ; nth++) {
    const files = torn.afterPowerLoss(() => true);
    const failing = withFault(files, "is cut", nth);
    await repair(failing).catch(() => {});
    for (const survival of SURVIVALS) {
      await check(files.afterPowerLoss(survival()), acknowledged);
    }
    if (failing.calls < nth) break;
  }
});
