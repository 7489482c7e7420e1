/** Keys and values: reads in flight together, writes one after another, compactions, hashes. */
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  DeleteRangeRequestSchema,
  KV,
  Maintenance,
  PutRequestSchema,
  RangeRequestSchema,
  TxnRequestSchema,
} from "../lib/api.ts";
import type { Draw } from "./draw.ts";
import { mutate } from "./wire.ts";
import type { World } from "./world.ts";

/** Reads do not disturb one another, so this many are on their way at once. */
const READS_TOGETHER = 40;
/** A compaction of a store this small is over long before. */
const COMPACTION_MS = 250;

export async function put(world: World, draw: Draw): Promise<void> {
  await world.call(KV.method.put, draw.put());
}

export async function deleteRange(world: World, draw: Draw): Promise<void> {
  await world.call(KV.method.deleteRange, draw.deleteRange());
}

export async function txn(world: World, draw: Draw): Promise<void> {
  await world.call(KV.method.txn, draw.txn());
}

export async function ranges(world: World, draw: Draw): Promise<void> {
  const requests = Array.from({ length: READS_TOGETHER }, () => draw.range());
  await world.together(KV.method.range, requests);
}

/** A request in an encoding that no client would choose, or that is not quite one. */
export async function oddEncoding(world: World, draw: Draw): Promise<void> {
  const { put: Put, range: Range, deleteRange: DeleteRange, txn: Txn } = KV.method;
  const range = () => toBinary(RangeRequestSchema, create(RangeRequestSchema, draw.range()));
  const put = () => toBinary(PutRequestSchema, create(PutRequestSchema, draw.put()));
  const remove = () =>
    toBinary(DeleteRangeRequestSchema, create(DeleteRangeRequestSchema, draw.deleteRange()));
  const txn = () => toBinary(TxnRequestSchema, create(TxnRequestSchema, draw.txn()));
  /** One after the other, two messages are one: the later fields count. */
  const twice = (encode: () => Uint8Array) =>
    draw.percent(15) ? Buffer.concat([encode(), encode()]) : mutate(encode(), draw);
  await draw.pick([
    () => world.bytes(Range, twice(range)),
    () => world.bytes(Put, twice(put)),
    () => world.bytes(DeleteRange, twice(remove)),
    () => world.bytes(Txn, mutate(txn(), draw)),
    () => world.bytes(Txn, mutate(txn(), draw)),
  ])();
}

/** The same range as chunks, mostly without what a stream refuses. */
export async function rangeStream(world: World, draw: Draw): Promise<void> {
  const request = draw.range();
  if (draw.percent(80)) {
    Object.assign(request, { sortOrder: 0, sortTarget: 0 });
    Object.assign(request, { minModRevision: 0n, maxModRevision: 0n });
    Object.assign(request, { minCreateRevision: 0n, maxCreateRevision: 0n });
  }
  await world.stream(KV.method.rangeStream, request);
}

/** Whether the hash of the last compacted revision is kept depends on when the work was done. */
async function compactionDone(world: World): Promise<void> {
  const left = COMPACTION_MS - (performance.now() - world.model.compactingSince);
  if (left > 0) await sleep(left);
}

/** Compacts near the current revision, or where it is refused. The watches must be quiet before. */
export async function compact(world: World, draw: Draw): Promise<void> {
  const { revision, compacted } = world.model;
  const back = BigInt(world.model.compactable(Math.max(0, revision - draw.below(60))));
  const refused = draw.pick([BigInt(compacted), BigInt(revision + 1), -1n, 0n, draw.extreme()]);
  const physical = draw.percent(70);
  await compactionDone(world);
  const at = draw.percent(10) ? BigInt(world.model.compactable(revision)) : back;
  const request = { revision: draw.percent(80) ? at : refused, physical };
  const { code } = await world.call(KV.method.compact, request);
  if (code !== 0) return;
  world.model.compacted = Number(request.revision);
  if (!physical) world.model.compactingSince = performance.now();
}

/** The hash over all revisions, at a random one. */
export async function hashKv(world: World, draw: Draw): Promise<void> {
  await compactionDone(world);
  await world.call(Maintenance.method.hashKV, { revision: draw.revision() });
}

/** The hash over all buckets: leases, members, users, versions. Both must hold the same leases. */
export async function hashAll(world: World): Promise<void> {
  await compactionDone(world);
  await world.call(Maintenance.method.hash, {});
}

/** The hashes that prove both stores equal as of now. */
export async function checkpoint(world: World): Promise<void> {
  await compactionDone(world);
  const { revision, compacted } = world.model;
  for (const at of [0, revision, Math.max(compacted, revision - 10), compacted]) {
    await world.call(Maintenance.method.hashKV, { revision: BigInt(Math.max(0, at)) });
  }
  const everything = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
  await world.call(KV.method.range, everything);
  await world.stream(KV.method.rangeStream, everything);
}
