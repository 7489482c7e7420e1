import { formatDuration } from "../../base/index.ts";
import { boolFlag, EXIT, Exit, formatBytes, intFlag } from "../../cli/index.ts";
import { api, fail } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { commandDeadline, define, defineSub } from "../define.ts";
import { messageJson } from "../printers/json.ts";
import type { Table } from "../../cli/index.ts";
import { targets } from "../targets.ts";

const cluster = { cluster: boolFlag("use all endpoints from the cluster member list") } as const;

// --- health ---

interface Health {
  readonly endpoint: string;
  readonly health: boolean;
  readonly took: string;
  readonly error: string;
}

const health = defineSub({
  use: "health",
  short: "Checks the healthiness of endpoints specified in `--endpoints` flag",
  flags: cluster,
  run: async ({ context: ctl }, flags) => {
    const endpoints = await targets(ctl, flags.cluster);
    // In the order in which they answer.
    const answers: Health[] = [];
    await Promise.all(
      endpoints.map(async (endpoint) => answers.push(await checkHealth(ctl, endpoint))),
    );
    showHealth(ctl, answers);
    if (answers.some((answer) => answer.error !== "")) {
      throw new Exit(EXIT.error, "unhealthy cluster");
    }
  },
});

async function checkHealth(ctl: Ctl, endpoint: string): Promise<Health> {
  const { describeError, kv } = await import("../../client/index.ts");
  let client: Awaited<ReturnType<Ctl["connect"]>>;
  try {
    client = await ctl.connect([endpoint], { logger: "client" });
  } catch (error) {
    if (!(error instanceof Exit) || error.status !== EXIT.badConnection) throw error;
    return { endpoint, health: false, took: "", error: error.message };
  }
  const started = performance.now();
  const deadline = await commandDeadline(ctl);
  let failure = "";
  try {
    await client.call(kv.range, { key: Buffer.from("health") }, deadline);
  } catch (error) {
    // Being refused shows that the cluster agrees on something.
    const reason = describeError(error, deadline);
    if (reason !== fail("permissionDenied").message) failure = reason;
  }
  const took = formatDuration(performance.now() - started);
  if (failure === "") failure = await checkAlarms(client, deadline);
  client.close();
  return { endpoint, health: failure === "", took, error: failure };
}

async function checkAlarms(
  client: Awaited<ReturnType<Ctl["connect"]>>,
  deadline: Awaited<ReturnType<typeof commandDeadline>>,
): Promise<string> {
  const { maintenance } = await import("../../client/index.ts");
  try {
    const { alarms } = await client.call(maintenance.alarm, {}, deadline);
    if (alarms.length === 0) return "";
    const names = alarms.map(({ alarm }) => ALARM_NAMES[alarm] ?? "UNKNOWN");
    return `Active Alarm(s): ${names.map((name) => `${name} `).join("")}`;
  } catch {
    return "Unable to fetch the alarm list";
  }
}

const ALARM_NAMES: Readonly<Record<number, string>> = {
  [api.ALARM_TYPE.NOSPACE]: "NOSPACE",
  [api.ALARM_TYPE.CORRUPT]: "CORRUPT",
};

function showHealth(ctl: Ctl, answers: readonly Health[]): void {
  ctl.show({
    simple: (page) => {
      for (const { endpoint, took, error } of answers) {
        if (error !== "") {
          ctl.err(`${endpoint} is unhealthy: failed to commit proposal: ${error}\n`);
        } else {
          page.line(`${endpoint} is healthy: successfully committed proposal: took = ${took}`);
        }
      }
    },
    fields: (lines) => {
      for (const answer of answers) {
        lines.quoted("Endpoint", answer.endpoint);
        lines.add("Health", answer.health);
        lines.add("Took", answer.took);
        lines.add("Error", answer.error);
        lines.gap();
      }
    },
    json: () => answers.map((answer) => ({ ...answer, error: answer.error || undefined })),
    table: () => ({
      header: ["endpoint", "health", "took", "error"],
      rows: answers.map((a) => [a.endpoint, String(a.health), a.took, a.error]),
    }),
  });
}

// --- status ---

interface Status {
  readonly endpoint: string;
  readonly answer: api.StatusResponse;
}

const status = defineSub({
  use: "status",
  short: "Prints out the status of endpoints specified in `--endpoints` flag",
  long:
    "When --write-out is set to simple, this command prints out comma-separated status " +
    "lists for each endpoint.\n" +
    "The items in the lists are endpoint, ID, version, db size, is leader, is learner, " +
    "raft term, raft index, raft applied index, errors.\n",
  flags: cluster,
  run: async ({ context: ctl }, flags) => {
    const { maintenance } = await import("../../client/index.ts");
    const list: Status[] = [];
    let failed = false;
    for (const endpoint of await targets(ctl, flags.cluster)) {
      const result = await ask(ctl, endpoint, (client, deadline) =>
        client.call(maintenance.status, {}, deadline),
      );
      if (typeof result !== "string") list.push({ endpoint, answer: result });
      else {
        failed = true;
        ctl.err(`Failed to get the status of endpoint ${endpoint} (${result})\n`);
      }
    }
    showStatus(ctl, list);
    if (failed) throw new Exit(EXIT.error);
  },
});

