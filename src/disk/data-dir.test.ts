import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DataDirError, dataDirPaths, prepareDataDir, removeUnfinished } from "./data-dir.ts";
import { LockError, lockFile } from "./lock.ts";

const root = mkdtempSync(join(tmpdir(), "data-dir-"));
after(() => rmSync(root, { recursive: true }));

const silent = () => {};

test("missing directories are made with their parents, for nobody else to read", async () => {
  const dataDir = join(root, "a", "b");
  const paths = await prepareDataDir({ dataDir, walDir: "", warn: assert.fail });
  assert.deepEqual(paths, {
    path: dataDir,
    snap: join(dataDir, "member", "snap"),
    wal: join(dataDir, "member", "wal"),
  });
  for (const path of [dataDir, paths.snap, paths.wal]) {
    assert.equal(statSync(path).mode & 0o777, 0o700);
  }
});

test("the log may have a directory of its own", () => {
  const { wal } = dataDirPaths({ dataDir: "/data", walDir: "/fast/wal" });
  assert.equal(wal, "/fast/wal");
});

test("a directory that others may look into is told of, and is left as it was", async () => {
  const dataDir = join(root, "open");
  mkdirSync(dataDir);
  chmodSync(dataDir, 0o755);
  const warnings: string[] = [];
  await prepareDataDir({ dataDir, walDir: "", warn: (text) => warnings.push(text) });
  assert.deepEqual(warnings, [
    `directory ${dataDir} has permission 0755: other users may reach the data; ` +
      "chmod 700 is recommended",
  ]);
  assert.deepEqual(readdirSync(dataDir), ["member"]);
});

test("a path through a file, or to one, is explained", async () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  for (const dataDir of [file, join(file, "data")]) {
    await assert.rejects(prepareDataDir({ dataDir, walDir: "", warn: silent }), (error) => {
      assert.ok(error instanceof DataDirError);
      assert.match(error.message, /^cannot access data directory .*file/);
      return error.message.includes(dataDir);
    });
  }
});

test("a directory that cannot be written is explained", async (t) => {
  if (process.getuid?.() === 0) return t.skip("root writes everywhere");
  const dataDir = join(root, "closed");
  mkdirSync(dataDir, { mode: 0o500 });
  await assert.rejects(prepareDataDir({ dataDir, walDir: "", warn: silent }), /EACCES/);
});

test("a read-only file system is explained", async (t) => {
  if (process.platform !== "linux") return t.skip("needs /sys");
  const options = { dataDir: "/sys/kernel/quord", walDir: "", warn: silent };
  await assert.rejects(prepareDataDir(options), DataDirError);
});

test("what a crash left unfinished is removed, and nothing else", async () => {
  const paths = await prepareDataDir({ dataDir: join(root, "crashed"), walDir: "", warn: silent });
  const kept = ["0000000000000001-0000000000000002.snap", "db"];
  for (const file of [...kept, "tmp123", "db.tmp.9"]) writeFileSync(join(paths.snap, file), "");
  await removeUnfinished(paths);
  assert.deepEqual(readdirSync(paths.snap).toSorted(), kept);
});

test("a locked file is refused at once, until the other lets go", async () => {
  const path = join(root, "db");
  const first = openSync(path, "w");
  const second = openSync(path, "r+");
  await lockFile(first, "/data");
  const start = performance.now();
  await assert.rejects(lockFile(second, "/data"), (error) => {
    assert.ok(error instanceof LockError);
    assert.equal(
      error.message,
      "cannot lock the data directory /data: another process is using it",
    );
    return true;
  });
  assert.ok(performance.now() - start < 2000);
  closeSync(first);
  await lockFile(second, "/data");
  closeSync(second);
});

test("the lock goes with the process that holds it", async () => {
  const path = join(root, "held");
  const script = `
    import { openSync } from "node:fs";
    import { lockFile } from ${JSON.stringify(new URL("./lock.ts", import.meta.url).href)};
    await lockFile(openSync(${JSON.stringify(path)}, "w"), "/data");
    console.log("locked");
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", script]);
  await once(holder.stdout, "data");
  const fd = openSync(path, "r+");
  await assert.rejects(lockFile(fd, "/data"), LockError);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  await lockFile(fd, "/data");
  closeSync(fd);
});

test("without the command flock it says what to install", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = root;
  const fd = openSync(join(root, "db"), "w");
  try {
    await assert.rejects(lockFile(fd, "/data"), /install util-linux/);
  } finally {
    process.env["PATH"] = path;
    closeSync(fd);
  }
});
