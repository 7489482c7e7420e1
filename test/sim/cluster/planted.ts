import { FOCUS, type Plant, PLANTS, TOLD_BY } from "./plants.ts";
import { failingTest, simulate } from "./processes.ts";

/** Seeds that a bug may take to be found. */
const SEEDS_MAX = 100;

const ROOT = new URL("../../../", import.meta.url).pathname;

/** Looks for the bugs that are named, or for all. Resolves to whether all were found. */
export async function findPlants(names: readonly string[], jobs: number): Promise<boolean> {
  const named = PLANTS.filter(({ name }) => names.includes(name));
  const plants = named.length > 0 ? named : PLANTS;
  const queue = [...plants];
  let found = 0;
  const work = async () => {
    for (let plant = queue.shift(); plant !== undefined; plant = queue.shift()) {
      const test = TOLD_BY[plant.name];
      const told = test === undefined ? await bySimulation(plant) : await byTest(plant, test);
      if (told.isFound) found++;
      console.log(`${plant.name}: ${told.verdict}: ${plant.what}`);
      if (told.isFound) console.log(`    ${told.what.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  console.log(`planted: ${found} of ${plants.length} found`);
  return found === plants.length;
}

interface Told {
  readonly isFound: boolean;
  readonly verdict: string;
  /** The violation, or the test that failed. */
  readonly what: string;
}

async function bySimulation({ name }: Plant): Promise<Told> {
  let what = "";
  let seeds = 0;
  const args = ["--first", "--seeds", `${SEEDS_MAX}`, "--kinds", FOCUS[name] ?? "kill"];
  await simulate(
    args,
    (line) => {
      if (line.startsWith("seed ")) seeds++;
      if (line.includes("VIOLATION") && what === "") what = line.trim();
      sayUnplanted(line);
    },
    name,
  );
  const isFound = what !== "";
  const verdict = isFound ? `found by seed ${seeds}` : `NOT FOUND in ${seeds} seeds`;
  return { isFound, verdict, what };
}

async function byTest({ name }: Plant, file: string): Promise<Told> {
  const what = await failingTest(`${ROOT}${file}`, name, sayUnplanted);
  const isFound = what !== "";
  return { isFound, verdict: `${isFound ? "found" : "NOT FOUND"} by ${file}`, what };
}

function sayUnplanted(line: string): void {
  if (line.startsWith("NOT PLANTED")) console.log(line);
}
