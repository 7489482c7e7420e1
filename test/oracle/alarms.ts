/** Alarms: raised and taken back for this member and for others, and what is answered meanwhile. */
import { Auth, Cluster, KV, Lease, Maintenance } from "../lib/api.ts";
import { NO_MEMBER } from "./admin.ts";
import type { Draw } from "./draw.ts";
import * as kv from "./kv.ts";
import { leaseStep } from "./leases.ts";
import type { World } from "./world.ts";

const NONE = 0;
const NOSPACE = 1;
const CORRUPT = 2;
/** No alarm of etcd's, but one that it keeps and lists all the same. */
const UNKNOWN_TYPE = 7;

const GET = 0;
const ACTIVATE = 1;
const DEACTIVATE = 2;

const STEPS_WHILE_ARMED = 8;

/** Pages that tell of alarms. */
const PAGES = ["/health", "/health?exclude=NOSPACE", "/health?exclude=NOSPACE&exclude=CORRUPT"]
  .concat("/health?exclude=CORRUPT&serializable=true", "/livez?verbose", "/readyz?verbose")
  .concat("/readyz/data_corruption", "/readyz?exclude=data_corruption", "/readyz");

async function ownId(world: World): Promise<bigint> {
  const { message } = await world.call(Maintenance.method.status, {});
  return message!.header!.memberId;
}

async function alarm(world: World, action: number, memberID: bigint, type: number): Promise<void> {
  const request = { action: action as never, memberID, alarm: type as never };
  await world.call(Maintenance.method.alarm, request);
}

/** Takes every alarm back that is listed. */
export async function disarm(world: World): Promise<void> {
  for (const type of [NOSPACE, CORRUPT, UNKNOWN_TYPE]) {
    const request = { action: GET, alarm: type as never } as const;
    const { message } = await world.call(Maintenance.method.alarm, request);
    for (const { memberID } of message!.alarms) await alarm(world, DEACTIVATE, memberID, type);
  }
}

/** Without space, or corrupt: what is refused, what goes on, and that it goes on afterwards. */
export async function alarmStep(world: World, draw: Draw, settle: () => Promise<void>) {
  const own = await ownId(world);
  const members = [own, own, own, NO_MEMBER, 0n, 0xffff_ffff_ffff_ffffn];
  const types = [NOSPACE, NOSPACE, NOSPACE, CORRUPT, CORRUPT, NONE, UNKNOWN_TYPE];
  for (let raised = 1 + draw.below(3); raised > 0; raised--) {
    await alarm(world, ACTIVATE, draw.pick(members), draw.pick(types));
  }
  for (let steps = STEPS_WHILE_ARMED; steps > 0; steps--) await armedStep(world, draw, settle);
  if (draw.percent(30)) await alarm(world, DEACTIVATE, draw.pick(members), draw.pick(types));
  await disarm(world);
  await armedStep(world, draw, settle);
}

/** Any request, whether or not an alarm stands. */
export async function armedStep(world: World, draw: Draw, settle: () => Promise<void>) {
  const step = draw.weighted<() => Promise<unknown>>([
    [20, () => kv.put(world, draw)],
    [15, () => kv.txn(world, draw)],
    [10, () => kv.deleteRange(world, draw)],
    [5, () => world.call(KV.method.range, draw.range())],
    [5, () => kv.rangeStream(world, draw)],
    [3, () => settle().then(() => kv.compact(world, draw))],
    [15, () => leaseStep(world, draw)],
    [4, () => world.call(Lease.method.leaseGrant, { ID: 8_000n, TTL: 0x7fff_ffff_ffffn })],
    [5, () => world.call(Maintenance.method.status, {})],
    [
      5,
      () =>
        world.call(Maintenance.method.alarm, {
          action: GET,
          alarm: draw.pick([0, 1, 2, 7]) as never,
        }),
    ],
    [3, () => kv.hashKv(world, draw)],
    [2, () => world.call(Cluster.method.memberList, { linearizable: true })],
    [2, () => world.call(Auth.method.authStatus, {})],
    [12, () => healthPage(world, draw)],
  ]);
  await step();
}

/** The alarms of several types stand in a hash map: which is told first is etcd's chance. */
async function healthPage(world: World, draw: Draw): Promise<void> {
  const path = draw.pick(PAGES);
  const [a, b] = await world.http("GET", path);
  const tidy = (body: string) =>
    body
      .replace(/ALARM \w+/, "ALARM")
      .split("\n")
      .sort()
      .join("\n");
  world.same(`GET ${path}`, null, tidy(a.body), tidy(b.body));
}
