/** Comparisons that need servers of their own, started with flags of their own. */
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  DeleteRangeRequestSchema,
  KV,
  Lease,
  Maintenance,
  PutRequestSchema,
  RangeRequestSchema,
} from "../lib/api.ts";
import { pathOf } from "../lib/grpc.ts";
import { armedStep, disarm } from "./alarms.ts";
import { tidy } from "./gateway.ts";
import { coordination } from "./coordination.ts";
import * as kv from "./kv.ts";
import type { Session } from "./session.ts";
import type { Side } from "./side.ts";
import { Difference } from "./world.ts";

export interface Scene {
  readonly flags: readonly string[];
  /** Left out when no scene is asked for by name. */
  readonly isLong: boolean;
  /** Left out where each side is a cluster. */
  readonly isForOne?: boolean;
  readonly run: (session: Session) => Promise<void>;
}

const MIB = 1024 * 1024;
const QUOTA_BYTES = 16 * MIB;
/** A request so large that it can never fit under the quota, whatever else the file holds. */
const TRIP_BYTES = 17 * MIB;
const FILL_BYTES = 256 * 1024;
const PADS = 128;
const PERIODIC_SECONDS = 2;
const PERIODIC_WITHIN_MS = 15_000;
const RETENTION = 100;
const REVISION_INTERVAL_MS = 5 * 60_000;
const COMMIT_MS = 300;

const HOSTS = [
  "good.example",
  "good.example:2379",
  "127.0.0.1",
  "127.0.0.1:1",
  "bad.example",
].concat("localhost", "GOOD.example", "good.example.", "[::1]:2379", "a.good.example", "");
const ORIGINS = ["http://a.example:80", "https://b.example:8443", "http://a.example", "null", "*"];

const text = (value: string) => Buffer.from(value);
const FILL = text("fill");
const PAD = text("pad/");
const PAD_END = text("pad0");
const padKey = (pad: number) => text(`pad/${pad}`);

export const SCENES: Readonly<Record<string, Scene>> = {
  quota: {
    flags: ["--quota-backend-bytes", `${QUOTA_BYTES}`, "--max-request-bytes", `${32 * MIB}`],
    isLong: false,
    // Members come to the limit one after the other.
    isForOne: true,
    run: quota,
  },
  periodic: {
    flags: ["--auto-compaction-retention", `${PERIODIC_SECONDS}s`],
    isLong: false,
    run: periodic,
  },
  access: {
    flags: ["--host-whitelist", "good.example,127.0.0.1", "--cors", ORIGINS.slice(0, 2).join(",")],
    isLong: false,
    // A text that names the address of the server.
    isForOne: true,
    run: access,
  },
  coordination: { flags: [], isLong: false, run: coordination },
  revision: {
    flags: ["--auto-compaction-mode", "revision", "--auto-compaction-retention", `${RETENTION}`],
    isLong: true,
    run: revisions,
  },
};

/** Over the quota at the very same request, and then by filling the file, which no two fill alike. */
async function quota(session: Session): Promise<void> {
  await armed(session, () => tripByPut(session));
  await armed(session, () => tripByTxn(session));
  await session.restart();
  await fill(session);
}

/** Random requests while the alarm stands, also over a restart, and after it was taken back. */
async function armed(session: Session, trip: () => Promise<void>): Promise<void> {
  const { world, draw, settle } = session;
  await random(session, 60);
  await trip();
  await random(session, 60);
  await session.restart();
  await random(session, 60);
  await world.call(KV.method.txn, draw.leaseTxn());
  await disarm(world);
  await random(session, 60);
  await settle();
  await kv.checkpoint(world);
}

async function random({ world, draw, settle }: Session, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await armedStep(world, draw, settle);
}

async function tripByPut({ world }: Session): Promise<void> {
  const value = new Uint8Array(TRIP_BYTES);
  await world.call(KV.method.put, { key: FILL, value });
  await world.call(Maintenance.method.alarm, {});
  await world.call(KV.method.put, { key: FILL, value });
}

