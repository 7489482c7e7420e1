/**
 * What members answer in situations that a cluster of one cannot be in: etcd x3 and quord x3 go
 * through the same, and every answer is compared.
 *
 *   npm run serving -- [--only REGEXP]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toBinary, create } from "@bufbuild/protobuf";
import {
  Cluster as ClusterApi,
  KV,
  Lease,
  Maintenance,
  Watch,
  WatchRequestSchema,
} from "../lib/api.ts";
import { pathOf } from "../lib/grpc.ts";
import { Cluster } from "./cluster.ts";
import { readArguments, runCommand, say } from "./command.ts";
import { kindOf } from "./load.ts";
import { probe } from "./probes.ts";
import type { Program, Seat } from "./seat.ts";

const args = readArguments(["only"]);
const only = new RegExp(args.text("only") ?? "");
const key = Buffer.from("serving");

/** Where quord does better, and is not asked to do worse. */
const BETTER: Readonly<Record<string, string>> = {
  "a transferee that is paused: move leader":
    "etcd waits as long as the client does, though the transfer is given up after a second",
  "a transferee that is paused: put meanwhile": "etcd drops it; here it waits for the leader",
};

/** What a request may hear that met the leader while it was going away: the moment decides. */
const WITH_THE_LEADER =
  /^(ok|14 etcdserver: (leader changed|request timed out(, possibly due to previous leader failure)?))$/;

type Tell = (what: string, answer: string) => void;
type Scene = (cluster: Cluster, tell: Tell) => Promise<void>;

const within = (ms: number) => ({ deadline: Date.now() + ms });

/** How a call ends: `ok`, or its code and text. */
function told(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: { code?: number; text?: string; message: string }) =>
      error.code === undefined
        ? `broken: ${error.message}`
        : kindOf({ code: error.code, text: error.text ?? "" }),
  );
}

const anyOf = (answer: string) => answer.replace(WITH_THE_LEADER, "ok, or went with the leader");

async function idOf(seat: Seat): Promise<bigint> {
  return (await seat.status(5_000))!.header!.memberId;
}

async function followers(cluster: Cluster): Promise<Seat[]> {
  const leader = await cluster.leader();
  return cluster.running().filter((seat) => seat !== leader);
}

const put = (seat: Seat, ms = 9_000) =>
  seat.client.call(KV.method.put, { key, value: key }, within(ms));
const range = (seat: Seat, ms = 9_000) => seat.client.call(KV.method.range, { key }, within(ms));
const move = (seat: Seat, targetID: bigint) =>
  seat.client.call(Maintenance.method.moveLeader, { targetID }, within(12_000));

/** A watch, and how it ends. */
function watch(seat: Seat, metadata: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve) => {
    const end = (code: number, text: string) => resolve(kindOf({ code, text }));
    const stream = seat.client.duplex(pathOf(Watch.method.watch), () => {}, { metadata, end });
    const request = { requestUnion: { case: "createRequest", value: { key } } } as const;
    stream.send(toBinary(WatchRequestSchema, create(WatchRequestSchema, request)));
    setTimeout(() => resolve("still open"), 15_000).unref();
  });
}

