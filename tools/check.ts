/** `npm run check`: types, lint, format and the house rules, each reported, all run. */
import { spawnSync } from "node:child_process";

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  types: ["tsc", "-p", "."],
  lint: ["oxlint", "--deny-warnings", "src", "test", "tools"],
  format: ["biome", "format", "."],
  rooms: ["node", "tools/tidy.ts"],
};

let failed = 0;
for (const [name, [command, ...args]] of Object.entries(CHECKS)) {
  const { status } = spawnSync(command!, args, { stdio: "inherit" });
  process.stdout.write(`${status === 0 ? "ok    " : "FAILED"} ${name}\n`);
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