/** The larger of the two branches counts, whichever would run; what is nested counts, too. */
async function tripByTxn({ world }: Session): Promise<void> {
  const put = {
    case: "requestPut" as const,
    value: { key: FILL, value: new Uint8Array(TRIP_BYTES) },
  };
  const nested = { case: "requestTxn" as const, value: { failure: [{ request: put }] } };
  await world.call(KV.method.txn, { failure: [{ request: nested }] });
  await world.call(Maintenance.method.alarm, {});
}

/**
 * Puts to one side alone until it says no; how many those are depends on the page file. Returns its
 * revision then: the put that is refused last may have been carried out all the same.
 */
async function fillOne(side: Side): Promise<number> {
  const value = new Uint8Array(FILL_BYTES).fill(0x66);
  const request = toBinary(PutRequestSchema, create(PutRequestSchema, { key: FILL, value }));
  for (let puts = 0; ; puts++) {
    const { code } = await side.fast.unary(pathOf(KV.method.put), request);
    if (code !== 0) break;
    // The size of the file is that of the last commit.
    if (puts % 8 === 7) await sleep(COMMIT_MS);
    if (puts > 20 * (QUOTA_BYTES / FILL_BYTES)) throw new Difference(`${side.kind}: no quota`);
  }
  const { header } = await side.client.call(KV.method.range, { key: FILL, countOnly: true });
  return Number(header!.revision);
}

/**
 * Both are over their quota after a different number of puts. Deletes bring the revisions together
 * again, a compaction makes the histories equal, and then space is made.
 */
async function fill(session: Session): Promise<void> {
  const { world } = session;
  for (let pad = 0; pad < PADS; pad++) {
    await world.call(KV.method.put, { key: padKey(pad) });
  }
  await session.settle();
  session.close();
  const [a, b] = await Promise.all([fillOne(world.sides[0]), fillOne(world.sides[1])]);
  await evenOut(session, a, b);
  await world.call(KV.method.put, { key: FILL });
  await world.call(Lease.method.leaseGrant, { ID: 1_234n, TTL: 1_000n });
  await world.call(Maintenance.method.alarm, {});
  await world.call(KV.method.deleteRange, { key: FILL });
  for (const side of world.sides) await remove(side, PAD, PAD_END);
  await world.call(KV.method.range, { key: FILL });
  await compactAll(session);
  if (world.serves(Maintenance.method.defragment)) {
    await world.call(Maintenance.method.defragment, {});
  }
  await sleep(2 * COMMIT_MS);
  await session.restart();
  await world.call(KV.method.put, { key: FILL });
  await disarm(world);
  await world.call(KV.method.put, { key: FILL });
  // The hash of the first compaction was over histories that differ.
  await compactAll(session);
  await random(session, 60);
  await session.thorough();
}

async function compactAll({ world }: Session): Promise<void> {
  const revision = BigInt(world.model.revision);
  await world.call(KV.method.compact, { revision, physical: true });
  world.model.compacted = Number(revision);
}

/** Deletes as many small keys from the side that is behind. */
async function evenOut({ world }: Session, a: number, b: number): Promise<void> {
  if (Math.abs(a - b) >= PADS) {
    throw new Difference(`full at revisions ${a} and ${b}: too far apart to go on`);
  }
  const behind = world.sides[a < b ? 0 : 1];
  for (let pad = 0; pad < Math.abs(a - b); pad++) await remove(behind, padKey(pad));
}

/** A delete on one side, of which the other is told nothing. */
async function remove(side: Side, key: Uint8Array, rangeEnd = new Uint8Array(0)): Promise<void> {
  const init = create(DeleteRangeRequestSchema, { key, rangeEnd });
  const request = toBinary(DeleteRangeRequestSchema, init);
  await side.fast.unary(pathOf(KV.method.deleteRange), request);
}

