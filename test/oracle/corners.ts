/** Single requests that chance would not make: each is an odd corner of the API, asked once. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Auth, Cluster, KV, Lease, Maintenance, type RequestOpSchema } from "../lib/api.ts";
import type { World } from "./world.ts";

type Op = MessageInitShape<typeof RequestOpSchema>;

const NONE = new Uint8Array(0);
const OPEN = Uint8Array.of(0);
const key = (text: string) => Buffer.from(text, "latin1");
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;
const MIN_INT64 = -MAX_INT64 - 1n;

/** A store in which nothing has happened has borders of its own. */
export async function emptyStore(world: World): Promise<void> {
  const { range, compact, txn, deleteRange } = KV.method;
  const { hashKV, hash } = Maintenance.method;
  for (const revision of [0n, 1n, 2n, -1n, MIN_INT64, MAX_INT64]) {
    await world.call(range, { key: key("a"), revision });
    await world.call(range, { key: OPEN, rangeEnd: OPEN, revision, countOnly: true });
    await world.call(hashKV, { revision });
    await world.stream(KV.method.rangeStream, { key: OPEN, rangeEnd: OPEN, revision });
  }
  await world.call(deleteRange, { key: OPEN, rangeEnd: OPEN, prevKv: true });
  await world.call(txn, {});
  await world.call(txn, {
    success: [{ request: { case: "requestRange", value: { key: OPEN, rangeEnd: OPEN } } }],
  });
  for (const revision of [-1n, MIN_INT64, 2n, MAX_INT64, 0n, 0n, 1n, 1n]) {
    await world.call(compact, { revision, physical: true });
    await world.call(range, { key: key("a"), revision: 0n });
    await world.call(range, { key: key("a"), revision: 1n });
    await world.call(hashKV, { revision: 0n });
  }
  world.model.compacted = 1;
  await world.call(hash, {});
}

/** What a wrong decoder or a rounded number would answer otherwise. */
export async function oddMessages(world: World): Promise<void> {
  const { range, put, txn } = KV.method;
  const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
  // Two cases of one union: the last counts. The same case twice: merged.
  await world.bytes(txn, bytes("120d 0a030a0161 12060a0161120178"));
  await world.bytes(txn, bytes("120a 12030a0161 1203120178"));
  // A union with nothing in it; one with an unknown member only.
  await world.bytes(txn, bytes("1200"));
  await world.bytes(txn, bytes("12020a00"));
  await world.bytes(txn, bytes("1203aa0100"));
  // A boolean of 2, of ten bytes, of 64 bits; an enum beyond 32 bits.
  await world.bytes(range, bytes("0a01613802"));
  await world.bytes(range, bytes("0a016138 80808080808080808001"));
  await world.bytes(range, bytes("0a016128 818080808080808002"));
  await world.bytes(range, bytes("0a016128 ffffffffffffffffff01"));
  await world.bytes(range, bytes("0a016130 8080808010"));
  // A varint of eleven bytes; the highest bit beyond 64.
  await world.bytes(range, bytes("0a016118 8080808080808080808001"));
  await world.bytes(range, bytes("0a016118 ffffffffffffffffff7f"));
  // Field number 0, and a field number beyond all.
  await world.bytes(range, bytes("0a01610001"));
  await world.bytes(range, bytes("0a0161 f8ffffffff0f01"));
  // Text that is no UTF-8, where text is asked for, and where bytes are.
  for (const method of [Auth.method.userGet, Auth.method.roleGet]) {
    await world.bytes(method as typeof Auth.method.userGet, bytes("0a01ff"));
    await world.bytes(method as typeof Auth.method.userGet, bytes("0a03edb080"));
  }
  await world.bytes(put, bytes("0a01ff1201ff"));
  await world.call(KV.method.deleteRange, { key: bytes("ff") });
  // Numbers next to one that JavaScript cannot tell apart.
  for (const revision of [2n ** 53n, 2n ** 53n + 1n, MAX_INT64, MIN_INT64]) {
    await world.call(range, { key: key("a"), revision });
    await world.call(range, { key: OPEN, rangeEnd: OPEN, minModRevision: revision });
    await world.call(range, { key: OPEN, rangeEnd: OPEN, maxModRevision: revision });
    await world.call(range, { key: OPEN, rangeEnd: OPEN, limit: revision });
    await world.call(Maintenance.method.hashKV, { revision });
  }
}

