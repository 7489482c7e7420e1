/** Snapshots that one kind saves and the other restores. */
import { fromBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../src/base/index.ts";
import { Load } from "../crash/load.ts";
import { KV, Maintenance, SnapshotResponseSchema } from "../lib/api.ts";
import { utlProgram, type Kind } from "../lib/binaries.ts";
import { Client, pathOf } from "../lib/grpc.ts";
import { freePort, run, startMember } from "../lib/processes.ts";

const LOAD_MS = 2_000;

export const snapshotToEtcd = (dir: string) => handOver(dir, { from: "quord", to: "etcd" });
export const snapshotToQuord = (dir: string) => handOver(dir, { from: "etcd", to: "quord" });

/** Saves a snapshot as the stream gives it, the checksum at its end included. */
async function save(client: Client, file: string): Promise<void> {
  const path = pathOf(Maintenance.method.snapshot);
  const { code, text, messages } = await client.collect(path, new Uint8Array(0));
  assert.equal(code, 0, text);
  const parts = messages.map((bytes) => fromBinary(SnapshotResponseSchema, bytes));
  const version = parts.find((part) => part.version !== "")?.version;
  assert(version?.startsWith("3."), `the stream says storage version ${version}`);
  writeFileSync(file, Buffer.concat(parts.map(({ blob }) => blob)));
}

async function contents(client: Client): Promise<unknown> {
  const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
  const { kvs } = await client.call(KV.method.range, all);
  const { hash, hashRevision } = await client.call(Maintenance.method.hashKV, {});
  return { hash, hashRevision, kvs };
}

async function handOver(dir: string, kinds: { from: Kind; to: Kind }): Promise<void> {
  const file = join(dir, "snapshot.db");
  const source = await startMember(kinds.from);
  const client = new Client(source.endpoint);
  const load = new Load({ client, prng: new Prng(1), writes: [], round: 0 });
  const running = load.run();
  await sleep(LOAD_MS);
  load.stop();
  await running;
  await client.call(KV.method.compact, { revision: 100n, physical: true });
  const before = await contents(client);
  await save(client, file);
  client.close();
  await source.stop();
  await sameStatus(file);
  assert.deepEqual(await restored(dir, file, kinds.to), before);
}

/** Both tools read the same facts from one file. */
async function sameStatus(file: string): Promise<void> {
  for (const form of ["json", "simple", "table", "fields"]) {
    const args = ["snapshot", "status", file, "-w", form];
    const ours = await run(utlProgram("quord"), args);
    const theirs = await run(utlProgram("etcd"), args);
    assert.deepEqual(ours, theirs, `snapshot status -w ${form}`);
  }
}

/** What a server answers on the directory that its own kind's tool made of a snapshot. */
async function restored(dir: string, file: string, kind: Kind): Promise<unknown> {
  const data = join(dir, "restored");
  const ports = { client: await freePort(), peer: await freePort() };
  const url = `http://127.0.0.1:${ports.peer}`;
  const flags = ["--name", "m", "--initial-cluster", `m=${url}`];
  const args = ["snapshot", "restore", file, "--data-dir", data, ...flags];
  const restore = await run(utlProgram(kind), [...args, "--initial-advertise-peer-urls", url]);
  assert.equal(restore.code, 0, restore.stderr);
  const member = await startMember(kind, { dir: data, ports });
  const client = new Client(member.endpoint);
  const after = await contents(client);
  client.close();
  await member.stop();
  return after;
}
