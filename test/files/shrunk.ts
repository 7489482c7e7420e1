/** A page file that became small by itself, and was killed on the way: etcd must be able to use it. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KV, Maintenance } from "../lib/api.ts";
import { needPeer } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { freePort, run, startMember } from "../lib/processes.ts";

const MIB = 1024 * 1024;
const KEYS = 1200;
const VALUE = Buffer.alloc(50_000, "v");
/** Reached when all is committed, while pages still move down, and when there is no more to gain. */
const LARGE_BYTES = 60 * MIB;
const KILLED_AT_BYTES = 55 * MIB;
const SMALL_BYTES = 45 * MIB;
const COMMITS_TIMEOUT_MS = 60_000;

const keyOf = (number: number) => Buffer.from(`shrunk/${String(number).padStart(6, "0")}`);

async function fill(client: Client): Promise<void> {
  for (let first = 0; first < KEYS; first += 20) {
    const puts = Array.from({ length: 20 }, (_, i) =>
      client.call(KV.method.put, { key: keyOf(first + i), value: VALUE }),
    );
    await Promise.all(puts);
  }
}

/** Nine keys of ten go, here and there, and then their history. */
async function empty(client: Client): Promise<void> {
  let revision = 0n;
  for (let number = 0; number < KEYS; number++) {
    if (number % 10 === 0) continue;
    const { header } = await client.call(KV.method.deleteRange, { key: keyOf(number) });
    revision = header!.revision;
  }
  await client.call(KV.method.compact, { revision, physical: true });
}

async function until(fileBytes: () => number, isIt: (bytes: number) => boolean): Promise<void> {
  const deadline = performance.now() + COMMITS_TIMEOUT_MS;
  while (!isIt(fileBytes())) {
    assert.ok(performance.now() < deadline, `the file still has ${fileBytes()} bytes`);
    await sleep(5);
  }
}

async function contents(client: Client): Promise<unknown> {
  const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), keysOnly: true };
  const { kvs } = await client.call(KV.method.range, all);
  const { hash, hashRevision } = await client.call(Maintenance.method.hashKV, {});
  return { hash, hashRevision, keys: kvs.map(({ key }) => Buffer.from(key).toString()) };
}

async function checkPages(path: string): Promise<void> {
  const { code, stdout, stderr } = await run(needPeer("bbolt"), ["check", path]);
  assert.equal(code, 0, `bbolt check: ${stdout}${stderr}`);
}

export async function etcdOpensShrunkFile(parent: string): Promise<void> {
  const dir = join(parent, "data");
  const path = join(dir, "member", "snap", "db");
  const ports = { client: await freePort(), peer: await freePort() };
  const fileBytes = () => statSync(path).size;
  let member = await startMember("quord", { dir, ports });
  let client = new Client(member.endpoint);
  await fill(client);
  await until(fileBytes, (bytes) => bytes > LARGE_BYTES);
  await empty(client);
  const before = await contents(client);
  await until(fileBytes, (bytes) => bytes <= KILLED_AT_BYTES);
  client.close();
  await member.kill();
  await checkPages(path);

  member = await startMember("quord", { dir, ports });
  await until(fileBytes, (bytes) => bytes <= SMALL_BYTES);
  await member.stop();
  await checkPages(path);

  member = await startMember("etcd", { dir, ports });
  client = new Client(member.endpoint);
  assert.deepEqual(await contents(client), before);
  await client.call(KV.method.put, { key: keyOf(1), value: VALUE });
  client.close();
  await member.stop();
  await checkPages(path);
}
