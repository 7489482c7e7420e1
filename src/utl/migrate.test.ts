import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import fc from "fast-check";
import { commitTo, lockFile, nodeFileIo, openWal, PageFile, withPages } from "../disk/index.ts";
import { BYTES, ENTRY_TYPE, Writer } from "../proto/index.ts";
import { KeyCount } from "./key-count.ts";
import { runUtl } from "./testing.ts";

// The directory of a member that etcd 3.7.3 wrote.
const ARCHIVE = join(import.meta.dirname, "../../test/data/etcd-3.7.3/data-dir.tar.gz");

let root: string;
let dataDir: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "quordutl-"));
  execFileSync("tar", ["xzf", ARCHIVE, "-C", root]);
});
beforeEach(async () => {
  dataDir = join(root, "copy");
  await rm(dataDir, { recursive: true, force: true });
  await cp(join(root, "member"), join(dataDir, "member"), { recursive: true });
});
after(() => rm(root, { recursive: true }));

const database = () => join(dataDir, "member/snap/db");

const migrate = (target: string, ...flags: string[]) =>
  runUtl(["migrate", "--data-dir", dataDir, "--target-version", target, ...flags]);

async function storedVersion(): Promise<string | undefined> {
  const file = await PageFile.open(database());
  const db = await file.openDb();
  const stored = db.bucket("meta").get(Buffer.from("storageVersion"));
  await file.close();
  return stored === undefined ? undefined : Buffer.from(stored).toString();
}

test("each version between 3.5 and 3.7 is reached from every other, and 3.5 stores none", async () => {
  const stored: Readonly<Record<string, string | undefined>> = { "3.6": "3.6.0", "3.7": "3.7.0" };
  for (const target of ["3.6", "3.5", "3.7", "3.5", "3.6", "3.7", "3.7"]) {
    const run = await migrate(target);
    assert.equal(run.status, 0, run.err);
    assert.equal(await storedVersion(), stored[target], target);
  }
});

test("each step is told, and what is there already is not done again", async () => {
  const down = await migrate("3.5");
  const steps = [...down.err.matchAll(/"new-storage-version": "([^"]*)"/g)].map(([, v]) => v);
  assert.deepEqual(steps, ["3.6.0", "3.5.0"]);
  assert.match((await migrate("3.5")).err, /\tstorage version up-to-date\t.*"3.5"}\n$/);
});

// The texts are etcdutl's.
test("a version nobody knows is refused, unless it is forced", async () => {
  const refused = await migrate("3.8");
  const reason = 'cannot create migration plan: version "3.8.0" is not supported';
  assert.deepEqual([refused.status, refused.err], [1, `Error: ${reason}\n`]);
  assert.equal(await storedVersion(), "3.7.0");
  assert.equal((await migrate("3.8", "--force")).status, 0);
  assert.equal(await storedVersion(), "3.8.0");
  assert.equal((await migrate("3.5", "--force")).status, 0);
  assert.equal(await storedVersion(), undefined);
});

test("a log that asks for a newer version is in the way of an older one", async () => {
  await appendVersionTest("3.7.0");
  const run = await migrate("3.6");
  assert.equal(
    run.err,
    "Error: cannot downgrade storage, WAL contains newer entries, as the target version (3.6.0) " +
      "is lower than the version (3.7.0) detected from WAL logs\n",
  );
  assert.equal(await storedVersion(), "3.7.0");
  assert.equal((await migrate("3.7")).status, 0);
});

/** Adds the request with which a test of downgrades asks for a version. */
async function appendVersionTest(version: string): Promise<void> {
  const opened = await openWal({ directory: join(dataDir, "member/wal"), io: nodeFileIo });
  const { wal, lastIndex, hardState } = opened;
  for await (const _ of opened.entries()) continue;
  const head = new Writer();
  head.tag(9900, BYTES);
  head.varint(version.length + 2);
  const data = Buffer.concat([head.view(), Buffer.of(0x0a, version.length), Buffer.from(version)]);
  const { term } = hardState!;
  const entry = { term, index: lastIndex + 1, type: ENTRY_TYPE.normal, data };
  await wal.append({ hardState: undefined, entries: [entry], mustSync: true });
  await wal.close();
}

test("a database from before 3.5 has no version to begin from", async () => {
  const file = await PageFile.open(database());
  const db = await file.openDb();
  for (const _ of db.recoverFreePages()) await Promise.resolve();
  await withPages(file, () => {
    for (const name of ["storageVersion", "term"]) db.bucket("meta").delete(Buffer.from(name));
  });
  await commitTo(file, db);
  await file.close();
  const run = await migrate("3.6");
  assert.equal(run.status, 1);
  assert.match(run.err, /\nError: missing term information\n$/);
});

test("a database in use is waited for, aloud, and then given up", async () => {
  const holder = await open(database(), "r+");
  await lockFile(holder.fd, database());
  const run = await runUtl(["defrag", "--data-dir", dataDir, "--timeout", "150ms"]);
  assert.equal(run.status, 2);
  const [waiting, error] = run.err.split("\n");
  assert.match(waiting!, /\twaiting for the lock on the db file\t/);
  assert.match(
    error!,
    /^Error: Failed to defragment .* \(cannot lock .*: another process is using it\)$/,
  );
  await holder.close();
});

test("keys that come and go are counted as a set counts them", () => {
  const changes = fc.array(fc.tuple(fc.boolean(), fc.nat(300)), { maxLength: 1000 });
  fc.assert(
    fc.property(changes, (list) => {
      const count = new KeyCount();
      const model = new Set<number>();
      for (const [isLive, key] of list) {
        const bytes = Buffer.from(`key ${key}`);
        if (isLive) count.add(bytes);
        else count.delete(bytes);
        if (isLive) model.add(key);
        else model.delete(key);
      }
      assert.equal(count.live, model.size);
    }),
    { numRuns: 50 },
  );
});

test("the count of many keys is exact while its table grows", () => {
  const count = new KeyCount();
  for (let key = 0; key < 200_000; key++) count.add(Buffer.from(`/registry/${key}`));
  for (let key = 0; key < 200_000; key += 3) count.delete(Buffer.from(`/registry/${key}`));
  assert.equal(count.live, 133_333);
});
