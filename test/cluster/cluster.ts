/** Clusters of real processes. */
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster as ClusterApi, Maintenance } from "../lib/api.ts";
import { type Program, Seat, type SeatOptions } from "./seat.ts";

const AGREE_MS_MAX = 60_000;
/** A removed member ends by itself; etcd takes up to 8 s when it has watches open. */
const REMOVED_MS_MAX = 15_000;

/** Short of what a member waits for itself, so that a hang is told as one. */
const CALL_MS = 8_000;

export interface ClusterOptions {
  readonly programs: readonly Program[];
  readonly flags?: readonly string[];
  /** What is special about the seat of a number. */
  readonly seat?: (number: number) => Partial<SeatOptions>;
}

export class Cluster {
  readonly seats: Seat[];
  readonly #flags: readonly string[];

  private constructor(seats: Seat[], flags: readonly string[]) {
    this.seats = seats;
    this.#flags = flags;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const flags = options.flags ?? [];
    const seats: Seat[] = [];
    for (const number of options.programs.keys()) {
      seats.push(await Seat.make({ name: `m${number + 1}`, flags, ...options.seat?.(number) }));
    }
    const cluster = new Cluster(seats, flags);
    const birth = { initialCluster: initialCluster(seats), state: "new" } as const;
    for (const [number, seat] of seats.entries()) seat.start(options.programs[number]!, birth);
    await cluster.serving();
    return cluster;
  }

  async serving(): Promise<void> {
    await Promise.all(this.running().map((seat) => seat.serving()));
  }

  running(): Seat[] {
    return this.seats.filter(({ isRunning, isPaused }) => isRunning && !isPaused);
  }

  /** Who leads, as a majority has it; waits for it. */
  async leader(timeoutMs = AGREE_MS_MAX): Promise<Seat> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const leader = await this.#leaderNow();
      if (leader !== undefined) return leader;
      if (performance.now() > until) throw new Error(`no leader\n${this.logs()}`);
      await sleep(20);
    }
  }

  async #leaderNow(): Promise<Seat | undefined> {
    const seats = this.running();
    const statuses = await Promise.all(seats.map((seat) => seat.status()));
    const votes = new Map<bigint, number>();
    for (const status of statuses) {
      if (status === undefined || status.leader === 0n) continue;
      votes.set(status.leader, (votes.get(status.leader) ?? 0) + 1);
    }
    const elected = [...votes].find(([, count]) => count > this.seats.length / 2)?.[0];
    return seats.find((_, i) => elected !== undefined && statuses[i]?.header?.memberId === elected);
  }

  async lead(seat: Seat): Promise<void> {
    for (let tries = 0; tries < 50; tries++) {
      const leader = await this.leader();
      if (leader === seat) return;
      const targetID = await idOf(seat);
      const deadline = Date.now() + CALL_MS;
      await leader.client
        .call(Maintenance.method.moveLeader, { targetID }, { deadline })
        .catch(() => sleep(100));
    }
    throw new Error(`${seat.name} does not become the leader\n${this.logs()}`);
  }

  /** Takes a seat out of the cluster, with its data. */
  async remove(seat: Seat): Promise<void> {
    const ID = await idOf(seat);
    const others = this.seats.filter((other) => other !== seat && other.isRunning);
    await this.#change(others, (other) =>
      other.client.call(ClusterApi.method.memberRemove, { ID }, { deadline: Date.now() + CALL_MS }),
    );
    this.seats.splice(this.seats.indexOf(seat), 1);
    // Clients that know of it go elsewhere.
    seat.isServing = false;
    const until = performance.now() + REMOVED_MS_MAX;
    while (seat.isRunning && performance.now() < until) await sleep(50);
    const goesOn = seat.isRunning;
    await seat.stop();
    seat.close();
    if (goesOn) throw new Error(`${seat.name} goes on, though removed\n${seat.log.slice(-3_000)}`);
  }

  /** Adds an empty member. */
  async add(
    program: Program,
    options: { readonly name: string; readonly isLearner?: boolean } & Partial<SeatOptions>,
  ): Promise<Seat> {
    const seat = await Seat.make({ flags: this.#flags, ...options });
    const request = { peerURLs: [seat.peerUrl], isLearner: options.isLearner ?? false };
    await this.#change(this.running(), (other) =>
      other.client.call(ClusterApi.method.memberAdd, request, { deadline: Date.now() + CALL_MS }),
    );
    this.seats.push(seat);
    seat.start(program, { initialCluster: initialCluster(this.seats), state: "existing" });
    await seat.serving();
    return seat;
  }

  /** Makes a learner a voter as soon as it is ready. */
  async promote(seat: Seat): Promise<void> {
    const ID = await idOf(seat);
    const others = this.seats.filter((other) => other !== seat);
    await this.#change(others, (other) =>
      other.client.call(
        ClusterApi.method.memberPromote,
        { ID },
        { deadline: Date.now() + CALL_MS },
      ),
    );
    await seat.serving();
  }

  /** A change of members may be refused until the cluster is found healthy. */
  async #change(seats: readonly Seat[], ask: (seat: Seat) => Promise<unknown>): Promise<void> {
    const until = performance.now() + AGREE_MS_MAX;
    for (let tries = 0; ; tries++) {
      try {
        await ask(seats[tries % seats.length]!);
        return;
      } catch (error) {
        // Sent again after all: the change had been made.
        if (/already|not found|can only promote/i.test(String(error)) && tries > 0) return;
        if (performance.now() > until) throw error;
        await sleep(200);
      }
    }
  }

  logs(chars = 3_000): string {
    return this.seats
      .map(({ name, program, log }) => `--- ${name} (${program})\n${log.slice(-chars)}`)
      .join("\n");
  }

  async stop(): Promise<void> {
    for (const seat of this.seats) seat.resume();
    await Promise.all(this.seats.map((seat) => seat.kill()));
    for (const seat of this.seats) seat.close();
  }
}

function initialCluster(seats: readonly Seat[]): string {
  return seats.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
}

async function idOf(seat: Seat): Promise<bigint> {
  const status = await seat.status(5_000);
  if (status?.header === undefined) throw new Error(`${seat.name} does not tell its id`);
  return status.header.memberId;
}
