/** Files that a real etcd 3.7.3 wrote once, and what it answered just before it stopped. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Auth, Cluster, KV, Lease, Maintenance, type RangeRequestSchema } from "../lib/api.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ROOT, utlProgram } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { run, startMember, type Member } from "../lib/processes.ts";

const STORED = join(ROOT, "test", "data", "etcd-3.7.3");
/** Where the member that wrote the directory lived. */
const WRITER = { client: 14_379, peer: 14_380 };

type Json = { readonly [field: string]: any };

/** The expectations; numbers stay text, for ids do not fit into a number. */
function expected(): Json {
  const text = readFileSync(join(STORED, "expect.json"), "utf8");
  type Context = { readonly source?: string };
  const keepDigits = (_: string, value: unknown, context?: Context) =>
    typeof value === "number" ? context!.source! : value;
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) as Json;
}

const prefix = (key: string) => ({
  key: Buffer.from(key),
  rangeEnd: Buffer.from(`${key}\xff`, "latin1"),
});

/** The keys of an answer, written as in the expectations. */
async function keys(client: Client, request: MessageInitShape<typeof RangeRequestSchema>) {
  const { kvs } = await client.call(KV.method.range, request);
  return kvs.map((kv) => {
    const { createRevision, modRevision, version, lease } = kv;
    const fields: { [field: string]: string } = {
      key: Buffer.from(kv.key).toString("base64"),
      create_revision: `${createRevision}`,
      mod_revision: `${modRevision}`,
      version: `${version}`,
      value: Buffer.from(kv.value).toString("base64"),
    };
    if (lease !== 0n) fields["lease"] = `${lease}`;
    return fields;
  });
}

export async function opensStoredDirectory(dir: string): Promise<void> {
  const archive = join(STORED, "data-dir.tar.gz");
  const untar = await run("tar", ["-xzf", archive, "-C", dir]);
  assert.equal(untar.code, 0, untar.stderr);
  const roots = (await run("tar", ["-tzf", archive])).stdout.split("\n");
  const member = await startMember("quord", {
    dir: join(dir, roots[0]!.split("/")[0]!),
    name: "m1",
    advertised: WRITER,
  });
  await checkAnswers(member, expected());
  await member.stop();
}

async function checkAnswers(member: Member, expect: Json): Promise<void> {
  const client = new Client(member.endpoint);
  const status = await client.call(Maintenance.method.status, {});
  const wanted = expect["endpoint status"];
  assert.equal(`${status.header!.clusterId}`, wanted.header.cluster_id);
  assert.equal(`${status.header!.memberId}`, wanted.header.member_id);
  assert.equal(`${status.header!.revision}`, wanted.header.revision);
  assert.equal(status.storageVersion, wanted.storageVersion);

  const hash = await client.call(Maintenance.method.hashKV, {});
  assert.equal(`${hash.hash}`, expect["hashkv"].hash);
  assert.equal(`${hash.compactRevision}`, expect["hashkv"].compact_revision);
  assert.equal(`${hash.hashRevision}`, expect["hashkv"].hash_revision);

  const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), countOnly: true };
  const { count } = await client.call(KV.method.range, all);
  assert.equal(`${count}`, expect["count"]);
  const one = { key: Buffer.from("/k/0001") };
  assert.deepEqual(await keys(client, one), expect["get /k/0001"].kvs);
  const past = { ...one, revision: 21n };
  assert.deepEqual(await keys(client, past), expect["get /k/0001 --rev 21"].kvs);
  assert.deepEqual(await keys(client, prefix("/svc")), expect["get /svc --prefix"].kvs);

  const { members } = await client.call(Cluster.method.memberList, {});
  const written = members.map(({ ID, name, peerURLs, clientURLs }) => {
    return { ID: `${ID}`, name, peerURLs, clientURLs };
  });
  assert.deepEqual(written, expect["members"].members);
  const { leases } = await client.call(Lease.method.leaseLeases, {});
  const ids = leases.map(({ ID }) => ({ id: `${ID}` }));
  assert.deepEqual(ids, expect["lease list"].leases);
  await checkUsers(client, expect);
  client.close();
}

async function checkUsers(client: Client, expect: Json): Promise<void> {
  const { users } = await client.call(Auth.method.userList, {});
  assert.deepEqual(users, expect["user list"].users);
  const { roles } = await client.call(Auth.method.userGet, { name: "alice" });
  assert.deepEqual(roles, expect["user get alice"].roles);
  const { perm } = await client.call(Auth.method.roleGet, { role: "app" });
  const permissions = perm.map(({ permType, key, rangeEnd }) => ({
    permType: `${permType}`,
    key: Buffer.from(key).toString("base64"),
    range_end: Buffer.from(rangeEnd).toString("base64"),
  }));
  assert.deepEqual(permissions, expect["role get app"].perm);
}

export async function readsStoredSnapshot(dir: string): Promise<void> {
  const snapshot = join(STORED, "snapshot.db");
  const status = await run(utlProgram("quord"), ["snapshot", "status", snapshot, "-w", "json"]);
  assert.equal(status.code, 0, status.stderr);
  const wanted = expected()["snapshot status"];
  const found = JSON.parse(status.stdout) as Json;
  for (const field of ["hash", "revision", "totalKey", "totalSize", "version"]) {
    assert.equal(`${found[field]}`, wanted[field], `snapshot status, ${field}`);
  }
  const restored = join(dir, "data");
  const args = ["snapshot", "restore", snapshot, "--data-dir", restored];
  const restore = await run(utlProgram("quord"), args);
  assert.equal(restore.code, 0, restore.stderr);
  const member = await startMember("quord", { dir: restored });
  const client = new Client(member.endpoint);
  const hash = await client.call(Maintenance.method.hashKV, {});
  assert.equal(`${hash.hash}`, expected()["hashkv"].hash);
  client.close();
  await member.stop();
}
