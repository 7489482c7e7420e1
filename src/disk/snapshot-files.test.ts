import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_CONF_STATE } from "../proto/index.ts";
import { decodeSnapFile } from "../wal/index.ts";
import { DiskError } from "./file-io.ts";
import { MemoryFiles, systemError } from "./memory-files.ts";
import { SnapshotFiles } from "./snapshot-files.ts";

const confState = { ...EMPTY_CONF_STATE, voters: [7n] };

function make(): { files: MemoryFiles; snapshots: SnapshotFiles; warnings: string[] } {
  const files = new MemoryFiles();
  files.addDirectory("/snap");
  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(text);
  return {
    files,
    warnings,
    snapshots: new SnapshotFiles({ directory: "/snap", io: files, kept: 2, warn }),
  };
}

const snapshotAt = (index: number) => ({
  meta: { index, term: 1, confState },
  data: new Uint8Array([index]),
});

async function receive(
  snapshots: SnapshotFiles,
  index: number,
  ...parts: number[][]
): Promise<number> {
  const file = await snapshots.createDatabase();
  for (const part of parts) await file.write(Uint8Array.from(part));
  await file.finish(index);
  return file.sizeBytes;
}

test("a snapshot is written under its term and index", async () => {
  const { files, snapshots } = make();
  await snapshots.save(snapshotAt(5));
  assert.deepEqual(await files.readdir("/snap"), ["0000000000000001-0000000000000005.snap"]);
  const [name] = await files.readdir("/snap");
  assert.equal(decodeSnapFile(files.contents(`/snap/${name}`)).meta.index, 5);
});

test("a received database gets its name when it is whole, then takes the place of db", async () => {
  const { files, snapshots } = make();
  assert.equal(await receive(snapshots, 9, [1, 2], [3]), 3);
  assert.deepEqual(await files.readdir("/snap"), ["0000000000000009.snap.db"]);
  assert.ok(await snapshots.hasDatabase(9));
  assert.ok(!(await snapshots.hasDatabase(8)));
  await snapshots.adoptDatabase(9);
  assert.deepEqual(files.contents("/snap/db"), Uint8Array.from([1, 2, 3]));
});

test("a database that ends early leaves nothing", async () => {
  const { files, snapshots } = make();
  const file = await snapshots.createDatabase();
  await file.write(Uint8Array.of(1, 2));
  assert.equal((await files.readdir("/snap")).length, 1);
  await file.abort();
  assert.deepEqual(await files.readdir("/snap"), []);
});

test("a database that the disk fails to keep leaves nothing", async () => {
  const { files, snapshots } = make();
  const file = await snapshots.createDatabase();
  await file.write(Uint8Array.of(1));
  files.sync = () => Promise.reject(systemError("EIO", "fsync", "file"));
  await assert.rejects(file.finish(9), DiskError);
  assert.deepEqual(await files.readdir("/snap"), []);
});

test("adopting a database that is not there names it", async () => {
  const { snapshots } = make();
  await assert.rejects(snapshots.adoptDatabase(3), (error) => {
    return error instanceof DiskError && error.message.includes("0000000000000003.snap.db");
  });
});

test("purging keeps the newest files, and all databases from the snapshot on", async () => {
  const { files, snapshots, warnings } = make();
  for (const index of [1, 2, 3, 10]) await snapshots.save(snapshotAt(index));
  for (const index of [2, 3, 11, 12]) await receive(snapshots, index, [1]);
  files.addFile("/snap/db", new Uint8Array(1));
  await snapshots.purge(3);
  assert.deepEqual((await files.readdir("/snap")).toSorted(), [
    "0000000000000001-0000000000000003.snap",
    "0000000000000001-000000000000000a.snap",
    "0000000000000003.snap.db",
    "000000000000000b.snap.db",
    "000000000000000c.snap.db",
    "db",
  ]);
  assert.deepEqual(warnings, []);
});

test("a start removes the databases that a crash has left", async () => {
  const { files, snapshots } = make();
  await snapshots.save(snapshotAt(3));
  for (const index of [2, 11]) await receive(snapshots, index, [1]);
  files.addFile("/snap/db", new Uint8Array(1));
  await snapshots.removeDatabases();
  const left = (await files.readdir("/snap")).toSorted();
  assert.deepEqual(left, ["0000000000000001-0000000000000003.snap", "db"]);
});
