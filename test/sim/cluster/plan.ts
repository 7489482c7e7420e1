import { Prng } from "../../../src/base/index.ts";
import { FAIR, type Weather } from "./network.ts";

/** A machine by its number, or the one that leads when it happens. */
export type Who = "leader" | number;

/** What a file call is for. */
export type Place = "wal" | "db" | "snap";

/** What goes wrong at a moment, and for how long. */
export type Fault = { readonly at: number; readonly ms: number } & (
  | { readonly kind: "kill" | "power" | "stop"; readonly who: Who }
  | { readonly kind: "powerOfAll" }
  /** At the next such call to the disk. */
  | { readonly kind: "crashAt"; readonly who: Who; readonly of: Place; readonly isKill: boolean }
  | { readonly kind: "pause"; readonly who: Who; readonly clock: "goes" | "stands" }
  | { readonly kind: "isolate"; readonly who: Who; readonly ways: "in" | "out" | "both" }
  | { readonly kind: "split"; readonly first: number }
  | { readonly kind: "cut"; readonly from: Who; readonly to: Who }
  | { readonly kind: "flap"; readonly who: Who }
  | { readonly kind: "storm"; readonly weather: Weather }
  | { readonly kind: "clientsCut"; readonly who: Who }
  | { readonly kind: "diskFull" | "slowDisk"; readonly who: Who }
  | { readonly kind: "diskError"; readonly who: Who; readonly of: "wal" | "db" }
  | { readonly kind: "wallJump"; readonly who: Who; readonly by: number }
  | { readonly kind: "drift"; readonly who: Who; readonly rate: number }
  | { readonly kind: "defragment"; readonly who: Who }
  /** What an operator does. */
  | { readonly kind: "join" | "downgrade" }
  | { readonly kind: "leave" | "update" | "move"; readonly who: Who }
);

/** All that a seed decides before anything happens. Times are milliseconds. */
export interface Plan {
  readonly seed: number;
  readonly ms: number;
  readonly machines: number;
  /** More machines, on which members may join. */
  readonly spares: number;
  readonly clients: number;
  /** Between two requests of a client, about. */
  readonly pauseMs: number;
  readonly watchers: number;
  readonly weather: Weather;
  readonly settings: {
    readonly snapshotEntries: number;
    readonly snapshotCatchUpEntries: number;
    readonly compactionBatch: number;
    readonly batchIntervalMs: number;
    readonly batchOperations: number;
    readonly pageCacheBytes: number;
    /** Between two comparisons of the members' stores. */
    readonly corruptCheckMs: number;
    readonly compactHashCheckMs: number;
    readonly checksInitially: boolean;
  };
  /** Work of the store between two chances for others, in nanoseconds. */
  readonly sliceNanoseconds: number;
  readonly faults: readonly Fault[];
}

export const PLAN_MS = 40_000;
/** The fastest clock of a machine that drifts, and all of them. */
export const FASTEST = 1.25;
const RATES = [0.8, FASTEST] as const;

/** With `kinds`, several members meet these faults only, and often. */
export function drawPlan(seed: number, ms = PLAN_MS, kinds?: readonly Fault["kind"][]): Plan {
  const random = new Prng(seed);
  const drawn = [3, 3, 3, 3, 5, 1][random.below(6)]!;
  const machines = kinds === undefined ? drawn : 3;
  const hasSpares = kinds === undefined ? random.oneIn(2) : kinds.includes("join");
  const spares = machines > 1 && hasSpares ? 1 + random.below(2) : 0;
  const weather = drawWeather(random);
  return {
    seed,
    ms,
    machines,
    spares,
    clients: 2 + random.below(4),
    pauseMs: [40, 80, 160][random.below(3)]!,
    watchers: 2 + random.below(3),
    weather,
    settings: {
      snapshotEntries: [20, 60, 200][random.below(3)]!,
      snapshotCatchUpEntries: [1, 10, 50][random.below(3)]!,
      compactionBatch: [5, 20, 1000][random.below(3)]!,
      batchIntervalMs: [20, 60, 100][random.below(3)]!,
      batchOperations: [20, 100, 1000][random.below(3)]!,
      pageCacheBytes: [16, 64][random.below(2)]! * 1024,
      corruptCheckMs: [0, 2000][random.below(2)]!,
      compactHashCheckMs: 2500,
      checksInitially: random.oneIn(3),
    },
    sliceNanoseconds: [10_000, 100_000][random.below(2)]!,
    faults: drawFaults(random, { machines, spares, kinds }, ms),
  };
}

