/**
 * quord and etcd on the same files: one directory handed back and forth, snapshots both ways, a
 * directory and a snapshot written by real etcd, and never two servers on one directory.
 *
 *   npm run files -- [--only REGEXP]
 */
import { parseArgs } from "node:util";
import { peer } from "../lib/binaries.ts";
import { freshDir } from "../lib/processes.ts";
import { handedBackAndForth } from "./handover.ts";
import { keepsOthersOut } from "./lock.ts";
import { etcdOpensShrunkFile } from "./shrunk.ts";
import { opensStoredDirectory, readsStoredSnapshot } from "./stored.ts";
import { snapshotToEtcd, snapshotToQuord } from "./snapshots.ts";
import { bothOpenBumped, etcdOpensMigrated } from "./utl.ts";

interface Check {
  readonly name: string;
  readonly needsEtcd: boolean;
  readonly run: (dir: string) => Promise<void>;
}

const CHECKS: readonly Check[] = [
  { name: "opens a directory that etcd left", needsEtcd: false, run: opensStoredDirectory },
  { name: "reads a snapshot that etcd saved", needsEtcd: false, run: readsStoredSnapshot },
  {
    name: "etcd, quord, etcd on one directory under load",
    needsEtcd: true,
    run: handedBackAndForth,
  },
  {
    name: "etcd opens a file that became small by itself",
    needsEtcd: true,
    run: etcdOpensShrunkFile,
  },
  { name: "quord's snapshot restored by etcdutl", needsEtcd: true, run: snapshotToEtcd },
  { name: "etcd's snapshot restored by quordutl", needsEtcd: true, run: snapshotToQuord },
  { name: "etcd opens what quordutl migrated", needsEtcd: true, run: etcdOpensMigrated },
  { name: "a revision that a restore moved on", needsEtcd: true, run: bothOpenBumped },
  {
    name: "a second quord ends within 2 s and names the directory",
    needsEtcd: false,
    run: (dir) => keepsOthersOut(dir, { first: "quord", second: "quord" }),
  },
  {
    name: "quord ends within 2 s where etcd runs",
    needsEtcd: true,
    run: (dir) => keepsOthersOut(dir, { first: "etcd", second: "quord" }),
  },
  {
    name: "etcd does not serve where quord runs",
    needsEtcd: true,
    run: (dir) => keepsOthersOut(dir, { first: "quord", second: "etcd" }),
  },
];

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
  const checks = CHECKS.filter(({ name }) => new RegExp(values.only).test(name));
  let failed = 0;
  let skipped = 0;
  for (const { name, needsEtcd, run } of checks) {
    if (needsEtcd && peer("etcd") === undefined) {
      skipped++;
      console.log(`skipped  ${name}: real etcd not found; run ../shared/interop/build.sh`);
      continue;
    }
    try {
      await run(freshDir());
      console.log(`ok       ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED   ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  console.log(`files: ${checks.length} checks, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
