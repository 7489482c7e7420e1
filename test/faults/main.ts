/**
 * System calls that fail under load: a full disk, a broken disk, at a call chosen at random. The
 * server may end, and may refuse; what it has acknowledged must be there after a restart.
 *
 *   npm run faults -- [--rounds 2] [--seed N] [--only REGEXP]
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Prng } from "../../src/base/index.ts";
import { History } from "../crash/history.ts";
import { Load, type Write } from "../crash/load.ts";
import { EXIT_SKIPPED } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import {
  dropDir,
  endWithUs,
  freePort,
  freshDir,
  startMember,
  type Member,
} from "../lib/processes.ts";

interface Fault {
  readonly name: string;
  readonly calls: string;
  readonly error: "ENOSPC" | "EIO" | "EMFILE";
  /** The most calls that a thread may make before the one that fails. */
  readonly afterMax: number;
  /** Large values bring a new log segment, with all that belongs to it, within seconds. */
  readonly paddingBytes?: number;
}

const WRITES = "pwrite64,pwritev,pwritev2";
const SYNCS = "fsync,fdatasync,sync_file_range";
const RENAMES = "rename,renameat,renameat2";
const SIZES = "ftruncate,fallocate";
const LARGE = { paddingBytes: 24_000 };

const FAULTS: readonly Fault[] = [
  { name: "full disk at a write", calls: WRITES, error: "ENOSPC", afterMax: 60 },
  { name: "broken disk at a write", calls: WRITES, error: "EIO", afterMax: 60 },
  { name: "broken disk at a sync", calls: SYNCS, error: "EIO", afterMax: 10 },
  { name: "full disk at a sync", calls: SYNCS, error: "ENOSPC", afterMax: 10 },
  { name: "full disk at an open", calls: "openat", error: "ENOSPC", afterMax: 4, ...LARGE },
  { name: "no descriptor left", calls: "openat", error: "EMFILE", afterMax: 4, ...LARGE },
  { name: "broken disk at a rename", calls: RENAMES, error: "EIO", afterMax: 2, ...LARGE },
  { name: "full disk at a rename", calls: RENAMES, error: "ENOSPC", afterMax: 2, ...LARGE },
  { name: "full disk at making room", calls: SIZES, error: "ENOSPC", afterMax: 2, ...LARGE },
];

/** Low, so that snapshots are written while the calls fail. */
const FLAGS = ["--snapshot-count", "300"];
const CALM_MS = 300;
const FAULTY_MS = 4_000;

/** Makes calls of a running server fail until it is ended. */
async function inject(pid: number, fault: Fault, when: string, record: string) {
  const injection = `inject=${fault.calls}:error=${fault.error}:when=${when}`;
  const args = ["-f", "-p", `${pid}`, "-e", `trace=${fault.calls}`, "-e", injection, "-o", record];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  endWithUs(strace);
  const closed = once(strace, "close");
  const [said] = (await Promise.race([once(strace.stderr, "data"), closed])) as [unknown];
  if (!`${said}`.includes("attached")) throw new Error(`strace: ${said}`);
  return {
    /** Ends the faults. Returns how many calls failed. */
    async end(): Promise<number> {
      strace.kill("SIGINT");
      await closed;
      return readFileSync(record, "utf8").split("(INJECTED)").length - 1;
    },
  };
}

async function underLoad(
  member: Member,
  load: Omit<ConstructorParameters<typeof Load>[0], "client">,
  ms: number,
) {
  const client = new Client(member.endpoint);
  const writers = new Load({ ...load, client, mayBeRefused: true });
  const running = writers.run();
  await Promise.race([running, member.exited, sleep(ms)]);
  writers.stop();
  client.close();
  await running;
}

/** One server, one kind of fault. Returns what there is to say about it. */
async function tryOut(fault: Fault, prng: Prng, round: number): Promise<string> {
  const parent = freshDir();
  const dir = join(parent, "data");
  const ports = { client: await freePort(), peer: await freePort() };
  const options = { dir, ports, flags: FLAGS };
  const member = await startMember("quord", options);
  const writes: Write[] = [];
  const { paddingBytes = 0 } = fault;
  await underLoad(member, { prng, writes, round: 0 }, CALM_MS);
  // Strace counts calls for each thread by itself.
  const when = `${1 + prng.below(fault.afterMax)}${round % 2 === 0 ? "+" : ""}`;
  const faults = await inject(member.pid, fault, when, join(parent, "strace"));
  await underLoad(member, { prng, writes, round: 1, paddingBytes }, FAULTY_MS);
  const ended = (await Promise.race([member.exited, sleep(500)])) !== undefined;
  const failed = await faults.end();
  await member.kill();

  const again = await startMember("quord", options);
  const client = new Client(again.endpoint);
  await new History().check(client, writes).catch((error) => {
    throw new Error(`call ${when}, ${failed} failed: ${error}\n${member.log()}\n${again.log()}`);
  });
  client.close();
  await again.stop();
  dropDir(parent);
  const acknowledged = writes.filter(({ revision }) => revision !== undefined).length;
  const fate = ended ? "ended" : "went on";
  return `call ${when}: ${failed} failed, the server ${fate}; ${acknowledged} acknowledged writes`;
}

function straceWorks(): boolean {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "2" },
      seed: { type: "string", default: `${Date.now() % 1_000_000}` },
      only: { type: "string", default: "" },
    },
  });
  if (!straceWorks()) {
    console.log("skipped: strace not found");
    return EXIT_SKIPPED;
  }
  const prng = new Prng(Number(values.seed));
  const faults = FAULTS.filter(({ name }) => new RegExp(values.only).test(name));
  let failed = 0;
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const fault of faults) {
      try {
        console.log(`ok      ${fault.name}, ${await tryOut(fault, prng, round)}`);
      } catch (error) {
        failed++;
        console.log(`FAILED  ${fault.name}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  const runs = faults.length * Number(values.rounds);
  console.log(
    `faults: ${runs} servers with failing calls, ${failed} broke a promise (seed ${values.seed})`,
  );
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
