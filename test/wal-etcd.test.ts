import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { textToBytes } from "../src/base/index.ts";
import {
  createWal,
  nodeFileIo,
  openWal,
  readWal,
  SnapshotFiles,
  v2StoreJson,
  type WalFiles,
} from "../src/disk/index.ts";
import {
  CONF_CHANGE_TYPE,
  EMPTY_CONF_STATE,
  encodeConfChange,
  type Entry,
  Writer,
} from "../src/proto/index.ts";
import { peer } from "./lib/binaries.ts";
import { freePort, freshDir, run, startMember } from "./lib/processes.ts";

// Real etcd is started on a directory with nothing but a log that we wrote; then we go on with the
// log that it leaves, and it with ours.

const skip = peer("etcd") === undefined && "real etcd is not there";

const ID = 0x6183134728c20dcdn;
const CLUSTER_ID = 0x1234_5678_9abc_def0n;

function putEntry(index: number, term: number, value: string): Entry {
  const put = new Writer();
  put.bytesField(1, textToBytes(`key${index}`));
  put.bytesField(2, textToBytes(value));
  const header = new Writer();
  header.intField(1, index);
  const request = new Writer();
  request.messageField(4, put.view());
  request.messageField(100, header.view());
  return { term, index, type: 0, data: request.copy() };
}

async function putMany(wal: WalFiles, range: { from: number; to: number; term: number }) {
  const { from, to, term } = range;
  for (let index = from; index <= to; index += 5) {
    const entries = [0, 1, 2, 3, 4].map((i) => putEntry(index + i, term, `v${index + i}`));
    const hardState = { term, vote: ID, commit: index + 4 };
    await wal.append({ entries, hardState, mustSync: true });
  }
}

function firstEntry(peerUrl: string): Entry {
  const member = `{"id":${ID},"peerURLs":["${peerUrl}"],"name":"m"}`;
  const change = { id: 0n, type: CONF_CHANGE_TYPE.addNode, nodeId: ID };
  const data = encodeConfChange({ ...change, context: textToBytes(member) });
  return { term: 1, index: 1, type: 1, data };
}

async function count(endpoint: string): Promise<string> {
  const flags = ["--endpoints", endpoint, "get", "key", "--prefix", "--count-only", "-w", "fields"];
  const { stdout } = await run(peer("etcdctl")!, flags);
  return /"Count" : (\d+)/.exec(stdout)?.[1] ?? stdout;
}

test("etcd starts on our log and we go on with its", { skip, timeout: 60_000 }, async () => {
  const dir = join(freshDir(), "data");
  const ports = { client: await freePort(), peer: await freePort() };
  const directory = join(dir, "member", "wal");
  mkdirSync(join(dir, "member", "snap"), { recursive: true, mode: 0o700 });
  const options = { directory, segmentBytes: 8192 };
  const wal = await createWal(options, { nodeId: ID, clusterId: CLUSTER_ID });
  const first = firstEntry(`http://127.0.0.1:${ports.peer}`);
  const hardState = { term: 1, vote: 0n, commit: 1 };
  await wal.append({ entries: [first], hardState, mustSync: true });
  await putMany(wal, { from: 2, to: 501, term: 1 });
  await wal.close();

  const etcd = await startMember("etcd", { dir, ports });
  assert.equal(await count(etcd.endpoint), "500");
  await etcd.stop();

  const opened = await openWal(options);
  assert.deepEqual(opened.metadata, { nodeId: ID, clusterId: CLUSTER_ID });
  assert.equal(opened.repaired, undefined);
  const { lastIndex } = opened;
  const { term, commit } = opened.hardState!;
  assert.ok(lastIndex > 501 && term > 1);
  // All that is committed is in etcd's database too, so a snapshot may stand there.
  await saveSnapshot(opened.wal, dir, { index: commit, term });
  await putMany(opened.wal, { from: lastIndex + 1, to: lastIndex + 100, term });
  await opened.wal.close();

  const again = await startMember("etcd", { dir, ports });
  assert.equal(await count(again.endpoint), "600");
  await again.stop();
  const content = await readWal(nodeFileIo, directory);
  assert.equal(content.snapshot.index, commit);
  assert.ok(content.lastIndex > lastIndex + 100);
});

async function saveSnapshot(wal: WalFiles, dir: string, at: { index: number; term: number }) {
  const confState = { ...EMPTY_CONF_STATE, voters: [ID] };
  const members = [{ id: ID, name: "m", peerUrls: [], clientUrls: [], isLearner: false }];
  const directory = join(dir, "member", "snap");
  const snapshots = new SnapshotFiles({ directory, io: nodeFileIo, kept: 5, warn: assert.fail });
  await snapshots.save({ meta: { ...at, confState }, data: v2StoreJson(members, "3.7.0") });
  await wal.saveSnapshot({ ...at, confState });
}
