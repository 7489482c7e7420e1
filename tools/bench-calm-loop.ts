/** What quord's own histograms say of its turns and of its garbage collections. */
import type { Member } from "../test/lib/processes.ts";

/** Upper bounds of buckets to counts, which add up. */
type Buckets = ReadonlyMap<number, number>;

/** The histograms of one moment. */
export interface LoopFigures {
  readonly turns: Buckets;
  readonly pauses: Buckets;
}

/** Reads them from `/metrics`. */
export async function loopFigures(member: Member): Promise<LoopFigures> {
  const page = await (await fetch(`http://${member.endpoint}/metrics`)).text();
  return {
    turns: buckets(page, "quord_loop_turn_cpu_seconds"),
    pauses: buckets(page, "quord_gc_pause_seconds"),
  };
}

function buckets(page: string, name: string): Buckets {
  const found = new Map<number, number>();
  const line = new RegExp(`^${name}_bucket\\{.*?le="([^"]+)"\\} (\\d+)`, "gm");
  for (const [, bound, count] of page.matchAll(line)) {
    const seconds = bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound);
    found.set(seconds, (found.get(seconds) ?? 0) + Number(count));
  }
  return found;
}

/** What was observed between two moments. */
export interface Spread {
  readonly count: number;
  /** The bucket that holds the quantile, as its upper bound in milliseconds. */
  readonly p99Ms: number;
  readonly worstMs: number;
  /** How many were above 20 ms. */
  readonly above20Ms: number;
}

export function spread(before: Buckets, after: Buckets): Spread {
  const bounds = [...after.keys()].sort((a, b) => a - b);
  const upTo = (bound: number) => (after.get(bound) ?? 0) - (before.get(bound) ?? 0);
  const count = upTo(Number.POSITIVE_INFINITY);
  const boundOf = (rank: number) => (bounds.find((bound) => upTo(bound) >= rank) ?? 0) * 1000;
  return {
    count,
    p99Ms: boundOf(count * 0.99),
    worstMs: boundOf(count),
    above20Ms: count - upTo(0.02),
  };
}
