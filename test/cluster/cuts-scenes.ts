/** What happens to the network, and what must be so during it and after. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import type { Load } from "./load.ts";
import { metric } from "./metrics.ts";
import type { Network } from "./network.ts";
import { probe } from "./probes.ts";
import type { Line, Proxy } from "./proxy.ts";
import type { Seat } from "./seat.ts";

interface Stage {
  readonly cluster: Cluster;
  readonly network: Network | undefined;
  readonly proxies: readonly Proxy[];
  readonly load: Load;
  readonly isQuick: boolean;
  /** Keeps what a member said, for the comparison. */
  tell(request: string, answer: string): void;
}

export interface Scene {
  readonly name: string;
  /** Left out of a quick run. */
  readonly isLong?: boolean;
  run(stage: Stage): Promise<string[]>;
}

/** From which no answer came for so long: nobody leads where somebody should. */
const LEADER_MS_MAX = 5_000;
const RETURN_MS = 3_000;

interface Cast {
  readonly leader: Seat;
  readonly follower: Seat;
  readonly other: Seat;
  readonly term: bigint;
  readonly at: Readonly<Record<"leader" | "follower" | "other", number>>;
}

async function cast({ cluster }: Stage): Promise<Cast> {
  const leader = await cluster.leader();
  const [follower, other] = cluster.seats.filter((seat) => seat !== leader) as [Seat, Seat];
  const place = (seat: Seat) => cluster.seats.indexOf(seat);
  const at = { leader: place(leader), follower: place(follower), other: place(other) };
  return { leader, follower, other, term: await termOf(leader), at };
}

async function termOf(seat: Seat): Promise<bigint> {
  return (await seat.status(5_000))?.raftTerm ?? -1n;
}

/** After a member's return: the same leader in the same term. */
async function stillLeads({ cluster }: Stage, leader: Seat, term: bigint): Promise<string[]> {
  await sleep(RETURN_MS);
  const now = await cluster.leader();
  const nowTerm = await termOf(now);
  if (now === leader && nowTerm === term) return [];
  return [`led by ${now.name} in term ${nowTerm}, not by ${leader.name} in ${term} any more`];
}

/** The members of one side agree on a leader among them. */
async function leaderAmong(seats: readonly Seat[]): Promise<Seat | undefined> {
  const until = performance.now() + LEADER_MS_MAX;
  while (performance.now() < until) {
    const statuses = await Promise.all(seats.map((seat) => seat.status()));
    const leaders = new Set(statuses.map((status) => status?.leader));
    const [id] = leaders;
    const found = seats.find((_, i) => statuses[i]?.header?.memberId === id);
    if (leaders.size === 1 && found !== undefined) return found;
    await sleep(50);
  }
  return undefined;
}

async function losesLeader(seat: Seat): Promise<boolean> {
  const until = performance.now() + LEADER_MS_MAX;
  while (performance.now() < until) {
    if ((await seat.status())?.leader === 0n) return true;
    await sleep(50);
  }
  return false;
}

/** Members must have been linked for so long before they let their list be changed. */
const HEALTHY_MS = 6_000;

/** Asks a member that knows it is alone for everything. */
async function interview(stage: Stage, seat: Seat): Promise<string[]> {
  if (!(await losesLeader(seat))) return [`${seat.name} believes in its leader, all alone`];
  for (const [request, answer] of await probe(seat)) stage.tell(request, answer);
  return [];
}

/** Writes go on, or do not, while time passes. */
async function acknowledged({ load }: Stage, ms: number): Promise<number> {
  const before = load.acknowledgedAt.length;
  await sleep(ms);
  return load.acknowledgedAt.length - before;
}

