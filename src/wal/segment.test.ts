import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsLog, segmentName, segmentsOf, segmentsToPurge } from "./segment.ts";

test("a name is sequence and first index in hexadecimal", () => {
  assert.equal(segmentName(10, 255).file, "000000000000000a-00000000000000ff.wal");
});

test("names are read back in order; other files are not the log's", () => {
  const files = [
    "0.tmp",
    segmentName(1, 9).file,
    `${segmentName(1, 9).file}.broken`,
    segmentName(0, 0).file,
    "ffffffffffffffff-0000000000000000.wal",
    "x.wal",
  ];
  assert.deepEqual(segmentsOf(files), [segmentName(0, 0), segmentName(1, 9)]);
});

test("a directory holds a log when any file ends in .wal", () => {
  assert.ok(!holdsLog(["0.tmp", "lost+found", "a.wal.broken"]));
  assert.ok(holdsLog(["x.wal"]));
});

test("purging keeps the newest segments and all that a snapshot may need", () => {
  const segments = [0, 10, 20, 30, 40].map((index, sequence) => segmentName(sequence, index));
  const purged = (index: number, keep: number) =>
    segmentsToPurge(segments, { index, keep }).map((segment) => segment.index);
  assert.deepEqual(purged(100, 1), [0, 10, 20, 30]);
  assert.deepEqual(purged(100, 3), [0, 10]);
  assert.deepEqual(purged(100, 5), []);
  assert.deepEqual(purged(100, 0), []);
  assert.deepEqual(purged(25, 1), [0, 10]);
  assert.deepEqual(purged(20, 1), [0]);
  assert.deepEqual(purged(0, 1), []);
});