function drawWeather(random: Prng): Weather {
  if (random.oneIn(2)) return FAIR;
  return {
    lostPerMille: [0, 5, 30][random.below(3)]!,
    doubledPerMille: [0, 10, 100][random.below(3)]!,
    delayMs: [0.2, [1, 5, 30][random.below(3)]!],
    lateOneIn: [20, 100][random.below(2)]!,
    isOrdered: random.oneIn(2),
    brokenPerMille: [0, 1, 5][random.below(3)]!,
  };
}

const STORM: Weather = {
  lostPerMille: 200,
  doubledPerMille: 100,
  delayMs: [1, 150],
  lateOneIn: 10,
  isOrdered: false,
  brokenPerMille: 10,
};

/** Some seeds have one kind of fault only: what one hides the next shows. */
function drawFaults(
  random: Prng,
  options: {
    machines: number;
    spares: number;
    kinds: readonly Fault["kind"][] | undefined;
  },
  ms: number,
): Fault[] {
  const { machines, spares } = options;
  const all = machines === 1 ? KINDS_OF_ONE : spares === 0 ? KINDS : [...KINDS, ...CHANGES];
  const chosen = options.kinds ?? (random.oneIn(3) ? [all[random.below(all.length)]!] : all);
  const faults: Fault[] = [];
  const gapMs = options.kinds === undefined ? [800, 2000, 5000][random.below(3)]! : 1500;
  for (let at = 1500 + random.below(gapMs); at < ms; at += 100 + random.below(2 * gapMs)) {
    faults.push(drawFault(random, chosen[random.below(chosen.length)]!, machines + spares, at));
  }
  return faults;
}

const KINDS_OF_ONE: readonly Fault["kind"][] = [
  "kill",
  "kill",
  "power",
  "power",
  "stop",
  "pause",
  "diskFull",
  "slowDisk",
  "diskError",
  "crashAt",
  "crashAt",
  "wallJump",
  "clientsCut",
  "defragment",
];

const KINDS: readonly Fault["kind"][] = [
  ...KINDS_OF_ONE,
  "powerOfAll",
  "isolate",
  "isolate",
  "isolate",
  "split",
  "split",
  "cut",
  "cut",
  "flap",
  "storm",
  "drift",
  "move",
];

const CHANGES: readonly Fault["kind"][] = [
  "join",
  "join",
  "join",
  "leave",
  "leave",
  "update",
  "downgrade",
];

const PLACES: readonly Place[] = ["wal", "wal", "db", "snap"];

function drawFault(random: Prng, kind: Fault["kind"], machines: number, at: number): Fault {
  const drawWho = (): Who => (random.oneIn(2) ? "leader" : random.below(machines));
  const who = drawWho();
  const shortOrLong = [300, 1500, 4000, 9000][random.below(4)]!;
  const ms = 100 + random.below(shortOrLong);
  const base = { at, ms };
  switch (kind) {
    case "powerOfAll":
    case "join":
    case "downgrade":
      return { ...base, kind };
    case "pause":
      return { ...base, kind, who, clock: random.oneIn(3) ? "stands" : "goes" };
    case "crashAt": {
      const of = PLACES[random.below(PLACES.length)]!;
      return { ...base, kind, who, of, isKill: random.oneIn(4) };
    }
    case "isolate":
      return { ...base, kind, who, ways: (["both", "in", "out"] as const)[random.below(3)]! };
    case "split":
      return { ...base, kind, first: 1 + random.below(machines - 1) };
    case "cut":
      return { ...base, kind, from: who, to: random.below(machines) };
    case "storm":
      return { ...base, kind, weather: STORM };
    case "diskError":
      return { ...base, kind, who, of: random.oneIn(2) ? "wal" : "db" };
    case "wallJump":
      return { ...base, kind, who, by: (random.below(7200) - 3600) * 1000 };
    case "drift":
      return { ...base, kind, who, rate: RATES[random.below(2)]! };
    default:
      return { ...base, kind, who };
  }
}
