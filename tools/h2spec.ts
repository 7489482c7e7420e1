/**
 * `npm run h2spec`: HTTP/2 conformance of the client port, by h2spec. Passes when at most the cases
 * below fail.
 */
import { spawnSync } from "node:child_process";
import { EXIT_SKIPPED, peer } from "../test/lib/binaries.ts";
import { freshDir, startMember } from "../test/lib/processes.ts";

/** h2spec 2.2.1 has 145 cases. */
const PASSED_MIN = 140;

const h2spec = peer("h2spec");
if (h2spec === undefined) {
  process.stdout.write("h2spec: skipped, not found; run: npm run interop\n");
  process.exit(EXIT_SKIPPED);
}
const member = await startMember("quord", { dir: freshDir() });
const [host, port] = member.endpoint.split(":");
const { stdout } = spawnSync(h2spec, ["-h", host!, "-p", port!, "--timeout", "2"], {
  encoding: "utf8",
});
await member.kill();
const [, total = "0", passed = "0"] = /(\d+) tests, (\d+) passed/.exec(stdout) ?? [];
process.stdout.write(stdout.slice(stdout.indexOf("Failures:")));
process.stdout.write(`h2spec: ${passed} of ${total} passed, ${PASSED_MIN} are needed\n`);
process.exit(Number(passed) >= PASSED_MIN ? 0 : 1);