/** One call to one endpoint: its answer, or why there is none. */
async function ask<T>(
  ctl: Ctl,
  endpoint: string,
  call: (
    client: Awaited<ReturnType<Ctl["connect"]>>,
    deadline: Awaited<ReturnType<typeof commandDeadline>>,
  ) => Promise<T>,
): Promise<T | string> {
  const { describeError } = await import("../../client/index.ts");
  const client = await ctl.connect([endpoint]);
  const deadline = await commandDeadline(ctl);
  try {
    return await call(client, deadline);
  } catch (error) {
    return describeError(error, deadline);
  } finally {
    client.close();
  }
}

function showStatus(ctl: Ctl, list: readonly Status[]): void {
  const table = statusTable(list);
  ctl.show({
    simple: (page) => {
      for (const row of table.rows) page.line(row.join(", "));
    },
    fields: (lines) => {
      for (const { endpoint, answer } of list) {
        lines.header(answer.header);
        lines.quoted("Version", answer.version);
        lines.quoted("StorageVersion", answer.storageVersion);
        lines.add("DBSize", answer.dbSize);
        lines.add("DBSizeInUse", answer.dbSizeInUse);
        lines.add("DBSizeQuota", answer.dbSizeQuota);
        lines.add("Leader", answer.leader);
        lines.add("IsLearner", answer.isLearner);
        lines.add("RaftIndex", answer.raftIndex);
        lines.add("RaftAppliedIndex", answer.raftAppliedIndex);
        lines.add("Errors", `[${answer.errors.join(" ")}]`);
        lines.quoted("Endpoint", endpoint);
        lines.quoted("DowngradeTargetVersion", answer.downgradeInfo?.targetVersion ?? "");
        lines.add("DowngradeEnabled", answer.downgradeInfo?.enabled ?? false);
        lines.gap();
      }
    },
    json: () =>
      orNull(
        list.map(({ endpoint, answer }) => ({
          Endpoint: endpoint,
          Status: messageJson(api.StatusResponse, answer),
        })),
      ),
    table: () => table,
  });
}

/** An empty list is null in Go's JSON. */
function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

function statusTable(list: readonly Status[]): Table {
  return {
    header: [
      "endpoint",
      "ID",
      "version",
      "storage version",
      "db size",
      "in use",
      "percentage not in use",
      "quota",
      "is leader",
      "is learner",
      "raft term",
      "raft index",
      "raft applied index",
      "errors",
      "downgrade target version",
      "downgrade enabled",
    ],
    rows: list.map(statusRow),
  };
}

function statusRow({ endpoint, answer }: Status): string[] {
  const memberId = answer.header?.memberId ?? 0n;
  return [
    endpoint,
    memberId.toString(16),
    answer.version,
    answer.storageVersion,
    formatBytes(answer.dbSize),
    formatBytes(answer.dbSizeInUse),
    `${100 - Math.floor((answer.dbSizeInUse * 100) / answer.dbSize)}%`,
    formatBytes(answer.dbSizeQuota),
    String(answer.leader === memberId),
    String(answer.isLearner),
    String(answer.raftTerm),
    String(answer.raftIndex),
    String(answer.raftAppliedIndex),
    answer.errors.join(", "),
    answer.downgradeInfo?.targetVersion ?? "",
    String(answer.downgradeInfo?.enabled ?? false),
  ];
}

// --- hashkv ---

interface KvHash {
  readonly endpoint: string;
  readonly answer: api.HashKVResponse;
}

const hashKv = defineSub({
  use: "hashkv",
  short: "Prints the KV history hash for each endpoint in --endpoints",
  flags: { ...cluster, rev: intFlag("maximum revision to hash (default: latest revision)") },
  run: async ({ context: ctl }, flags) => {
    const { maintenance } = await import("../../client/index.ts");
    const list: KvHash[] = [];
    let failure = "";
    for (const endpoint of await targets(ctl, flags.cluster)) {
      const result = await ask(ctl, endpoint, (client, deadline) =>
        client.call(maintenance.hashKv, { revision: flags.rev }, deadline),
      );
      if (typeof result !== "string") list.push({ endpoint, answer: result });
      else {
        failure = result;
        ctl.err(`Failed to get the hash of endpoint ${endpoint} (${result})\n`);
      }
    }
    showHashes(ctl, list);
    if (failure !== "") throw new Exit(EXIT.error, failure);
  },
});

function showHashes(ctl: Ctl, list: readonly KvHash[]): void {
  const rows = list.map(({ endpoint, answer }) => [
    endpoint,
    String(answer.hash),
    String(answer.hashRevision),
  ]);
  ctl.show({
    simple: (page) => {
      for (const row of rows) page.line(row.join(", "));
    },
    fields: (lines) => {
      for (const { endpoint, answer } of list) {
        lines.header(answer.header);
        lines.quoted("Endpoint", endpoint);
        lines.add("Hash", answer.hash);
        lines.add("HashRevision", answer.hashRevision);
        lines.gap();
      }
    },
    json: () =>
      orNull(
        list.map(({ endpoint, answer }) => ({
          Endpoint: endpoint,
          HashKV: messageJson(api.HashKVResponse, answer),
        })),
      ),
    table: () => ({ header: ["endpoint", "hash", "hash_revision"], rows }),
  });
}

export const endpoint = define({
  use: "endpoint <subcommand>",
  long: "Endpoint related commands",
  persistentFlags: cluster,
  commands: [health, status, hashKv],
});
