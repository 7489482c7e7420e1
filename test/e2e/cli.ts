/**
 * The same command lines for etcd's tools and quord's, each against a server of its own that has
 * seen the same: standard output, standard error and exit code must be equal to the byte.
 *
 *   npm run cli -- [--only REGEXP] [--scene REGEXP] [--server etcd|quord]
 */
import { parseArgs } from "node:util";
import { ctlProgram, type Kind } from "../lib/binaries.ts";
import { ADVERTISED, startMember } from "../lib/processes.ts";
import { SCENES } from "./cli-lines.ts";
import { evenOut, startCluster } from "./cli-cluster.ts";
import { type Line, type Scene, type Served, type Shown, Side } from "./cli-side.ts";
import { compareUtl } from "./cli-utl.ts";

interface Tally {
  compared: number;
  differing: number;
}

async function play(scene: Scene, kind: Kind, only: RegExp, tally: Tally): Promise<void> {
  const [first, second] = await startTwo(scene, kind);
  const theirs = new Side(ctlProgram("etcd"), first);
  const ours = new Side(ctlProgram("quord"), second);
  for (const entry of scene.lines) {
    const line = typeof entry === "string" ? { line: entry } : entry;
    const [a, b] = await Promise.all([ours.run(line), theirs.run(line)]);
    if (!only.test(line.line)) continue;
    tally.compared++;
    if (a.stdout === b.stdout && a.stderr === b.stderr && a.code === b.code) continue;
    tally.differing++;
    report(`${scene.name}, server ${kind}`, line, a, b);
  }
  await Promise.all([...first.members, ...second.members].map((member) => member.stop()));
}

/** A server for each side, in the same state. */
async function startTwo({ cluster, flags = [] }: Scene, kind: Kind): Promise<[Served, Served]> {
  if (cluster) {
    const start = () => startCluster(kind, flags);
    const clusters = await Promise.all([start(), start()]);
    await evenOut(clusters);
    return clusters;
  }
  const options = { advertised: ADVERTISED, flags };
  const start = async () => ({ members: [await startMember(kind, options)] });
  return [await start(), await start()];
}

function report(where: string, line: Line, ours: Shown, theirs: Shown): void {
  const input =
    line.input === undefined ? "" : `  (input ${JSON.stringify(line.input.slice(0, 200))})`;
  console.log(`DIFFERENT  ${line.line}${input}  (${where})`);
  for (const field of ["stdout", "stderr", "code"] as const) {
    if (ours[field] === theirs[field]) continue;
    const from = firstDifference(ours[field], theirs[field]);
    console.log(`  ${field}, quordctl: ${readable(ours[field], from)}`);
    console.log(`  ${field}, etcdctl:  ${readable(theirs[field], from)}`);
  }
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** What surrounds the difference. */
function readable(bytes: string, at: number): string {
  const start = Math.max(0, at - 100);
  const shown = Buffer.from(bytes.slice(start, at + 300), "latin1").toString("utf8");
  return `${start > 0 ? "... " : ""}${JSON.stringify(shown)}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      scene: { type: "string", default: "" },
      server: { type: "string", default: "" },
    },
  });
  const tally: Tally = { compared: 0, differing: 0 };
  const scenes = SCENES.filter(({ name }) => new RegExp(values.scene).test(name));
  for (const kind of ["etcd", "quord"] as const) {
    if (values.server !== "" && values.server !== kind) continue;
    for (const scene of scenes) {
      if (scene.servers?.includes(kind) === false) continue;
      await play(scene, kind, new RegExp(values.only), tally);
    }
  }
  // etcdutl and quordutl need no server.
  const files = /files/.test(values.scene) || values.scene + values.server === "";
  const { compared: fileLines, differing: fileDiffering } = files
    ? await compareUtl(new RegExp(values.only))
    : { compared: 0, differing: 0 };
  const distinct = scenes.reduce((sum, { lines }) => sum + lines.length, 0);
  const compared = tally.compared + fileLines;
  const differing = tally.differing + fileDiffering;
  console.log(
    `cli: ${distinct + fileLines} command lines, ${compared} comparisons, ${differing} differ`,
  );
  return differing === 0 ? 0 : 1;
}

process.exit(await main());
