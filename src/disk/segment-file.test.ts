import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type FileIo, nodeFileIo } from "./file-io.ts";
import { SegmentFile } from "./segment-file.ts";

const SMALL = new Uint8Array(300).fill(7);

async function onSegment(
  io: FileIo,
  work: (segment: SegmentFile, path: string) => Promise<void>,
): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), "segment-"));
  const path = join(parent, "s.wal");
  const at = { path, position: 0, create: true, segmentBytes: 1 << 20 };
  const time = { now: () => performance.now(), sleep: async () => {} };
  const segment = await SegmentFile.open({ io, time, warn: () => {} }, at);
  try {
    await work(segment, path);
  } finally {
    await segment.close();
    rmSync(parent, { recursive: true });
  }
}

test("a small write that is waited for and comes up short is finished, not acknowledged half", async () => {
  const io: FileIo = {
    ...nodeFileIo,
    writeSync: (fd, bytes, position) =>
      nodeFileIo.writeSync!(fd, bytes.subarray(0, bytes.length >>> 1), position),
  };
  await onSegment(io, async (segment, path) => {
    await segment.write(SMALL);
    assert.deepEqual(new Uint8Array(readFileSync(path)), SMALL);
  });
});

test("a small write that fails names the file, the offset and the error", async () => {
  const io: FileIo = {
    ...nodeFileIo,
    writeSync: () => {
      throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    },
  };
  await onSegment(io, async (segment) => {
    await assert.rejects(segment.write(SMALL), /write .*s\.wal at offset 0: no space/);
  });
});

test("after a slow write none is waited for, for a while", async () => {
  let waited = 0;
  const io: FileIo = {
    ...nodeFileIo,
    writeSync: (fd, bytes, position) => {
      waited++;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      return nodeFileIo.writeSync!(fd, bytes, position);
    },
  };
  await onSegment(io, async (segment, path) => {
    for (let i = 0; i < 3; i++) await segment.write(SMALL);
    assert.equal(waited, 1);
    assert.equal(readFileSync(path).length, 3 * SMALL.length);
  });
});
