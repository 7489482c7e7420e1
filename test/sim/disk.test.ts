import assert from "node:assert/strict";
import { test } from "node:test";
import { Disk, SECTOR_BYTES, SimFile, type Survives } from "./disk.ts";

const ALL: Survives = () => true;
const NOTHING: Survives = () => false;

/** Answers from a list, then no. */
function answers(...list: boolean[]): Survives {
  return () => list.shift() ?? false;
}

function bytesOf(file: SimFile): Uint8Array {
  const bytes = new Uint8Array(file.size);
  file.read(bytes, 0);
  return bytes;
}

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);

test("what is written can be read, and lasts when it is synced", () => {
  const file = new SimFile();
  file.write(filled(700, 1), 100);
  assert.equal(file.size, 800);
  assert.equal(bytesOf(file.afterPowerLoss(NOTHING)).length, 0);
  file.sync(file.unsynced());
  const left = bytesOf(file.afterPowerLoss(NOTHING));
  assert.deepEqual(left, bytesOf(file));
  assert.deepEqual(left.subarray(98, 102), Uint8Array.of(0, 0, 1, 1));
});

test("a sync covers what was written before it began, and nothing else", () => {
  const file = new SimFile();
  file.write(filled(4, 1), 0);
  const unsynced = file.unsynced();
  file.write(filled(4, 2), 0);
  file.sync(unsynced);
  assert.deepEqual(bytesOf(file.afterPowerLoss(NOTHING)), filled(4, 1));
  assert.deepEqual(bytesOf(file.afterPowerLoss(ALL)), filled(4, 2));
});

test("sectors of one write survive each by itself", () => {
  const file = new SimFile(3 * SECTOR_BYTES);
  file.write(filled(3 * SECTOR_BYTES, 1), 0);
  const left = bytesOf(file.afterPowerLoss(answers(false, true, false)));
  const sums = [0, 1, 2].map((i) => left[i * SECTOR_BYTES]! + left[(i + 1) * SECTOR_BYTES - 1]!);
  assert.deepEqual(sums, [0, 2, 0]);
});

test("a failed sync keeps what it did not write readable, and loses it", () => {
  const file = new SimFile(4);
  file.write(filled(4, 1), 0);
  file.failSync(NOTHING);
  assert.deepEqual(bytesOf(file), filled(4, 1));
  file.sync(file.unsynced());
  assert.deepEqual(bytesOf(file.afterPowerLoss(ALL)), filled(4, 0));
});

test("a cut file ends where it was cut, and has zeros where it grows again", () => {
  const file = new SimFile();
  file.write(filled(1000, 1), 0);
  file.sync(file.unsynced());
  file.truncate(10);
  file.truncate(1000);
  assert.deepEqual(bytesOf(file).subarray(8, 12), Uint8Array.of(1, 1, 0, 0));
  assert.deepEqual(bytesOf(file.afterPowerLoss(NOTHING)), filled(1000, 1));
});

test("a file that grows far takes no memory", () => {
  const file = new SimFile();
  file.truncate(2 ** 40);
  assert.equal(file.read(new Uint8Array(4096), 2 ** 39), 4096);
});

test("a name lasts when its directory is synced, whatever of the file is synced", () => {
  const disk = new Disk();
  disk.place("/a");
  disk.create("/a/file", new SimFile());
  const file = disk.file("/a/file");
  file.write(filled(4, 1), 0);
  file.sync(file.unsynced());
  assert.deepEqual(disk.afterPowerLoss(NOTHING).list("/a"), []);
  disk.syncNames(disk.unsyncedNames("/a"));
  assert.deepEqual(bytesOf(disk.afterPowerLoss(NOTHING).file("/a/file")), filled(4, 1));
});

test("a rename is done or not, never half", () => {
  const disk = new Disk();
  disk.place("/old", new SimFile(1));
  disk.place("/new", new SimFile(2));
  disk.rename("/old", "/new");
  assert.deepEqual(disk.list("/"), ["new"]);
  assert.equal(disk.file("/new").size, 1);
  const before = disk.afterPowerLoss(NOTHING);
  assert.deepEqual(before.list("/").toSorted(), ["new", "old"]);
  assert.equal(before.file("/new").size, 2);
});

test("a directory that did not last takes what is in it along", () => {
  const disk = new Disk();
  disk.create("/a", "directory");
  disk.create("/a/file", new SimFile());
  disk.syncNames(disk.unsyncedNames("/a"));
  assert.deepEqual(disk.afterPowerLoss(NOTHING).list("/"), []);
});
