/**
 * Members on disks that fail, in one process: `rounds.test.ts` with as many rounds as you like.
 *
 *   npm run sim:member -- [--rounds 10000] [--seed N]
 */
import { parseArgs } from "node:util";
import { runRounds } from "./rounds.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000_000}` },
  },
});
const options = { rounds: Number(values.rounds), seed: Number(values.seed) };
const { ends, promises, entries } = await runRounds(options);
console.log(
  `sim: ${values.rounds} lives (${JSON.stringify(ends)}), ${entries} entries, ` +
    `${promises} promises kept (seed ${values.seed})`,
);
