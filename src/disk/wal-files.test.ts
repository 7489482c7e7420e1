import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EMPTY_CONF_STATE, type Entry } from "../proto/index.ts";
import { segmentName, segmentsOf, WalError } from "../wal/index.ts";
import { DiskError, type FileIo, nodeFileIo } from "./file-io.ts";
import { systemError } from "./memory-files.ts";
import { createWal, type OpenedWal, openWal, type WalFiles, type WalOptions } from "./wal-files.ts";

const root = mkdtempSync(join(tmpdir(), "wal-files-"));
after(() => rmSync(root, { recursive: true }));
let directories = 0;
const newDirectory = () => join(root, `wal${directories++}`);

const metadata = { nodeId: 7n, clusterId: 0xffff_ffff_ffff_fff9n };
const confState = { ...EMPTY_CONF_STATE, voters: [7n] };
const FIRST = segmentName(0, 0).file;

function entry(index: number, bytes = 10): Entry {
  return { term: 1, index, type: 0, data: new Uint8Array(bytes).fill(index) };
}

function save(wal: WalFiles, ...entries: Entry[]): Promise<void> {
  const commit = entries.at(-1)!.index;
  return wal.append({ entries, hardState: { term: 1, vote: 7n, commit }, mustSync: true });
}

async function readAll(opened: OpenedWal): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const slice of opened.entries()) {
    for (const each of slice) found.push({ ...each, data: Uint8Array.from(each.data) });
  }
  return found;
}

async function reopened(options: WalOptions): Promise<{ entries: Entry[]; opened: OpenedWal }> {
  const opened = await openWal(options);
  const entries = await readAll(opened);
  await opened.wal.close();
  return { entries, opened };
}

const names = (directory: string) => readdirSync(directory).toSorted();

test("a new log has its metadata, no entries and no hard state", async () => {
  const directory = newDirectory();
  await (await createWal({ directory }, metadata)).close();
  assert.deepEqual(names(directory), [FIRST]);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, FIRST)).mode & 0o777, 0o600);
  const { entries, opened } = await reopened({ directory });
  assert.deepEqual(opened.metadata, metadata);
  assert.equal(opened.hardState, undefined);
  assert.deepEqual([opened.snapshot.index, opened.lastIndex, entries.length], [0, 0, 0]);
});

test("what was appended is read back, and appending goes on", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  await save(wal, entry(1), entry(2, 0), { ...entry(3), type: 1 });
  await wal.close();
  const again = await openWal({ directory });
  await save(again.wal, entry(4, 70_000));
  await again.wal.close();
  const { entries, opened } = await reopened({ directory });
  assert.deepEqual(entries, [entry(1), entry(2, 0), { ...entry(3), type: 1 }, entry(4, 70_000)]);
  assert.deepEqual(opened.hardState, { term: 1, vote: 7n, commit: 4 });
});

test("entries behind the last snapshot position only are given", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  await save(wal, entry(1), entry(2), entry(3));
  await wal.saveSnapshot({ index: 2, term: 1, confState });
  await wal.close();
  const { entries, opened } = await reopened({ directory });
  assert.deepEqual(opened.snapshot, { index: 2, term: 1, confState });
  assert.deepEqual(entries, [entry(3)]);
});

test("a log larger than the reading window comes in several slices", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  for (let index = 1; index <= 30; index++) await save(wal, entry(index, 100_000));
  await save(wal, entry(31, 3_000_000), entry(32));
  await wal.close();
  const opened = await openWal({ directory });
  let slices = 0;
  let last = 0;
  for await (const slice of opened.entries()) {
    slices++;
    for (const { index, data } of slice) {
      assert.equal(index, ++last);
      assert.ok(data.every((byte) => byte === index));
    }
  }
  await opened.wal.close();
  assert.equal(last, 32);
  assert.ok(slices > 4);
});

test("a hard state that nobody waits for leaves with the next write, or at the end", async () => {
  const directory = newDirectory();
  let writes = 0;
  const wal = await createWal({ directory, wrote: () => writes++ }, metadata);
  await save(wal, entry(1), entry(2));
  await wal.append({
    entries: [],
    hardState: { term: 1, vote: 7n, commit: 1 },
    mustSync: false,
  });
  assert.equal(writes, 1);
  await wal.close();
  assert.equal(writes, 2);
  assert.equal((await reopened({ directory })).opened.hardState?.commit, 1);
});

