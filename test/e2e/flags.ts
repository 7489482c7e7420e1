/**
 * The same command lines, variables and configuration files for etcd and quord: both must start, or
 * both must end with the same status and say the same of what is wrong or doubtful.
 *
 *   npm run flags -- [--only REGEXP]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { type Kind, needPeer, serverProgram } from "../lib/binaries.ts";
import { dropDir, endWithUs, freePort, freshDir } from "../lib/processes.ts";
import { CASES, type Case } from "./flag-lines.ts";

const TIMEOUT_MS = 20_000;
const READY = "ready to serve client requests";

/** What a start came to: `started`, or a status, and what was said above the level of information. */
interface Outcome {
  readonly end: string;
  readonly said: readonly string[];
}

interface Place {
  readonly client: number;
  readonly peer: number;
}

async function run(kind: Kind, test: Case, place: Place): Promise<Outcome> {
  const dir = freshDir();
  const fill = (text: string): string =>
    text
      .replaceAll("{dir}", dir)
      .replaceAll("{client}", `http://127.0.0.1:${place.client}`)
      .replaceAll("{peer}", `http://127.0.0.1:${place.peer}`);
  if (test.file !== undefined) writeFileSync(join(dir, "etcd.yaml"), fill(test.file));
  const env: Record<string, string> = { PATH: process.env["PATH"]! };
  for (const [name, value] of Object.entries(test.env ?? {})) env[name] = fill(value);
  const child = spawn(serverProgram(kind), test.args.map(fill), {
    cwd: dir,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithUs(child);
  const { end, output } = await watch(child);
  dropDir(dir);
  return { end, said: said(output).map((line) => line.replaceAll(dir, "{dir}")) };
}

function watch(child: ChildProcess): Promise<{ end: string; output: string }> {
  return new Promise((resolve) => {
    let output = "";
    let isReady = false;
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    const listen = (chunk: Buffer) => {
      output += chunk;
      if (isReady || !output.includes(READY)) return;
      isReady = true;
      // What follows is about the stop.
      const before = output;
      child.kill("SIGTERM");
      child.once("close", () => resolve({ end: "started", output: before }));
    };
    child.stdout!.on("data", listen);
    child.stderr!.on("data", listen);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (!isReady) resolve({ end: String(code ?? signal), output });
    });
  });
}

/** Said of etcd's inside, not of the settings. */
const ELSEWHERE = new Set([
  // Said once more by the caller.
  "bootstrap failed",
  "simple token is not cryptographically signed",
  "closing peer listener",
  "creating peer listener failed",
  "closing client listener",
  // Of the first look at the version of a new database, which comes before or after `ready`.
  "Failed to detect schema version",
  "failed to update storage version",
]);

/** Messages that matter, without time and place; of other text the first line. */
function said(output: string): string[] {
  const lines = output.split("\n").filter((line) => line !== "");
  const texts = lines.filter((line) => !line.startsWith("{"));
  const entries = lines.flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const { level, ts: _ts, caller: _caller, stacktrace: _stack, ...rest } = JSON.parse(line);
    if (level === "info" && !/environment variable|will be ignored/.test(rest.msg)) return [];
    return ELSEWHERE.has(rest.msg) ? [] : [JSON.stringify({ level, ...rest })];
  });
  // etcd checks, and warns, twice.
  return [...new Set([...texts.slice(0, 1), ...entries])];
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
  needPeer("etcd");
  const tests = CASES.filter(({ name }) => new RegExp(values.only).test(name));
  let differing = 0;
  for (const test of tests) {
    const place = { client: await freePort(), peer: await freePort() };
    const etcd = await run("etcd", test, place);
    const quord = await run("quord", test, place);
    if (agrees(test, etcd, quord)) continue;
    differing++;
    console.log(`${test.name}\n  etcd:  ${show(etcd)}\n  quord: ${show(quord)}`);
  }
  console.log(`flags: ${tests.length} settings, ${differing} differ`);
  return differing === 0 ? 0 : 1;
}

function agrees({ quord: expected, sameEnd }: Case, etcd: Outcome, quord: Outcome): boolean {
  if (expected !== undefined) return `${quord.end} ${quord.said.join(" ")}`.includes(expected);
  if (sameEnd) return etcd.end === quord.end;
  return isDeepStrictEqual({ ...etcd }, { ...quord });
}

const show = ({ end, said }: Outcome): string => `${end}\n         ${said.join("\n         ")}`;

process.exit(await main());
