/** /metrics: the same families with the same types, labels and buckets; and counts that must agree. */
import { LEFT_OUT } from "../../src/server/metrics-testing.ts";
import type { Plain } from "./plain.ts";
import type { World } from "./world.ts";

/** Only alarms that stand are shown. */
const ALARMS = "etcd_debugging_server_alarms";

/** Families of which the sums over all labels are the same after the same requests. */
const SAME_SUMS = new Set(
  [
    ["etcd_debugging_mvcc_keys_total", "etcd_debugging_mvcc_current_revision"],
    ["etcd_debugging_mvcc_compact_revision", "etcd_server_has_leader", "etcd_server_is_leader"],
    ["etcd_server_is_learner", "etcd_server_id", "etcd_server_version", "etcd_cluster_version"],
    ["etcd_server_quota_backend_bytes", "etcd_server_feature_enabled"],
    ["etcd_debugging_mvcc_slow_watcher_total"],
  ].flat(),
);

interface Family {
  type: string;
  labels: Set<string>;
  buckets: Set<string>;
  sum: number;
}

function families(text: string): Map<string, Family> {
  const found = new Map<string, Family>();
  let family: Family | undefined;
  for (const line of text.split("\n")) {
    const head = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (head !== null) {
      family = { type: head[2]!, labels: new Set(), buckets: new Set(), sum: 0 };
      found.set(head[1]!, family);
    }
    const sample = /^[a-z_]+(?:\{(.*)\})? (\S+)$/.exec(line);
    if (line.startsWith("#") || sample === null || family === undefined) continue;
    for (const [, name, value] of (sample[1] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      family.labels.add(name!);
      if (name === "le") family.buckets.add(value!);
    }
    family.sum += Number(sample[2]);
  }
  return found;
}

/** Compares what a scrape of both shows. Both must be at rest. */
export async function metrics(world: World): Promise<void> {
  const [a, b] = await world.http("GET", "/metrics");
  const [ours, theirs] = [families(a.body), families(b.body)];
  for (const [name, family] of theirs) {
    const mine = ours.get(name);
    if (mine === undefined) {
      if (name === ALARMS || LEFT_OUT.some(([, names]) => names.test(name))) continue;
      world.same(`metric ${name}`, null, "missing", "there");
      continue;
    }
    world.same(`metric ${name}`, null, shape(mine), shape(family, mine));
    if (SAME_SUMS.has(name)) world.same(`sum of ${name}`, null, mine.sum, family.sum);
  }
  const unknown = [...ours.keys()].filter(
    (name) => !theirs.has(name) && !name.startsWith("quord_"),
  );
  world.same("metrics that etcd does not have", null, unknown, []);
}

/** A family without samples says nothing of its labels. */
function shape({ type, labels, buckets }: Family, other?: Family): Plain {
  const hasBoth = other === undefined || other.labels.size > 0 === labels.size > 0;
  const shown = hasBoth ? { labels, buckets } : other;
  return { type, labels: [...shown.labels].sort(), buckets: [...shown.buckets] };
}