test("calls that overlap share a write and keep their order", async () => {
  const directory = newDirectory();
  let writes = 0;
  const wal = await createWal({ directory, wrote: () => writes++ }, metadata);
  const calls = [1, 2, 3, 4, 5].map((index) => save(wal, entry(index)));
  calls.push(wal.saveSnapshot({ index: 5, term: 1, confState }));
  await Promise.all(calls);
  assert.equal(writes, 2);
  await wal.close();
  assert.equal((await reopened({ directory })).opened.snapshot.index, 5);
});

test("a full segment is cut and named after its first entry; old ones go on release", async () => {
  const options = { directory: newDirectory(), segmentBytes: 4096, segmentsKept: 2 };
  const wal = await createWal(options, metadata);
  for (let index = 1; index <= 100; index++) await save(wal, entry(index, 300));
  const segments = names(options.directory).filter((name) => name.endsWith(".wal"));
  assert.ok(segments.length > 6);
  assert.equal(segments[1], segmentName(1, 13).file);
  assert.equal(statSync(join(options.directory, segments[1]!)).size % 8, 0);
  assert.equal((await reopenedEntries(wal, options)).length, 100);

  const again = await openWal(options);
  await again.wal.saveSnapshot({ index: 55, term: 1, confState });
  await again.wal.release(55);
  const left = names(options.directory).filter((name) => name.endsWith(".wal"));
  const needed = segmentsOf(segments).findLastIndex((segment) => segment.index < 55);
  assert.deepEqual(left, segments.slice(needed));
  assert.deepEqual((await reopenedEntries(again.wal, options))[0]?.index, 56);
});

test("what nobody waited for goes into the segment that ends, also when it was full at the start", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  await save(wal, entry(1), entry(2, 300));
  await wal.close();
  const again = await openWal({ directory, segmentBytes: 200 });
  const hardState = { term: 2, vote: 0n, commit: 2 };
  await again.wal.append({ entries: [], hardState, mustSync: false });
  await save(again.wal, entry(3));
  await again.wal.close();
  const { entries, opened } = await reopened({ directory });
  assert.deepEqual(
    entries.map(({ index }) => index),
    [1, 2, 3],
  );
  assert.equal(opened.hardState!.commit, 3);
  assert.equal(names(directory).length, 2);
});

test("entries of another leader may replace some of a segment that has ended", async () => {
  const options = { directory: newDirectory(), segmentBytes: 700 };
  const wal = await createWal(options, metadata);
  for (const index of [1, 2, 3, 4]) {
    const hardState = { term: 1, vote: 0n, commit: Math.min(2, index) };
    await wal.append({ entries: [entry(index, 200)], hardState, mustSync: true });
  }
  assert.equal(names(options.directory).length, 2);
  const replaced = { ...entry(3), term: 2 };
  const hardState = { term: 2, vote: 0n, commit: 3 };
  await wal.append({ entries: [replaced], hardState, mustSync: true });
  await wal.close();
  const { entries, opened } = await reopened(options);
  assert.deepEqual(entries.slice(2), [replaced]);
  assert.equal(opened.lastIndex, 3);
});

async function reopenedEntries(wal: WalFiles, options: WalOptions): Promise<Entry[]> {
  await wal.close();
  return (await reopened(options)).entries;
}

test("segments before the last snapshot position are not read", async () => {
  const options = { directory: newDirectory(), segmentBytes: 4096 };
  const wal = await createWal(options, metadata);
  for (let index = 1; index <= 100; index++) await save(wal, entry(index, 300));
  await wal.saveSnapshot({ index: 90, term: 1, confState });
  await wal.close();
  writeFileSync(join(options.directory, FIRST), "damaged");
  assert.deepEqual((await reopened(options)).entries[0], entry(91, 300));
});

test("a batch larger than a segment is whole in one", async () => {
  const options = { directory: newDirectory(), segmentBytes: 4096 };
  const wal = await createWal(options, metadata);
  const batch = Array.from({ length: 50 }, (_, i) => entry(i + 1, 300));
  await save(wal, ...batch);
  await save(wal, entry(51));
  assert.deepEqual(await reopenedEntries(wal, options), [...batch, entry(51)]);
  assert.equal(names(options.directory).length, 2);
});