const SCENES: Readonly<Record<string, Scene>> = {
  "requests to a learner": async (cluster, tell) => {
    const learner = await cluster.add(cluster.seats[0]!.program, { name: "l1", isLearner: true });
    for (const [what, answer] of await probe(learner)) tell(what, answer);
    tell("move leader to it", await told(move(await cluster.leader(), await idOf(learner))));
    await cluster.remove(learner);
  },

  "moving the leader": async (cluster, tell) => {
    const leader = await cluster.leader();
    const [first, second] = await followers(cluster);
    tell("to nobody", await told(move(leader, 0x1234n)));
    tell("to itself", await told(move(leader, await idOf(leader))));
    tell("asked of a follower", await told(move(first!, await idOf(second!))));
    tell("to a follower", await told(move(leader, await idOf(first!))));
    tell("it leads", String((await cluster.leader()) === first));
    first!.pause();
    const answer = told(move(first!, await idOf(second!)));
    await sleep(200);
    first!.resume();
    tell("asked while paused", await answer);
    await cluster.serving();
  },

  "a transferee that is paused": async (cluster, tell) => {
    const leader = await cluster.leader();
    const [first] = await followers(cluster);
    const id = await idOf(first!);
    first!.pause();
    const answers = [told(move(leader, id)), told(put(leader)), told(range(leader))];
    const [moved, wrote, read] = await Promise.all(answers);
    tell("move leader", moved!);
    tell("put meanwhile", wrote!);
    tell("range meanwhile", read!);
    first!.resume();
    await cluster.serving();
  },

  "leases through followers": async (cluster, tell) => {
    const [first, second] = await followers(cluster);
    const ID = 0x5e54e1n;
    const call = (seat: Seat) => ({
      grant: () => seat.client.call(Lease.method.leaseGrant, { ID, TTL: 30n }, within(9_000)),
      revoke: () => seat.client.call(Lease.method.leaseRevoke, { ID }, within(9_000)),
      left: (id = ID) =>
        seat.client
          .call(Lease.method.leaseTimeToLive, { ID: id, keys: true }, within(9_000))
          .then(({ TTL, grantedTTL, keys }) => `${TTL > 25n} ${TTL < 0n} ${grantedTTL} ${keys}`),
    });
    tell("grant", await told(call(first!).grant()));
    tell("grant again", await told(call(second!).grant()));
    tell("left", await call(second!).left());
    tell("left of none", await call(second!).left(0x77n));
    await cluster.lead(first!);
    tell("left after a move", await call(second!).left());
    tell("revoke", await told(call(second!).revoke()));
    tell("left after the revoke", await call(first!).left());
    tell("revoke again", await told(call(second!).revoke()));
  },

  "the leader is paused": async (cluster, tell) => {
    const leader = await cluster.leader();
    const [first, second] = await followers(cluster);
    const held = watch(first!, { hasleader: "true" });
    await sleep(300);
    leader.pause();
    const answers = [told(put(first!)), told(range(second!))];
    await sleep(3_000);
    tell("put later", await told(put(first!)));
    tell("range later", await told(range(second!)));
    const [wrote, read] = await Promise.all(answers);
    tell("put at once", anyOf(wrote!));
    tell("range at once", anyOf(read!));
    leader.resume();
    tell("range of the old leader", anyOf(await told(range(leader))));
    tell("put of the old leader", anyOf(await told(put(leader))));
    tell("watch with hasleader", await Promise.race([held, sleep(500, "still open")]));
    await cluster.serving();
  },

  "a member is removed": async (cluster, tell) => {
    const [seat, other] = await followers(cluster);
    const ID = await idOf(seat!);
    const remove = () => other!.client.call(ClusterApi.method.memberRemove, { ID }, within(9_000));
    const held = watch(seat!, {});
    tell("remove", await told(remove()));
    const begun = performance.now();
    while (seat!.isRunning && performance.now() - begun < 15_000) await sleep(20);
    tell("it ends", String(!seat!.isRunning));
    tell("its watch", (await held).replace(/^(1|2|14) .*/, "ended"));
    tell("remove again", await told(remove()));
    tell("why", String(/removed from the cluster/.test(seat!.log)));
    await cluster.remove(seat!).catch(() => {});
  },
};

async function play(program: Program): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const [name, scene] of Object.entries(SCENES)) {
    if (!only.test(name)) continue;
    const cluster = await Cluster.start({ programs: [program, program, program] });
    await put(await cluster.leader());
    // Changes of members are refused while a cluster is young.
    await sleep(5_500);
    await scene(cluster, (what, answer) => answers.set(`${name}: ${what}`, answer));
    say(`${program}: ${name}`);
    await cluster.stop();
  }
  return answers;
}

async function main(): Promise<string[]> {
  const [theirs, ours] = await Promise.all([play("etcd"), play("quord")]);
  const problems: string[] = [];
  for (const what of new Set([...theirs.keys(), ...ours.keys()])) {
    const [usual, answer] = [theirs.get(what), ours.get(what)];
    if (usual === answer) continue;
    if (BETTER[what] !== undefined) say(`${what}: ${answer}, not ${usual}: ${BETTER[what]}`);
    else problems.push(`${what}: etcd says ${usual}, quord says ${answer}`);
  }
  say(`${theirs.size} answers, ${problems.length} differ`);
  return problems;
}

await runCommand("serving", main);
