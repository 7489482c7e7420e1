import assert from "node:assert/strict";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import fc from "fast-check";
import { memberFromJson } from "../cluster/index.ts";
import { nodeFileIo, PageFile, readEntries, readWal } from "../disk/index.ts";
import { clusterId, memberId } from "../keys/index.ts";
import { runUtl } from "./testing.ts";

// A snapshot that etcd 3.7.3 wrote, and what its own tools say of it.
const FIXTURE = join(import.meta.dirname, "../../test/data/etcd-3.7.3/snapshot.db");
const STATUS = "5ab62f1, 145, 914, 418 kB, 3.7.0\n";

let directory: string;
let path: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "quordutl-"));
  path = join(directory, "snapshot.db");
});
beforeEach(() => copyFile(FIXTURE, path));
after(() => rm(directory, { recursive: true }));

test("ids are those that etcd derives", () => {
  const id = memberId(["http://127.0.0.1:3380"], "tok2");
  assert.equal(id.toString(16), "55e9377384fe59c9");
  assert.equal(clusterId([id]).toString(16), "b54558d195c73daf");
});

test("the status of a snapshot is etcdutl's, in all forms", async () => {
  const status = (format: string) => runUtl(["snapshot", "status", path, "-w", format]);
  assert.deepEqual(await status("simple"), { status: 0, out: STATUS, err: "" });
  assert.equal(
    (await status("json")).out,
    '{"hash":95118065,"revision":145,"totalKey":914,"totalSize":417792,"version":"3.7.0"}\n',
  );
  assert.equal(
    (await status("fields")).out,
    '"Hash" : 95118065\n"Revision" : 145\n"Keys" : 914\n"Size" : 417792\n"Version" : 3.7.0\n',
  );
  assert.match((await status("table")).out, /│ 5ab62f1 │ {6}145 │/);
  assert.equal((await status("protobuf")).status, 4);
});

test("the key-value hash of a file is that of the member it came from", async () => {
  const whole = await runUtl(["hashkv", path, "-w", "json"]);
  assert.equal(whole.out, '{"hash":3575279117,"hashRevision":145,"compactRevision":20}\n');
  assert.deepEqual(await readFile(path), await readFile(FIXTURE), "the file is not written to");
  const future = await runUtl(["hashkv", path, "--rev", "999"]);
  assert.equal(future.err, "Error: mvcc: required revision is a future revision\n");
  const old = await runUtl(["hashkv", path, "--rev", "5"]);
  assert.equal(old.err, "Error: mvcc: required revision has been compacted\n");
});

const CLUSTER = [
  "--name=a",
  "--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2",
  "--initial-advertise-peer-urls=http://127.0.0.1:1",
];

async function restoreInto(name: string, ...flags: string[]): Promise<string> {
  const dataDir = join(directory, name);
  await rm(dataDir, { recursive: true, force: true });
  const run = await runUtl(["snapshot", "restore", path, "--data-dir", dataDir, ...flags]);
  assert.equal(run.status, 0, run.err);
  return dataDir;
}

test("a restored log founds the new cluster, and the database stands behind it", async () => {
  const dataDir = await restoreInto("restored", ...CLUSTER);
  const wal = join(dataDir, "member/wal");
  const content = await readWal(nodeFileIo, wal);
  assert.equal(content.metadata.clusterId.toString(16), "3d93f952f49292c8");
  assert.equal(content.metadata.nodeId.toString(16), "58a88bf978398f80");
  assert.deepEqual(content.hardState, { term: 1, vote: 0x43ccf13c9d84d8d2n, commit: 2 });
  assert.deepEqual(content.snapshot.confState.voters, [0x43ccf13c9d84d8d2n, 0x58a88bf978398f80n]);
  assert.equal(content.snapshot.index, 2);
  for await (const slice of readEntries(nodeFileIo, wal, content)) assert.equal(slice.length, 0);
  assert.deepEqual(await readdir(join(dataDir, "member/snap")), [
    "0000000000000001-0000000000000002.snap",
    "db",
  ]);

  const db = await openDb(dataDir);
  const stored = db.bucket("members").get(Buffer.from("58a88bf978398f80"))!;
  const member = memberFromJson(Buffer.from(stored).toString());
  assert.deepEqual([member.name, member.peerUrls], ["a", ["http://127.0.0.1:1"]]);
  const position = db.bucket("meta").get(Buffer.from("consistent_index"))!;
  assert.deepEqual([...position], [0, 0, 0, 0, 0, 0, 0, 2]);
});

async function openDb(dataDir: string) {
  return (await PageFile.open(join(dataDir, "member/snap/db"))).openDb();
}