/** What has happened is compacted soon after it is the age of the retention, and nothing else. */
async function periodic(session: Session): Promise<void> {
  const { world, draw } = session;
  // Both make their first compaction while there is nothing but revision 1.
  await sleep(2 * PERIODIC_SECONDS * 1000);
  for (let burst = 0; burst < 3; burst++) {
    for (let writes = 0; writes < 40; writes++) {
      await kv.put(world, draw);
      if (draw.percent(30)) await kv.deleteRange(world, draw);
    }
    // Single writes once all is quiet: what came before may have been compacted in one go or in
    // two, and the hash that a compaction stores is over all that it has looked at.
    for (const write of [1, 2, 3]) {
      await world.call(KV.method.put, { key: FILL, value: text(`${write}`) });
      await compactedTo(world.sides, world.model.revision, PERIODIC_WITHIN_MS);
    }
    world.model.compacted = world.model.revision;
    await sleep(COMMIT_MS);
    // How many compactions came since, and so whether the hash of the first is still remembered,
    // is chance from the second burst on.
    if (burst === 0) await world.call(Maintenance.method.hashKV, { revision: 1n });
    await aroundCompaction(session);
  }
}

/** Which hosts may be asked for and which origins are let in: pages and the gateway alike. */
async function access({ world, draw }: Session): Promise<void> {
  for (const host of HOSTS) {
    for (const origin of ["", ...ORIGINS]) {
      const method = draw.pick(["GET", "POST", "OPTIONS"]);
      const path = draw.pick(["/version", "/health", "/v3/kv/range", "/nothing", "/metrics"]);
      const fields = origin === "" ? { host } : { host, origin };
      const [a, b] = await world.http(method, path, { fields, body: () => "{}" });
      if (path !== "/metrics") world.same(`${method} ${path}`, fields, tidy(a.body), tidy(b.body));
    }
  }
}

/** Every five minutes all but the newest revisions go. */
async function revisions(session: Session): Promise<void> {
  const { world, draw } = session;
  for (let writes = 0; writes < 3 * RETENTION; writes++) await kv.put(world, draw);
  await world.call(KV.method.put, { key: FILL });
  const compacted = world.model.revision - RETENTION;
  await compactedTo(world.sides, compacted, REVISION_INTERVAL_MS + 20_000);
  world.model.compacted = compacted;
  await sleep(COMMIT_MS);
  await world.call(Maintenance.method.hashKV, { revision: 1n });
  await aroundCompaction(session);
}

/** Waits until both answer that a revision's predecessor is compacted. */
async function compactedTo(sides: readonly Side[], revision: number, withinMs: number) {
  const OUT_OF_RANGE = 11;
  const before = create(RangeRequestSchema, { key: FILL, revision: BigInt(revision - 1) });
  const request = toBinary(RangeRequestSchema, before);
  const deadline = performance.now() + withinMs;
  for (const side of sides) {
    while ((await side.fast.unary(pathOf(KV.method.range), request)).code !== OUT_OF_RANGE) {
      if (performance.now() > deadline) {
        throw new Difference(`${side.kind}: not compacted to ${revision} within ${withinMs} ms`);
      }
      await sleep(100);
    }
  }
}

/** Reads on both sides of the border, watches from before it, and the hashes. */
async function aroundCompaction(session: Session): Promise<void> {
  const { world, draw } = session;
  const { compacted } = world.model;
  for (const revision of [compacted - 1, compacted, compacted + 1]) {
    await world.call(KV.method.range, { key: FILL, revision: BigInt(revision) });
    await world.call(Maintenance.method.hashKV, { revision: BigInt(revision) });
  }
  await world.call(KV.method.range, { key: FILL, revision: 1n });
  await world.call(KV.method.compact, { revision: BigInt(compacted) });
  for (let creations = 0; creations < 6; creations++) await session.watches.step(draw);
  await session.settle();
  await kv.checkpoint(world);
}
