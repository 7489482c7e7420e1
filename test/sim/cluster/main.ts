/**
 * A whole cluster in one process, under one seed.
 *
 *   npm run sim                             200 seeds of 40 simulated seconds, on two processes
 *   npm run sim -- --seeds 5000 --from 1    as many as you like
 *   npm run sim -- --seed 7                 one seed again; --trace FILE keeps all of it
 *   npm run sim -- --seed 7 --shrink        the least that still goes wrong, as a readable trace
 *   npm run sim -- --planted [NAME ...]     finds each of the bugs in plants.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { drawPlan, type Fault, type Plan } from "./plan.ts";
import { findPlants } from "./planted.ts";
import { spread } from "./processes.ts";
import { run } from "./run.ts";
import { readable, shrink } from "./shrink.ts";

const { values, positionals } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    trace: { type: "string" },
    /** A plan as the shrinker writes it. */
    plan: { type: "string" },
    shrink: { type: "boolean", default: false },
    /** Ends with the first violation. */
    first: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    machines: { type: "string" },
    /** Only these faults, often. */
    kinds: { type: "string" },
  },
  allowPositionals: true,
});

function planOf(seed: number): Plan {
  const kinds = values.kinds?.split(",") as Fault["kind"][] | undefined;
  const plan = drawPlan(seed, undefined, kinds);
  return values.machines === undefined ? plan : { ...plan, machines: Number(values.machines) };
}

/** Runs a plan and tells how it was. */
async function tell(plan: Plan): Promise<boolean> {
  const begun = process.cpuUsage();
  const outcome = await run(plan);
  const { user, system } = process.cpuUsage(begun);
  const { violations, operations, answered, revision, entries, digest, trace } = outcome;
  console.log(
    `seed ${plan.seed}: ${plan.machines} machines, ${plan.faults.length} faults, ` +
      `${answered} of ${operations} requests answered, ${entries} entries, revision ${revision}, ` +
      `trace ${digest.slice(0, 16)} of ${trace.length} lines, ` +
      `${((user + system) / 1e6).toFixed(2)} s`,
  );
  for (const violation of violations.slice(0, 10)) console.log(`  VIOLATION ${violation}`);
  if (values.trace !== undefined) writeFileSync(values.trace, `${trace.join("\n")}\n`);
  return violations.length === 0;
}

async function runSeeds(from: number, count: number): Promise<boolean> {
  const failed: number[] = [];
  for (let seed = from; seed < from + count; seed++) {
    if (await tell(planOf(seed))) continue;
    failed.push(seed);
    if (values.first) break;
  }
  if (failed.length > 0) console.log(`violations in seeds ${failed.join(", ")}`);
  return failed.length === 0;
}

async function shrinkSeed(plan: Plan): Promise<void> {
  const least = await shrink(plan, (text) => console.log(text));
  if (least === undefined) return console.log("nothing is violated");
  console.log(readable(least.outcome));
  console.log(`plan: ${JSON.stringify(least.plan)}`);
}

async function main(): Promise<boolean> {
  const from = Number(values.from);
  const count = Number(values.seeds);
  if (values.planted) return findPlants(positionals, Number(values.jobs));
  if (values.seed !== undefined || values.plan !== undefined) {
    const plan =
      values.plan === undefined
        ? planOf(Number(values.seed))
        : (JSON.parse(readFileSync(values.plan, "utf8")) as Plan);
    if (!values.shrink) return tell(plan);
    await shrinkSeed(plan);
    return true;
  }
  const jobs = Number(values.jobs);
  return jobs > 1 && !values.first ? spread({ from, count, jobs }) : runSeeds(from, count);
}

process.exitCode = (await main()) ? 0 : 1;