test("a missing segment is named", async () => {
  const options = { directory: newDirectory(), segmentBytes: 4096 };
  const wal = await createWal(options, metadata);
  for (let index = 1; index <= 50; index++) await save(wal, entry(index, 300));
  await wal.close();
  const [, second, third] = names(options.directory);
  rmSync(join(options.directory, second!));
  await assert.rejects(openWal(options), (error) => {
    assert.ok(error instanceof WalError);
    return error.message.includes(third!);
  });
});

test("what is left of a removal that the disk did in part is not in the way", async () => {
  const options = { directory: newDirectory(), segmentBytes: 4096 };
  const wal = await createWal(options, metadata);
  for (let index = 1; index <= 100; index++) await save(wal, entry(index, 300));
  const segments = segmentsOf(names(options.directory));
  const third = segments[2]!;
  await wal.saveSnapshot({ index: third.index, term: 1, confState });
  rmSync(join(options.directory, segments[1]!.file));
  assert.deepEqual((await reopenedEntries(wal, options))[0]?.index, third.index + 1);
  const { wal: again } = await openWal(options);
  await again.release(third.index + 1);
  await again.close();
  assert.ok(!names(options.directory).includes(segments[0]!.file));
});

test("a torn write is cut off, a copy kept, and appending goes on", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  await save(wal, entry(1, 2000));
  const sound = bytesWritten(directory);
  await wal.append({ entries: [entry(2, 2000)], hardState: undefined, mustSync: true });
  await wal.close();
  const path = join(directory, FIRST);
  const bytes = readFileSync(path);
  bytes.fill(0, sound + 512);
  writeFileSync(path, bytes);
  const torn = await openWal({ directory });
  assert.deepEqual(torn.repaired, { file: path, offset: sound, copy: `${path}.broken` });
  assert.deepEqual(readFileSync(`${path}.broken`), bytes);
  await save(torn.wal, entry(2));
  await torn.wal.close();
  const { entries, opened } = await reopened({ directory });
  assert.equal(opened.repaired, undefined);
  assert.deepEqual(entries, [entry(1, 2000), entry(2)]);
});

test("a log is not made where one is", async () => {
  const directory = newDirectory();
  await (await createWal({ directory }, metadata)).close();
  await assert.rejects(createWal({ directory }, metadata), /holds a log already/);
});

test("entries behind a snapshot from the leader survive the loss of their hard state", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  await save(wal, entry(1), entry(2));
  const calls = [
    wal.installSnapshot({ index: 50, term: 1, confState }, { term: 1, vote: 7n, commit: 50 }),
    save(wal, entry(51), entry(52)),
  ];
  await Promise.all(calls);
  const bytes = bytesWritten(directory);
  const path = join(directory, FIRST);
  writeFileSync(path, readFileSync(path).subarray(0, bytes - 3));
  const { entries, opened } = await reopened({ directory });
  assert.notEqual(opened.repaired, undefined);
  assert.equal(opened.snapshot.index, 50);
  assert.deepEqual(opened.hardState, { term: 1, vote: 7n, commit: 50 });
  assert.deepEqual(entries, [entry(51), entry(52)]);
  await wal.close();
});

test("a write that several calls share is cut off like one when a sector of it is missing", async () => {
  for (const missing of [1, 2]) {
    const directory = newDirectory();
    const wal = await createWal({ directory }, metadata);
    await save(wal, entry(1));
    const start = bytesWritten(directory);
    // The second and the third share a write. By then others have committed what is in it.
    const calls = [2, 3, 4].map((index) => {
      const hardState = { term: 1, vote: 7n, commit: index - 1 };
      return wal.append({ entries: [entry(index, 700)], hardState, mustSync: true });
    });
    await Promise.all(calls);
    const path = join(directory, FIRST);
    const bytes = readFileSync(path);
    const sector = Math.ceil((start + 730) / 512) + missing - 1;
    bytes.fill(0, sector * 512, (sector + 1) * 512);
    writeFileSync(path, bytes);
    const { entries, opened } = await reopened({ directory });
    assert.notEqual(opened.repaired, undefined);
    assert.ok(entries.length >= 2 && entries.length <= 3, `${entries.length} entries`);
    assert.deepEqual(opened.hardState?.commit, 1);
    await wal.close();
  }
});

function bytesWritten(directory: string): number {
  const bytes = readFileSync(join(directory, FIRST));
  const last = bytes.findLastIndex((byte) => byte !== 0);
  return (last + 8) & ~7;
}

