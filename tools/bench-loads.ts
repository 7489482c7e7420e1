/** The loads of the benchmark, and the shapes of what they give. */

/** One kind of load: what the generator is told, and how many requests warm a server up for it. */
export interface Load {
  readonly name: string;
  readonly conns: number;
  readonly clients: number;
  readonly args: readonly string[];
  readonly warmup: number;
}

/** What one run of a load gave. */
export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the server process for one request, in microseconds. */
  readonly cpuMicros: number;
  /** CPU time of server and generator over wall time and all cores: near 1 means nothing idled. */
  readonly busy: number;
}

/** How a server came up: from the program's execution to the first answer. */
export interface Start {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** All that one server gave in one round. */
export interface Round {
  readonly samples: ReadonlyMap<string, Sample>;
  /** On empty directories: several, since etcd draws when it elects itself, within a second. */
  readonly firstStarts: readonly Start[];
  /** On the directory that the loads left behind. */
  readonly restart: Start;
  readonly peakMib: number;
}

/** The contenders: etcd runs twice, so that its distance from itself tells what a difference means. */
export type Contender = "quord" | "etcd" | "etcd again";

const VALUE_AND_KEYS = ["--val-size=256", "--key-space-size=100000"];
/** The key that the gets read. */
export const READ_KEY = "bench/key";

/**
 * The loads in the order they run; puts come first, so reads meet a filled store, and the first of
 * them has the longest warm-up, until every key is there and the code is compiled.
 */
export const LOADS: readonly Load[] = [
  { name: "put, 100 clients", conns: 10, clients: 100, args: ["put"], warmup: 100_000 },
  { name: "put, 1000 clients", conns: 100, clients: 1_000, args: ["put"], warmup: 8_000 },
  // Alone, requests take ways through the code that many at once do not: V8 needs that many for it.
  { name: "put, 1 client", conns: 1, clients: 1, args: ["put"], warmup: 20_000 },
  {
    name: "txn of 4 puts, 100 clients",
    conns: 10,
    clients: 100,
    args: ["txn-put", "--txn-ops=4"],
    warmup: 3_000,
  },
  {
    name: "linearizable get, 100 clients",
    conns: 10,
    clients: 100,
    args: ["range", READ_KEY],
    warmup: 10_000,
  },
  {
    name: "serializable get, 100 clients",
    conns: 10,
    clients: 100,
    args: ["range", READ_KEY, "--consistency=s"],
    warmup: 10_000,
  },
  {
    name: "lease keepalive, 100 clients",
    conns: 10,
    clients: 100,
    args: ["lease-keepalive"],
    warmup: 10_000,
  },
];

/** The generator's command line for a load, without the endpoint. */
export function generatorArgs(load: Load, total: number): string[] {
  const writes = load.args[0] === "put" || load.args[0] === "txn-put";
  return [
    [`--conns=${load.conns}`, `--clients=${load.clients}`, "--precise"],
    [...load.args, `--total=${total}`],
    writes ? VALUE_AND_KEYS : [],
  ].flat();
}
