import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const MAIN = new URL("main.ts", import.meta.url).pathname;
const HOOK = new URL("plant-hook.ts", import.meta.url).pathname;

/** Seeds that one process runs: then it makes room for a new one. */
const SEEDS_MAX = 50;

/** Runs a simulation in a process of its own. Resolves to its exit code; lines are passed on. */
export function simulate(
  args: readonly string[],
  onLine: (line: string) => void,
  plant?: string,
): Promise<number> {
  const hook = plant === undefined ? [] : ["--import", HOOK];
  const child = spawn(process.execPath, [...hook, MAIN, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...(plant !== undefined && { QUORD_SIM_PLANT: plant }) },
  });
  createInterface({ input: child.stdout }).on("line", onLine);
  return new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1)));
}

/** Runs a test file with a bug planted. Resolves to the first test that fails, "" for none. */
export function failingTest(
  file: string,
  plant: string,
  onLine: (line: string) => void,
): Promise<string> {
  const child = spawn(process.execPath, ["--import", HOOK, "--test-reporter=tap", file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, QUORD_SIM_PLANT: plant },
  });
  let failing = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (failing === "") failing = /^not ok \d+ - (.*)/.exec(line)?.[1] ?? "";
    onLine(line);
  });
  return new Promise((resolve) => child.on("close", () => resolve(failing)));
}

/** Runs so many seeds on so many processes. Resolves to whether nothing was violated. */
export async function spread(options: {
  from: number;
  count: number;
  jobs: number;
}): Promise<boolean> {
  const { from, count, jobs } = options;
  const begun = performance.now();
  const failed: string[] = [];
  let done = 0;
  let next = from;
  const work = async () => {
    while (next < from + count) {
      const first = next;
      const seeds = Math.min(SEEDS_MAX, from + count - first);
      next += seeds;
      const args = ["--jobs", "1", "--from", `${first}`, "--seeds", `${seeds}`];
      let told = "";
      const code = await simulate(args, (line) => {
        const isSeed = line.startsWith("seed ");
        if (isSeed) done++;
        if (line.includes("VIOLATION") && told !== "") console.log(told);
        if (!isSeed) console.log(line);
        told = isSeed ? line : "";
        if (line.startsWith("violations in seeds ")) failed.push(line.slice(20));
      });
      if (code !== 0 && failed.length === 0) failed.push(`${first} to ${first + seeds - 1}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  const verdict = failed.length === 0 ? "nothing violated" : `violations: ${failed.join(", ")}`;
  console.log(`sim: ${done} seeds from ${from} in ${seconds} s, ${verdict}`);
  return failed.length === 0;
}