/** Leases at the borders of their ids and times. */
export async function oddLeases(world: World): Promise<void> {
  const { leaseGrant, leaseRevoke, leaseTimeToLive } = Lease.method;
  for (const ID of [-1n, MIN_INT64, 2n ** 53n, 2n ** 53n + 1n]) {
    await world.call(leaseGrant, { ID, TTL: 5_000n });
    await world.call(leaseGrant, { ID, TTL: 6_000n });
    await world.call(KV.method.put, { key: key(`lease ${ID}`), lease: ID });
    await world.call(leaseTimeToLive, { ID, keys: true });
  }
  for (const ID of [-1n, MIN_INT64, 2n ** 53n, 2n ** 53n + 1n]) {
    await world.call(leaseRevoke, { ID });
    await world.call(leaseRevoke, { ID });
    await world.call(leaseTimeToLive, { ID, keys: true });
  }
  for (const TTL of [9_000_000_000n, 9_000_000_001n, MIN_INT64, MAX_INT64, -1n, 0n]) {
    await world.call(leaseGrant, { ID: 99n, TTL });
    await world.call(leaseTimeToLive, { ID: 99n });
    await world.call(leaseRevoke, { ID: 99n });
  }
  await world.call(leaseRevoke, { ID: 0n });
  await world.call(leaseTimeToLive, { ID: 0n });
}

/** Transactions that read what they have just written, at several depths. */
export async function ownWrites(world: World): Promise<void> {
  const all = { key: key("own/"), rangeEnd: key("own0") };
  const op = (name: string, value: object): Op => ({ request: { case: name, value } }) as Op;
  const put = (name: string, more: object = {}) =>
    op("requestPut", { key: key(`own/${name}`), value: key(name), prevKv: true, ...more });
  const range = (more: object = {}) => op("requestRange", { ...all, ...more });
  const remove = (more: object = {}) => op("requestDeleteRange", { ...all, prevKv: true, ...more });
  const nested = (...success: Op[]) => op("requestTxn", { success });
  const send = (success: Op[]) => world.call(KV.method.txn, { success });
  await send([
    range(),
    put("a"),
    range(),
    put("b"),
    range({ sortOrder: 2 }),
    nested(range(), put("c")),
  ]);
  await send([
    put("d"),
    nested(nested(put("e"), range({ limit: 2n })), range({ countOnly: true })),
  ]);
  await send([remove({ key: key("own/b"), rangeEnd: NONE }), range(), remove(), range(), remove()]);
  await send([put("a", { ignoreValue: true, value: NONE })]);
  await send([put("a"), nested(put("b", { ignoreLease: true }))]);
  const revision = BigInt(world.model.revision);
  await send([put("x"), range({ revision }), range({ revision: revision + 1n })]);
  await send([put("x"), range({ revision }), range({ minModRevision: revision + 1n })]);
  await send([remove(), nested(remove(), range())]);
}

/** Calls of the other services with numbers that mean nothing. */
export async function oddAdmin(world: World): Promise<void> {
  const { memberRemove, memberPromote } = Cluster.method;
  if (world.serves(memberRemove)) await world.call(memberRemove, { ID: 0n });
  if (world.serves(memberPromote)) await world.call(memberPromote, { ID: 0n });
  await world.call(Maintenance.method.alarm, { action: 0, alarm: 9 as never });
  await world.call(Auth.method.userGet, { name: "" });
  await world.call(Auth.method.userGet, { name: "\u{10ffff}\u0000" });
  await world.call(Auth.method.roleGet, { role: "" });
}
