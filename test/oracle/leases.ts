/** Leases: ids of our own and of the servers', all calls, and one that runs out. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import {
  KV,
  Lease,
  LeaseGrantRequestSchema,
  LeaseGrantResponseSchema,
  LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
} from "../lib/api.ts";
import { pathOf, type Duplex } from "../lib/grpc.ts";
import type { Draw } from "./draw.ts";
import { plain } from "./plain.ts";
import { Difference, type World } from "./world.ts";

/** Long enough that no lease runs out while the comparison runs. */
const LASTING_TTLS = [3_600n, 100_000n, 9_000_000_000n];
const ODD_TTLS = [0n, 1n, -1n, 9_000_000_001n, 0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n];
const ANSWER_TIMEOUT_MS = 10_000;

export async function leaseStep(world: World, draw: Draw): Promise<void> {
  const step = draw.weighted<(world: World, draw: Draw) => Promise<void>>([
    [30, grant],
    [6, grantOdd],
    [8, grantServerChosen],
    [18, revoke],
    [24, timeToLive],
    [14, list],
    [6, move],
  ]);
  await step(world, draw);
}

async function grant(world: World, draw: Draw): Promise<void> {
  const ID = draw.lease();
  const { code } = await world.call(Lease.method.leaseGrant, { ID, TTL: draw.pick(LASTING_TTLS) });
  if (code === 0) world.model.leases.add(ID);
}

/** Times to live at the borders. What is granted for seconds is given back at once. */
async function grantOdd(world: World, draw: Draw): Promise<void> {
  const ID = BigInt(100 + draw.below(5));
  const { code } = await world.call(Lease.method.leaseGrant, { ID, TTL: draw.pick(ODD_TTLS) });
  if (code === 0) await world.call(Lease.method.leaseRevoke, { ID });
}

/** The servers choose different ids; requests go on with a stand-in. No key is attached to these. */
async function grantServerChosen(world: World, draw: Draw): Promise<void> {
  const standIn = world.model.newStandIn();
  const request = create(LeaseGrantRequestSchema, { TTL: draw.pick(LASTING_TTLS) });
  world.requests++;
  let isGranted = false;
  const answers = await Promise.all(
    world.sides.map(async (side) => {
      const bytes = toBinary(LeaseGrantRequestSchema, request);
      const answer = await side.fast.unary(pathOf(Lease.method.leaseGrant), bytes);
      const message = fromBinary(LeaseGrantResponseSchema, answer.body);
      isGranted = message.ID !== 0n;
      if (isGranted) side.learnLease(standIn, message.ID);
      return plain({ ...answer, body: { ...message, ID: side.comparedLease(message.ID) } });
    }),
  );
  world.same("grant of a lease without id", plain(request), answers[0]!, answers[1]!);
  if (isGranted) world.model.serverLeases.add(standIn);
}

function anyLease(world: World, draw: Draw): bigint {
  const { leases, serverLeases } = world.model;
  const alive = [...leases, ...serverLeases];
  return alive.length === 0 || draw.percent(20) ? draw.lease() : draw.pick(alive);
}

async function revoke(world: World, draw: Draw): Promise<void> {
  const ID = anyLease(world, draw);
  const { code } = await world.call(Lease.method.leaseRevoke, { ID });
  if (code !== 0) return;
  world.model.leases.delete(ID);
  world.model.serverLeases.delete(ID);
}

/** Keys of a lease, after a transaction that moved some between leases. */
async function move(world: World, draw: Draw): Promise<void> {
  await world.call(KV.method.txn, draw.leaseTxn());
  await allKeys(world);
}

/** What hangs on each lease. */
export async function allKeys(world: World): Promise<void> {
  for (const ID of world.model.leases) {
    await world.call(Lease.method.leaseTimeToLive, { ID, keys: true });
  }
}

/** Leaves only leases whose ids both servers share. */
export async function revokeServerChosen(world: World): Promise<void> {
  for (const ID of world.model.serverLeases) await world.call(Lease.method.leaseRevoke, { ID });
  world.model.serverLeases.clear();
}

async function timeToLive(world: World, draw: Draw): Promise<void> {
  const request = { ID: anyLease(world, draw), keys: draw.percent(60) };
  await world.call(Lease.method.leaseTimeToLive, request);
}

async function list(world: World): Promise<void> {
  await world.call(Lease.method.leaseLeases, {});
}

/** The stream that keeps leases alive: one answer for each request, in order. */
export class KeepAlives {
  readonly #world: World;
  readonly #streams: { send: (id: bigint) => void; next: () => Promise<unknown>; duplex: Duplex }[];

  constructor(world: World) {
    this.#world = world;
    this.#streams = world.sides.map((side) => {
      const arrived: unknown[] = [];
      let wake: (() => void) | undefined;
      const duplex = side.client.duplex(pathOf(Lease.method.leaseKeepAlive), (bytes) => {
        const answer = fromBinary(LeaseKeepAliveResponseSchema, bytes);
        arrived.push({ ...answer, ID: side.comparedLease(answer.ID) });
        wake?.();
      });
      const send = (id: bigint) => {
        const request = create(LeaseKeepAliveRequestSchema, { ID: side.realLease(id) });
        duplex.send(toBinary(LeaseKeepAliveRequestSchema, request));
      };
      const next = async () => {
        const timer = setTimeout(() => wake?.(), ANSWER_TIMEOUT_MS);
        if (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        clearTimeout(timer);
        if (arrived.length === 0) throw new Difference(`${side.kind}: no answer to a keep-alive`);
        return arrived.shift();
      };
      return { send, next, duplex };
    });
  }

  async step(draw: Draw): Promise<void> {
    const ids = Array.from({ length: 1 + draw.below(4) }, () => anyLease(this.#world, draw));
    for (const id of ids) {
      this.#world.requests++;
      for (const stream of this.#streams) stream.send(id);
    }
    for (const id of ids) {
      const [a, b] = await Promise.all(this.#streams.map((stream) => stream.next()));
      this.#world.same("keep-alive", `${id}`, plain(a), plain(b));
    }
  }

  close(): void {
    for (const { duplex } of this.#streams) duplex.cancel();
  }
}

/** A lease of the shortest kind runs out by itself and takes its keys along, in one revision. */
export async function runOut(world: World): Promise<void> {
  const ID = 777n;
  await world.call(Lease.method.leaseGrant, { ID, TTL: 1n });
  for (const key of ["expires/2", "expires/1", "expires/3"]) {
    await world.call(KV.method.put, { key: Buffer.from(key), value: Buffer.from("x"), lease: ID });
  }
  await sleep(6_000);
  const everything = { key: Buffer.from("expires/"), rangeEnd: Buffer.from("expires0") };
  await world.call(KV.method.range, everything);
  await world.call(Lease.method.leaseTimeToLive, { ID, keys: true });
}