test("with a bump the revision moves on and all below it is to be compacted", async () => {
  const bumped = ["--bump-revision=1000", "--mark-compacted"];
  const dataDir = await restoreInto("bumped", ...CLUSTER, ...bumped);
  const db = await openDb(dataDir);
  const cursor = db.bucket("key").cursor();
  assert.ok(cursor.last());
  assert.equal(Buffer.from(cursor.key).readBigUInt64BE(0), 1145n);
  assert.equal(cursor.value.length, 0);
  const scheduled = db.bucket("meta").get(Buffer.from("scheduledCompactRev"))!;
  assert.equal(Buffer.from(scheduled).readBigUInt64BE(0), 1145n);
  // What etcd 3.7.3 answers once it has started on such a directory.
  const hash = await runUtl(["hashkv", join(dataDir, "member/snap/db")]);
  assert.equal(hash.out, "4117038397, 1145, 1145\n");
});

// The texts are etcdutl's.
test("a restore that cannot be is refused before anything is written", async () => {
  const refusals: readonly (readonly [argv: string[], status: number, error: string])[] = [
    [[], 128, "snapshot restore requires exactly one argument"],
    [[path, "--bump-revision=5"], 128, "--mark-compacted required if --revision-bump > 0"],
    [
      [path, "--initial-cluster=foo=http://a:1"],
      1,
      'couldn\'t find local name "default" in the initial cluster configuration',
    ],
    [
      [path, "--initial-cluster=default=http://127.0.0.1:1"],
      1,
      "--initial-cluster has default=http://127.0.0.1:1 but missing from " +
        "--initial-advertise-peer-urls=http://localhost:2380 " +
        '(resolved urls: "http://localhost:2380" != "http://127.0.0.1:1")',
    ],
    [
      [path, "--initial-cluster=default=foo"],
      1,
      "URL scheme must be http, https, unix, or unixs: foo",
    ],
    [
      [path, "--initial-advertise-peer-urls=http://a/x"],
      1,
      'URL address does not have the form "host:port": http://a/x',
    ],
    [
      [path, "--initial-advertise-peer-urls=http://a:1/x"],
      1,
      "URL must not contain a path: http://a:1/x",
    ],
    [
      [path, `--data-dir=${directory}`],
      1,
      `data-dir "${directory}" not empty or could not be read`,
    ],
  ];
  const unused = join(directory, "unused");
  for (const [argv, status, error] of refusals) {
    const run = await runUtl(["snapshot", "restore", `--data-dir=${unused}`, ...argv]);
    const said = run.err.replace(/^.*\tresolved URL Host\t.*\n/, "");
    assert.deepEqual([run.status, said], [status, `Error: ${error}\n`], argv.join(" "));
  }
  assert.equal((await readdir(directory)).includes("unused"), false);
});

test("a snapshot whose digest does not fit is not restored", async () => {
  const bytes = await readFile(path);
  bytes[20_000]! ^= 1;
  await writeFile(path, bytes);
  const target = join(directory, "damaged");
  const run = await runUtl(["snapshot", "restore", path, "--data-dir", target]);
  assert.equal(run.status, 1);
  assert.match(run.err, /\nError: expected sha256 \[188 217 106 /);

  // The empty directory stays; nothing in it could be started by mistake.
  assert.deepEqual(await readdir(target), []);

  await writeFile(path, bytes.subarray(0, 100_000));
  const cut = await runUtl(["snapshot", "restore", path, "--data-dir", target]);
  assert.match(cut.err, /\nError: snapshot missing hash but --skip-hash-check=false\n$/);
});

test("defragmenting keeps the contents and gives the free pages back", async () => {
  const dataDir = await restoreInto("defragmented", ...CLUSTER);
  const db = join(dataDir, "member/snap/db");
  const before = (await runUtl(["hashkv", db])).out;
  const sizeBefore = (await readFile(db)).length;
  const run = await runUtl(["defrag", "--data-dir", dataDir]);
  assert.equal(run.status, 0, run.err);
  assert.equal((await runUtl(["hashkv", db])).out, before);
  assert.ok((await readFile(db)).length < sizeBefore);
  assert.deepEqual((await runUtl(["snapshot", "status", db])).status, 0);
});

test("a file that is no database, or a damaged one, is refused in words", async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("junk"), Buffer.alloc(20_000)]) {
    await writeFile(path, bytes);
    const run = await runUtl(["snapshot", "status", path]);
    assert.deepEqual([run.status, run.err], [1, "Error: invalid database\n"]);
  }
  const missing = await runUtl(["snapshot", "status", "/nonexistent"]);
  assert.equal(missing.err, "Error: stat /nonexistent: no such file or directory\n");
});

test("damage anywhere in a snapshot ends in a result or an error, never in a crash", async () => {
  const whole = await readFile(FIXTURE);
  const commands = fc.constantFrom(["snapshot", "status"], ["hashkv"]);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 40), fc.nat(255), commands, async (at, byte, words) => {
      const bytes = Buffer.from(whole);
      bytes[at] = byte;
      await writeFile(path, bytes);
      const run = await runUtl([...words, path]);
      assert.ok(run.status === 0 || run.err.startsWith("Error: "), run.err);
    }),
    { numRuns: Number(process.env.QUORD_FUZZ_RUNS ?? 60) },
  );
});