export const CUTS: readonly Scene[] = [
  // First: etcd keeps its log for as long as a snapshot hangs on a cut line.
  {
    name: "a follower is away until it needs a snapshot",
    run: async (stage) => {
      const { leader, at, term } = await cast(stage);
      const sent = () => metric(leader.endpoint, "etcd_network_snapshot_send_success");
      const before = await sent();
      stage.network!.isolate(at.follower);
      const enough = stage.load.acknowledgedAt.length + 1_300;
      while (stage.load.acknowledgedAt.length < enough) await sleep(50);
      stage.network!.healAll();
      const problems = await stillLeads(stage, leader, term);
      await stage.cluster.serving();
      if ((await sent()) === before) problems.push("no snapshot was sent");
      return problems;
    },
  },
  {
    name: "a follower is cut off and comes back",
    run: async (stage) => {
      await sleep(HEALTHY_MS);
      const { leader, follower, at, term } = await cast(stage);
      stage.network!.isolate(at.follower);
      const problems = await interview(stage, follower);
      if ((await acknowledged(stage, 1_000)) === 0) problems.push("the majority does not write");
      stage.network!.healAll();
      return [...problems, ...(await stillLeads(stage, leader, term))];
    },
  },
  {
    name: "the leader is cut off and comes back",
    run: async (stage) => {
      await sleep(HEALTHY_MS);
      const { leader, follower, other, at } = await cast(stage);
      stage.network!.isolate(at.leader);
      const next = await leaderAmong([follower, other]);
      if (next === undefined) return ["the majority elects nobody"];
      const problems = await interview(stage, leader);
      const term = await termOf(next);
      if ((await acknowledged(stage, 1_000)) === 0) problems.push("the majority does not write");
      stage.network!.healAll();
      return [...problems, ...(await stillLeads(stage, next, term))];
    },
  },
  {
    name: "a follower is heard by nobody",
    run: async (stage) => {
      const { leader, at, term } = await cast(stage);
      stage.network!.cut(at.follower, at.leader);
      stage.network!.cut(at.follower, at.other);
      await sleep(5_000);
      stage.network!.healAll();
      return stillLeads(stage, leader, term);
    },
  },
  {
    name: "a follower hears nobody",
    isLong: true,
    run: async (stage) => {
      const { leader, at, term } = await cast(stage);
      stage.network!.cut(at.leader, at.follower);
      stage.network!.cut(at.other, at.follower);
      await sleep(5_000);
      stage.network!.healAll();
      return stillLeads(stage, leader, term);
    },
  },
  {
    name: "one follower does not hear the leader",
    isLong: true,
    run: async (stage) => {
      const { leader, at, term } = await cast(stage);
      stage.network!.cut(at.leader, at.follower);
      const problems = (await acknowledged(stage, 5_000)) === 0 ? ["nobody writes"] : [];
      stage.network!.healAll();
      return [...problems, ...(await stillLeads(stage, leader, term))];
    },
  },
  {
    name: "the leader is heard by nobody",
    isLong: true,
    run: async (stage) => {
      const { follower, other, at } = await cast(stage);
      stage.network!.cut(at.leader, at.follower);
      stage.network!.cut(at.leader, at.other);
      const next = await leaderAmong([follower, other]);
      return next === undefined ? ["the others elect nobody"] : [];
    },
  },
  {
    name: "the leader hears nobody",
    isLong: true,
    run: async (stage) => {
      const { leader, follower, other, at } = await cast(stage);
      stage.network!.cut(at.follower, at.leader);
      stage.network!.cut(at.other, at.leader);
      if (!(await losesLeader(leader))) return ["a leader that hears nobody goes on"];
      const next = await leaderAmong([follower, other]);
      return next === undefined ? ["the others elect nobody"] : [];
    },
  },
  {
    name: "all are cut off from all",
    isLong: true,
    run: async (stage) => {
      for (const place of stage.cluster.seats.keys()) stage.network!.isolate(place);
      await sleep(2_500);
      const count = await acknowledged(stage, 1_500);
      stage.network!.healAll();
      await stage.cluster.leader();
      return count === 0 ? [] : [`${count} writes acknowledged by nobody`];
    },
  },
  {
    name: "a link that comes and goes",
    isLong: true,
    run: async (stage) => {
      const { at } = await cast(stage);
      for (let turn = 0; turn < 15; turn++) {
        stage.network!.isolate(turn % 2 === 0 ? at.follower : at.leader);
        await sleep(200 + ((turn * 379) % 700));
        stage.network!.healAll();
        await sleep(200 + ((turn * 211) % 500));
      }
      return (await acknowledged(stage, 3_000)) === 0 ? ["nobody writes afterwards"] : [];
    },
  },
];

/** Lines in and out of every member, for a while; writes must go on. */
function line(name: string, settings: Partial<Line>, isLong = false): Scene {
  return {
    name,
    isLong,
    run: async (stage) => {
      for (const proxy of stage.proxies) proxy.set(settings);
      const count = await acknowledged(stage, stage.isQuick ? 4_000 : 15_000);
      for (const proxy of stage.proxies) proxy.set({});
      return count === 0 ? ["nobody writes"] : [];
    },
  };
}

export const LINES: readonly Scene[] = [
  line("20 % loss", { loss: 0.2 }),
  line("200 ms delay, 100 ms jitter", { delayMs: 200, jitterMs: 100 }),
  line("little delay, much jitter: reordering", { delayMs: 20, jitterMs: 20 }, true),
  {
    name: "connections that break",
    isLong: true,
    run: async (stage) => {
      for (let turn = 0; turn < 15; turn++) {
        const proxy = stage.proxies[turn % stage.proxies.length]!;
        proxy.set({ isDown: true });
        await sleep(150 + ((turn * 379) % 600));
        proxy.set({});
        await sleep(150 + ((turn * 211) % 400));
      }
      return (await acknowledged(stage, 3_000)) === 0 ? ["nobody writes afterwards"] : [];
    },
  },
];
