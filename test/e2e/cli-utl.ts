/**
 * The same command lines for etcdutl and quordutl, each on files of its own: standard output,
 * standard error and exit code must be equal to the byte. Run by `npm run cli`.
 *
 *   node test/e2e/cli-utl.ts [REGEXP]
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, utlProgram } from "../lib/binaries.ts";
import { endWithUs, freshDir } from "../lib/processes.ts";
import type { Shown } from "./cli-side.ts";
import { UTL_SCENES, type UtlLine } from "./cli-utl-lines.ts";

const DATA = join(ROOT, "test/data/etcd-3.7.3");
const SHA256_BYTES = 32;
const TIMEOUT_MS = 20_000;

/** The files that the command lines speak of, the same for each of the programs. */
function makeFiles(): string {
  const dir = freshDir();
  const snapshot = readFileSync(join(DATA, "snapshot.db"));
  const put = (name: string, bytes: Uint8Array) => writeFileSync(join(dir, name), bytes);
  put("snapshot.db", snapshot);
  put("no-hash.db", snapshot.subarray(0, -SHA256_BYTES));
  put("bad-hash.db", Buffer.concat([snapshot.subarray(0, -1), Buffer.of(snapshot.at(-1)! ^ 1)]));
  put("cut.db", snapshot.subarray(0, snapshot.length / 2));
  put("garbage", Buffer.alloc(100_000, "garbage"));
  put("short", Buffer.alloc(10));
  put("empty", Buffer.alloc(0));
  mkdirSync(join(dir, "data"));
  execFileSync("tar", ["xzf", join(DATA, "data-dir.tar.gz"), "-C", join(dir, "data")]);
  for (const name of ["no-wal", "empty-wal", "empty-db", "bad-db", "locked"]) {
    cpSync(join(dir, "data"), join(dir, name), { recursive: true });
  }
  rmSync(join(dir, "no-wal/member/wal"), { recursive: true });
  rmSync(join(dir, "empty-wal/member/wal"), { recursive: true });
  mkdirSync(join(dir, "empty-wal/member/wal"));
  put("empty-db/member/snap/db", Buffer.alloc(0));
  put("bad-db/member/snap/db", Buffer.alloc(100_000, "garbage"));
  lock(join(dir, "locked/member/snap/db"));
  return dir;
}

/** Locks a file for as long as this process lives. */
function lock(path: string): void {
  const fd = openSync(path, "r+");
  spawnSync("flock", ["-x", "3"], { stdio: ["ignore", "ignore", "inherit", fd] });
}

async function run(program: string, dir: string, line: string): Promise<Shown> {
  const words = (line.match(/'[^']*'|\S+/g) ?? []).map((word) =>
    word.replaceAll("{dir}", dir).replace(/^'(.*)'$/s, "$1"),
  );
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  endWithUs(child);
  const shown = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8");
    child[stream].on("data", (chunk: string) => {
      shown[stream] += chunk;
    });
  }
  const timeout = setTimeout(() => child.kill("SIGTERM"), TIMEOUT_MS);
  const code = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("close", (status, signal) => resolve(`${status ?? signal}`));
  });
  clearTimeout(timeout);
  return { stdout: tidy(shown.stdout, dir), stderr: tidy(shown.stderr, dir), code };
}

/** Lines of the log that only etcdutl has: bbolt's, its tries to read a directory, stacks. */
const OWN_LINES = [
  /^\S+\t\w+\tbbolt\t.*\n/gm,
  /^\S+\twarn\twal\/wal\.go:\d+\tretrying WAL snapshot scan.*\n/gm,
  /^[\w./@*()-]+\n\t\S+:\d+\n/gm,
];
const SIZES = /("current-db-size[a-z-]*": |"totalSize":|"Size" : )("[^"]*"|-?\d+)|\d+ [kM]?B\b/g;

function tidy(text: string, dir: string): string {
  return OWN_LINES.reduce((rest, lines) => rest.replaceAll(lines, ""), text)
    .replaceAll(dir, "DIR")
    .replaceAll("quordutl", "etcdutl")
    .replaceAll(/^\d{4}-\d\d-\d\dT[\d:]+(Z|[+-][\d:]+)/gm, "DATE")
    .replaceAll(/"took": "[^"]*"/g, '"took": "TIME"');
}

const withoutSizes = ({ stdout, stderr, code }: Shown): Shown => ({
  stdout: stdout.replaceAll(SIZES, "$1N"),
  stderr: stderr.replaceAll(SIZES, "$1N"),
  code,
});

function areAlike(ours: Shown, theirs: Shown, { crash }: UtlLine): boolean {
  if (ours.stdout !== theirs.stdout) return false;
  if (crash === true) return ours.code !== "0" && theirs.code !== "0";
  return ours.stderr === theirs.stderr && ours.code === theirs.code;
}

function report(line: string, ours: Shown, theirs: Shown): void {
  console.log(`DIFFERENT  ${line}`);
  for (const field of ["stdout", "stderr", "code"] as const) {
    if (ours[field] === theirs[field]) continue;
    console.log(`  ${field}, quordutl: ${JSON.stringify(ours[field])}`);
    console.log(`  ${field}, etcdutl:  ${JSON.stringify(theirs[field])}`);
  }
}

/** Compares the two on every line that matches. */
export async function compareUtl(only: RegExp): Promise<{ compared: number; differing: number }> {
  let compared = 0;
  let differing = 0;
  for (const { lines, ownSizes } of UTL_SCENES) {
    const dirs = [makeFiles(), makeFiles()] as const;
    for (const entry of lines) {
      const line: UtlLine = typeof entry === "string" ? { line: entry } : entry;
      const shown = await Promise.all([
        run(utlProgram("quord"), dirs[0], line.line),
        run(utlProgram("etcd"), dirs[1], line.line),
      ]);
      if (!only.test(line.line)) continue;
      compared++;
      const [ours, theirs] = ownSizes ? shown.map(withoutSizes) : shown;
      if (areAlike(ours!, theirs!, line)) continue;
      differing++;
      report(line.line, ours!, theirs!);
    }
  }
  return { compared, differing };
}

if (import.meta.main) {
  const { compared, differing } = await compareUtl(new RegExp(process.argv[2] ?? ""));
  console.log(`cli-utl: ${compared} command lines, ${differing} differ`);
  process.exit(differing === 0 ? 0 : 1);
}
