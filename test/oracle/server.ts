/** What a side of the comparison runs: one member, or three of which one is asked. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster } from "../cluster/cluster.ts";
import { Network } from "../cluster/network.ts";
import type { Place, Seat } from "../cluster/seat.ts";
import { settleLeader } from "../e2e/cli-cluster.ts";
import type { Kind } from "../lib/binaries.ts";
import {
  ADVERTISED,
  freePort,
  freshDir,
  startMember,
  type Member,
  type Ports,
} from "../lib/processes.ts";

export interface Server {
  /** host:port for clients of the one that is asked. */
  readonly endpoint: string;
  /** Also again, with the same data and addresses. */
  start(): Promise<void>;
  /** Stops the one that is asked. */
  stop(): Promise<void>;
  /** Stops all. */
  close(): Promise<void>;
  alive(): boolean;
  log(): string;
}

/** Starts what one side runs. */
export type Maker = (kind: Kind, flags: readonly string[]) => Promise<Server>;

/** Whether etcd reaches the disk is not the question here, and it waits for it every time. */
const FLAGS: Readonly<Record<Kind, readonly string[]>> = {
  etcd: ["--unsafe-no-fsync"],
  quord: [],
};

class Single implements Server {
  readonly #kind: Kind;
  readonly #flags: readonly string[];
  readonly #ports: Ports;
  readonly #dir = join(freshDir(existsSync("/dev/shm") ? "/dev/shm" : tmpdir()), "data");
  #member!: Member;

  constructor(kind: Kind, flags: readonly string[], ports: Ports) {
    this.#kind = kind;
    this.#flags = flags;
    this.#ports = ports;
  }

  get endpoint(): string {
    return this.#member.endpoint;
  }

  async start(): Promise<void> {
    this.#member = await startMember(this.#kind, {
      dir: this.#dir,
      ports: this.#ports,
      advertised: ADVERTISED,
      flags: [...FLAGS[this.#kind], ...this.#flags],
    });
  }

  async stop(): Promise<void> {
    await this.#member.stop();
  }

  close(): Promise<void> {
    return this.stop();
  }

  alive(): boolean {
    return this.#member.alive();
  }

  log(): string {
    return this.#member.log();
  }
}

export const single: Maker = async (kind, flags) => {
  const ports = { client: await freePort(), peer: await freePort() };
  const server = new Single(kind, flags, ports);
  await server.start();
  return server;
};

const SIZE = 3;
const TRIES_MAX = 10;

/** The first leads; the last is asked, so that all that must goes through the leader. */
class Trio implements Server {
  readonly #cluster: Cluster;
  readonly #asked: Seat;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#asked = cluster.seats.at(-1)!;
  }

  get endpoint(): string {
    return this.#asked.endpoint;
  }

  async start(): Promise<void> {
    this.#asked.start(this.#asked.program);
    await this.#asked.serving();
  }

  stop(): Promise<void> {
    return this.#asked.stop();
  }

  close(): Promise<void> {
    return this.#cluster.stop();
  }

  alive(): boolean {
    return this.#cluster.seats.every(({ isRunning }) => isRunning);
  }

  log(): string {
    return this.#cluster.logs();
  }
}

/** Peers that talk on the loopback of a namespace: both sides' have the same addresses. */
function trioFlags(number: number): string[] {
  const peer = (i: number) => `http://127.0.0.1:${ADVERTISED.peer + 2 * i}`;
  const members = Array.from({ length: SIZE }, (_, i) => `m${i + 1}=${peer(i)}`);
  const client = `http://127.0.0.1:${ADVERTISED.client + 2 * number}`;
  return [
    ["--advertise-client-urls", client, "--listen-peer-urls", peer(number)],
    ["--initial-advertise-peer-urls", peer(number), "--initial-cluster", members.join(",")],
  ].flat();
}

async function startTrio(kind: Kind, flags: readonly string[], place: Place): Promise<Server> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const cluster = await Cluster.start({
      programs: Array.from({ length: SIZE }, () => kind),
      seat: (number) => ({ place, flags: [...FLAGS[kind], ...trioFlags(number), ...flags] }),
    });
    const statuses = await Promise.all(cluster.seats.map((seat) => seat.status(5_000)));
    const ids = statuses.map((status) => status!.header!.memberId);
    if (await settleLeader(cluster.seats, ids)) return new Trio(cluster);
    await cluster.stop();
  }
  throw new Error(`${kind}: no cluster with its first leader in its first term`);
}

/** Makers of threes, of which no two run at a time in one place. */
export function trios(): Maker {
  const network = Network.make(2);
  let made = 0;
  return (kind, flags) => startTrio(kind, flags, network.places[made++ % 2]!);
}
