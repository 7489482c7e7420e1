/**
 * A whole cluster in one process, under one seed.
 *
 *   npm run sim -- --seed N            replays a seed and tells what was violated
 *   npm run sim -- --seeds 200 [--from 1]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { drawPlan } from "./plan.ts";
import { run } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    trace: { type: "string" },
    machines: { type: "string" },
  },
});

async function runSeed(seed: number): Promise<boolean> {
  const drawn = drawPlan(seed);
  const plan = values.machines === undefined ? drawn : drawPlanOf(drawn, Number(values.machines));
  const begun = process.cpuUsage();
  const outcome = await run(plan);
  const { user, system } = process.cpuUsage(begun);
  const { violations, operations, answered, revision, entries, digest, trace } = outcome;
  console.log(
    `seed ${seed}: ${plan.machines} machines, ${plan.faults.length} faults, ` +
      `${answered}/${operations} requests answered, ${entries} entries, revision ${revision}, ` +
      `trace ${trace.length} lines ${digest.slice(0, 12)}, ${((user + system) / 1e6).toFixed(2)} s`,
  );
  for (const violation of violations.slice(0, 10)) console.log(`  VIOLATION ${violation}`);
  if (values.trace !== undefined) writeFileSync(values.trace, `${trace.join("\n")}\n`);
  return violations.length === 0;
}

function drawPlanOf(plan: ReturnType<typeof drawPlan>, machines: number) {
  return { ...plan, machines };
}

if (values.seed !== undefined) {
  process.exitCode = (await runSeed(Number(values.seed))) ? 0 : 1;
} else {
  const failed: number[] = [];
  const from = Number(values.from);
  for (let seed = from; seed < from + Number(values.seeds); seed++) {
    if (!(await runSeed(seed))) failed.push(seed);
  }
  console.log(failed.length === 0 ? "no violations" : `violations in seeds ${failed.join(", ")}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
