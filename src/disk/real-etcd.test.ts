import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { bytesToText, equalBytes } from "../base/index.ts";
import { type Entry, Reader, readEntry, readHardState, readWalSnapshot } from "../proto/index.ts";
import { decodeSnapFile, Frame, RECORD, RecordEncoder } from "../wal/index.ts";
import { nodeFileIo } from "./file-io.ts";
import { readEntries, readWal } from "./wal-reader.ts";

// The data directory of a real etcd 3.7.3 that was stopped.

const data = resolve(import.meta.dirname, "../../test/data/etcd-3.7.3");
const root = mkdtempSync(join(tmpdir(), "real-etcd-"));
after(() => rmSync(root, { recursive: true }));
execFileSync("tar", ["-xzf", join(data, "data-dir.tar.gz"), "-C", root]);
const walDirectory = join(root, "member", "wal");
const expected = JSON.parse(readFileSync(join(data, "expect.json"), "utf8"));

test("etcd's log is read whole", async () => {
  const content = await readWal(nodeFileIo, walDirectory);
  const { raftTerm } = expected["endpoint status"];
  assert.equal(content.metadata.nodeId, 0x6183134728c20dcdn);
  assert.equal(content.hardState?.term, raftTerm);
  assert.equal(content.snapshot.index, 153);
  assert.deepEqual(content.snapshot.confState.voters, [0x6183134728c20dcdn]);
  assert.equal(content.tail.torn, false);
  const entries: Entry[] = [];
  for await (const slice of readEntries(nodeFileIo, walDirectory, content)) entries.push(...slice);
  const indices = entries.map((entry) => entry.index);
  assert.deepEqual(indices, [154, 155, 156, 157, 158, 159, 160]);
  assert.equal(content.lastIndex, 160);
});

test("encoding what etcd's log says gives etcd's bytes", () => {
  const [file] = readdirSync(walDirectory);
  const bytes = readFileSync(join(walDirectory, file!));
  const encoder = new RecordEncoder(0);
  const frame = new Frame();
  let at = 0;
  for (; frame.parse(bytes, at, bytes.length) === "record"; at = frame.end) {
    encodeAgain(encoder, frame, bytes);
  }
  assert.equal(at, 235_296);
  assert.ok(equalBytes(encoder.view(), bytes.subarray(0, at)));
});

function encodeAgain(encoder: RecordEncoder, frame: Frame, bytes: Uint8Array): void {
  const r = new Reader(bytes, frame.dataStart, frame.dataEnd);
  if (frame.type === RECORD.crc) encoder.checksum();
  else if (frame.type === RECORD.metadata) encoder.metadata(bytes.subarray(r.at, r.end));
  else if (frame.type === RECORD.entry) encoder.entry(readEntry(r));
  else if (frame.type === RECORD.state) encoder.state(readHardState(r));
  else encoder.snapshot(readWalSnapshot(r));
}

test("etcd's snapshot files are read, and hold the members", () => {
  const directory = join(root, "member", "snap");
  const files = readdirSync(directory).filter((file) => file.endsWith(".snap"));
  assert.equal(files.length, 3);
  for (const file of files) {
    const snapshot = decodeSnapFile(readFileSync(join(directory, file)));
    assert.equal(snapshot.meta.index, parseInt(file.slice(17, 33), 16));
    const store = JSON.parse(bytesToText(snapshot.data));
    assert.ok("6183134728c20dcd" in store.Root.Children["0"].Children.members.Children);
  }
});
