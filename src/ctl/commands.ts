import { type Command, type CommandBody, lazy } from "../cli/index.ts";
import type { Ctl } from "./ctl.ts";

const KV = "Key-value commands";
const CLUSTER = "Cluster maintenance commands";
const CONCURRENCY = "Concurrency commands";
const AUTHENTICATION = "Authentication commands";
export const UTILITY = "Utility commands";

/** The headings of the list of commands, in order. */
export const groups = [KV, CLUSTER, CONCURRENCY, AUTHENTICATION, UTILITY];

type Load = (program: string) => Promise<CommandBody<Ctl>>;
type Short = string | ((program: string) => string);
type Row = readonly [group: string, name: string, short: Short, load: Load];

const subcommands = (what: string, name: string) => (program: string) =>
  `${what} related commands. Use \`${program} ${name} --help\` to see subcommands`;

const ROWS: readonly Row[] = [
  [
    KV,
    "get",
    "Gets the key or a range of keys",
    () => import("./commands/get.ts").then((m) => m.get),
  ],
  [
    KV,
    "put",
    "Puts the given key into the store",
    () => import("./commands/put.ts").then((m) => m.put),
  ],
  [
    KV,
    "del",
    "Removes the specified key or range of keys [key, range_end)",
    () => import("./commands/del.ts").then((m) => m.del),
  ],
  [
    KV,
    "txn",
    "Txn processes all the requests in one transaction",
    () => import("./commands/txn.ts").then((m) => m.txn),
  ],
  [
    KV,
    "compaction",
    "Compacts the event history in etcd",
    () => import("./commands/compaction.ts").then((m) => m.compaction),
  ],
  [
    KV,
    "watch",
    "Watches events stream on keys or prefixes",
    () => import("./commands/watch.ts").then((m) => m.watch),
  ],
  [
    KV,
    "lease",
    subcommands("Lease", "lease"),
    () => import("./commands/lease.ts").then((m) => m.lease),
  ],
  [
    CLUSTER,
    "endpoint",
    subcommands("Endpoint", "endpoint"),
    () => import("./commands/endpoint.ts").then((m) => m.endpoint),
  ],
  [
    CLUSTER,
    "member",
    subcommands("Membership", "member"),
    () => import("./commands/member.ts").then((m) => m.member),
  ],
  [
    CLUSTER,
    "snapshot",
    "Manages etcd node snapshots",
    () => import("./commands/snapshot.ts").then((m) => m.snapshot),
  ],
  [
    CLUSTER,
    "alarm",
    subcommands("Alarm", "alarm"),
    () => import("./commands/alarm.ts").then((m) => m.alarm),
  ],
  [
    CLUSTER,
    "defrag",
    "Defragments the storage of the etcd members with given endpoints",
    () => import("./commands/defrag.ts").then((m) => m.defrag),
  ],
  [
    CLUSTER,
    "move-leader",
    "Transfers leadership to another etcd cluster member.",
    () => import("./commands/move-leader.ts").then((m) => m.moveLeader),
  ],
  [
    CLUSTER,
    "downgrade",
    subcommands("Downgrade", "downgrade"),
    () => import("./commands/downgrade.ts").then((m) => m.downgrade),
  ],
  [
    CONCURRENCY,
    "lock",
    "Acquires a named lock",
    () => import("./commands/lock.ts").then((m) => m.lock),
  ],
  [
    CONCURRENCY,
    "elect",
    "Observes and participates in leader election",
    () => import("./commands/elect.ts").then((m) => m.elect),
  ],
  [
    AUTHENTICATION,
    "auth",
    (program) =>
      `Enable or disable authentication. Use \`${program} auth --help\` to see subcommands`,
    () => import("./commands/auth.ts").then((m) => m.auth),
  ],
  [
    AUTHENTICATION,
    "user",
    subcommands("User", "user"),
    () => import("./commands/user.ts").then((m) => m.user),
  ],
  [
    AUTHENTICATION,
    "role",
    subcommands("Role", "role"),
    () => import("./commands/role.ts").then((m) => m.role),
  ],
  [
    UTILITY,
    "make-mirror",
    "Makes a mirror at the destination etcd cluster",
    () => import("./commands/make-mirror.ts").then((m) => m.makeMirror),
  ],
  [
    UTILITY,
    "check",
    (program) =>
      "commands for checking properties of the etcd cluster. " +
      `Use \`${program} check --help\` to see subcommands`,
    () => import("./commands/check.ts").then((m) => m.check),
  ],
  [
    UTILITY,
    "completion",
    "Generate completion script",
    (program) => import("./commands/completion.ts").then((m) => m.completion(program)),
  ],
  [
    UTILITY,
    "version",
    "Prints the version of etcdctl",
    () => import("./commands/version.ts").then((m) => m.version),
  ],
  [
    UTILITY,
    "options",
    "Show the global command-line flags",
    () => import("./commands/options.ts").then((m) => m.options),
  ],
];

/** All commands. Each is loaded when it is called. */
export function commands(program: string): readonly Command<Ctl>[] {
  return ROWS.map(([group, name, short, load]) =>
    lazy(name, typeof short === "string" ? short : short(program), () => load(program), group),
  );
}