/** Damages the log so that records follow, and says how opening it failed. */
async function refusal(damage: (bytes: Uint8Array, at: number) => void): Promise<string> {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  await save(wal, entry(1));
  const at = bytesWritten(directory);
  await save(wal, entry(2, 2000));
  await save(wal, entry(3));
  await wal.close();
  const bytes = readFileSync(join(directory, FIRST));
  damage(bytes, at);
  writeFileSync(join(directory, FIRST), bytes);
  try {
    await openWal({ directory });
  } catch (error) {
    assert.ok(error instanceof WalError, String(error));
    assert.equal(error.offset, at);
    assert.deepEqual(readFileSync(join(directory, FIRST)), bytes, "nothing was changed");
    assert.ok(!names(directory).some((name) => name.endsWith(".broken")));
    return error.message;
  }
  return "opened";
}

test("damage that intact records follow is refused by file and offset", async () => {
  const damages: ((bytes: Uint8Array, at: number) => void)[] = [
    (bytes, at) => (bytes[at + 100]! ^= 1),
    (bytes, at) => bytes.fill(0, at, at + 8),
    (bytes, at) => (bytes[at + 3]! ^= 0x40),
    (bytes, at) => (bytes[at + 6]! ^= 0x40),
    (bytes, at) => bytes.fill(0, at, at + 512),
    (bytes, at) => bytes.fill(0, at + 512, at + 1024),
  ];
  for (const damage of damages) {
    const message = await refusal(damage);
    assert.match(message, /^wal: damaged record, but an intact one follows at offset \d+, in /);
  }
  assert.match(await refusal((bytes, at) => (bytes[at + 9]! ^= 1)), /hard state/);
});

/** Node's calls, with some replaced. All writes go through `write`. */
function io(calls: Partial<FileIo>): FileIo {
  const { writeSync: _, ...others } = nodeFileIo;
  return { ...others, ...calls };
}

test("a write that the system shortens is completed", async () => {
  const directory = newDirectory();
  const shortening = io({
    write: (fd, bytes, position) => nodeFileIo.write(fd, bytes.subarray(0, 100), position),
  });
  const wal = await createWal({ directory, io: shortening }, metadata);
  await save(wal, entry(1, 1000), entry(2, 1000));
  await wal.close();
  assert.deepEqual((await reopened({ directory })).entries, [entry(1, 1000), entry(2, 1000)]);
});

test("the first failure is final and names file, offset and error", async () => {
  const directory = newDirectory();
  let fails = false;
  const failing = io({
    write: (fd, bytes, position) => {
      if (fails) return Promise.reject(systemError("EIO", "write", "x"));
      return nodeFileIo.write(fd, bytes, position);
    },
  });
  const wal = await createWal({ directory, io: failing }, metadata);
  await save(wal, entry(1));
  const offset = bytesWritten(directory);
  fails = true;
  const isFailure = (error: unknown) => {
    assert.ok(error instanceof DiskError);
    assert.deepEqual([error.code, error.offset], ["EIO", offset]);
    return error.path === join(directory, FIRST);
  };
  await assert.rejects(save(wal, entry(2)), isFailure);
  fails = false;
  await assert.rejects(save(wal, entry(2)), isFailure);
  await assert.rejects(wal.saveSnapshot({ index: 1, term: 1, confState }), isFailure);
  await wal.close();
  assert.deepEqual((await reopened({ directory })).entries, [entry(1)]);
});

test("a disk too full to prepare space is told, and the log is written on", async () => {
  const directory = newDirectory();
  const warnings: string[] = [];
  const full = io({
    write: (fd, bytes, position) => {
      if (bytes.length > 100_000) return Promise.reject(systemError("ENOSPC", "write", "x"));
      return nodeFileIo.write(fd, bytes, position);
    },
  });
  const warn = (text: string) => warnings.push(text);
  const wal = await createWal({ directory, io: full, warn }, metadata);
  await save(wal, entry(1));
  while (warnings.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(warnings[0]!, /^cannot prepare space for the log: write .*ENOSPC/);
  await save(wal, entry(2));
  await wal.close();
  assert.equal((await reopened({ directory })).entries.length, 2);
});

test("space ahead of the records is prepared and does not disturb them", async () => {
  const directory = newDirectory();
  const wal = await createWal({ directory }, metadata);
  const path = join(directory, FIRST);
  let index = 0;
  while (statSync(path).size < 3_000_000) await save(wal, entry(++index, 5000));
  await wal.close();
  assert.equal((await reopened({ directory })).entries.length, index);
  assert.ok(statSync(path).size > bytesWritten(directory));
});
