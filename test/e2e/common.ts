/**
 * etcd's own published suite (`go.etcd.io/etcd/tests/v3/common`) on quord's commands: its tests
 * that need neither users nor TLS for clients, with one member and with three.
 *
 *   npm run common -- [--program quord|etcd] [--others quord|etcd] [--only REGEXP]
 *
 * The suite makes clusters of three in which one member, or two, are of "the last release": these
 * are the others. With `--others etcd` the clusters mix both programs.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Kind, interopBin, needPeer, ROOT } from "../lib/binaries.ts";
import { endWithUs, freshDir } from "../lib/processes.ts";

/** At whichever depth the name of a kind of cluster stands. */
const TLS = ["", "/", "/.*/", "/.*/.*/", "/.*/.*/.*/"].map((above) => `.*${above}Peer(Auto)?TLS`);
const SKIPPED = ["Auth", "User", "Role", ...TLS];
const TEST_MS_MAX = 900_000;

const { values } = parseArgs({
  options: {
    program: { type: "string", default: "quord" },
    others: { type: "string", default: "quord" },
    only: { type: "string", default: "." },
  },
});

/** A folder that holds a program and its tools under etcd's names. */
function folderOf(kind: Kind): string {
  if (kind === "etcd") return interopBin();
  const dir = freshDir();
  const { status, stderr } = spawnSync(join(ROOT, "bin", "quord"), ["shims", dir]);
  if (status !== 0) throw new Error(`quord shims: ${stderr}`);
  return dir;
}

const suite = needPeer("common.test");
const fixtures = readFileSync(join(interopBin(), "..", "fixtures.path"), "utf8").trim();
const dir = folderOf(values.program as Kind);
const child = spawn(
  suite,
  [
    ["-bin-dir", dir, "-bin-last-release", join(folderOf(values.others as Kind), "etcd")],
    ["-cert-dir", fixtures, "-test.v", "-test.timeout", `${TEST_MS_MAX}ms`],
    ["-test.run", values.only, "-test.skip", SKIPPED.join("|")],
  ].flat(),
  { cwd: dir, stdio: ["ignore", "pipe", "inherit"] },
);
endWithUs(child);

let text = "";
child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
  text += chunk;
});
child.once("close", (code) => {
  const outcomes = [...text.matchAll(/^ *--- (PASS|FAIL|SKIP): (\S+) \((.*)\)$/gm)];
  const failed = outcomes.filter(([, outcome]) => outcome === "FAIL");
  if (code !== 0) console.log(text.slice(-400_000));
  for (const [line] of failed) console.log(line);
  const passed = outcomes.filter(([, outcome]) => outcome === "PASS").length;
  const what = `${values.program}, others ${values.others}`;
  console.log(`common: ${what}: ${passed} passed, ${failed.length} failed`);
  process.exit(code ?? 1);
});
