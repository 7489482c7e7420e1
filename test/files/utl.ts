/** Directories that quordutl has changed, and a real etcd that opens them afterwards. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { KV, Maintenance } from "../lib/api.ts";
import { type Kind, ROOT, utlProgram } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { freePort, run, startMember } from "../lib/processes.ts";

const STORED = join(ROOT, "test", "data", "etcd-3.7.3");
/** Where the member that wrote the directory lived. */
const WRITER = { client: 14_379, peer: 14_380 };

async function utl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(utlProgram("quord"), args);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function statusAndHash(kind: Kind, options: Parameters<typeof startMember>[1]) {
  const member = await startMember(kind, options);
  const client = new Client(member.endpoint);
  const { header } = await client.call(Maintenance.method.status, {});
  const { hash, compactRevision } = await client.call(Maintenance.method.hashKV, {});
  const { count } = await client.call(KV.method.range, {
    key: Uint8Array.of(0),
    rangeEnd: Uint8Array.of(0),
    countOnly: true,
  });
  client.close();
  await member.stop();
  return { revision: header!.revision, hash, compactRevision, count };
}

/** Down to 3.5 and defragmented; etcd opens it, and finds everything. */
export async function etcdOpensMigrated(dir: string): Promise<void> {
  const untar = await run("tar", ["-xzf", join(STORED, "data-dir.tar.gz"), "-C", dir]);
  assert.equal(untar.code, 0, untar.stderr);
  const database = join(dir, "member/snap/db");
  const before = JSON.parse(await utl("hashkv", database, "-w", "json"));
  await utl("migrate", "--data-dir", dir, "--target-version", "3.5");
  await utl("defrag", "--data-dir", dir);
  const found = await statusAndHash("etcd", { dir, name: "m1", advertised: WRITER });
  assert.equal(found.hash, before.hash);
  assert.equal(found.count, 914n);
}

/** Restored with a revision moved on: both kinds start there, and agree on all of it. */
export async function bothOpenBumped(dir: string): Promise<void> {
  const results: unknown[] = [];
  for (const kind of ["etcd", "quord"] as const) {
    const data = join(dir, kind);
    const ports = { client: await freePort(), peer: await freePort() };
    const url = `http://127.0.0.1:${ports.peer}`;
    const cluster = ["--name", "m", "--initial-cluster", `m=${url}`];
    const bump = ["--bump-revision", "1000", "--mark-compacted"];
    const target = ["--data-dir", data, "--initial-advertise-peer-urls", url];
    await utl("snapshot", "restore", join(STORED, "snapshot.db"), ...target, ...cluster, ...bump);
    results.push(await statusAndHash(kind, { dir: data, ports }));
  }
  assert.deepEqual(results[0], results[1]);
  assert.deepEqual((results[0] as { revision: bigint }).revision, 1145n);
}
