import { FOCUS, PLANTS } from "./plants.ts";
import { simulate } from "./processes.ts";

/** Seeds that a bug may take to be found. */
const SEEDS_MAX = 100;

/** Looks for the bugs that are named, or for all. Resolves to whether all were found. */
export async function findPlants(names: readonly string[], jobs: number): Promise<boolean> {
  const named = PLANTS.filter(({ name }) => names.includes(name));
  const plants = named.length > 0 ? named : PLANTS;
  const queue = [...plants];
  let found = 0;
  const work = async () => {
    for (let plant = queue.shift(); plant !== undefined; plant = queue.shift()) {
      let violation = "";
      let seeds = 0;
      const args = ["--first", "--seeds", `${SEEDS_MAX}`, "--kinds", FOCUS[plant.name] ?? "kill"];
      await simulate(
        args,
        (line) => {
          if (line.startsWith("seed ")) seeds++;
          if (line.includes("VIOLATION") && violation === "") violation = line.trim();
          if (line.startsWith("NOT PLANTED")) console.log(line);
        },
        plant.name,
      );
      if (violation !== "") found++;
      const verdict = violation === "" ? `NOT FOUND in ${seeds} seeds` : `found by seed ${seeds}`;
      console.log(`${plant.name}: ${verdict}: ${plant.what}\n    ${violation.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  console.log(`planted: ${found} of ${plants.length} found`);
  return found === plants.length;
}
