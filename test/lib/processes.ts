/** Starts and ends real servers: free ports, fresh directories, and nothing left behind. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { serverProgram, type Kind } from "./binaries.ts";
import { answers } from "./probe.ts";

/**
 * Below every system's range for outgoing connections, so nobody else is handed these ports.
 * Commands that run for long beside others choose other ones.
 */
const PORT_FIRST = Number(process.env["QUORD_TEST_PORT_FIRST"] ?? 23_000);
const PORT_COUNT = 1_000;
/** A member that has not answered by then never will. */
const SERVE_TIMEOUT_MS = 60_000;
/** How much of a member's log is kept for the report of a failure. */
const LOG_TAIL_CHARS = 64_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface MemberOptions {
  /** Kept when given, else a fresh directory that goes with the process. */
  readonly dir?: string;
  readonly name?: string;
  /** More flags, after the ones every member gets. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Ports of an earlier run: a restarted member keeps its addresses. */
  readonly ports?: Ports;
  /** Ports that it says it has, where they are not those it listens on. */
  readonly advertised?: Ports;
}

export interface Ports {
  readonly client: number;
  readonly peer: number;
}

/**
 * Servers that are compared all say that they live here, so that their cluster and member ids come
 * out equal.
 */
export const ADVERTISED: Ports = { client: 2379, peer: 2380 };

/** One running server. */
export interface Member {
  readonly kind: Kind;
  readonly pid: number;
  readonly dir: string;
  readonly ports: Ports;
  /** host:port for clients. */
  readonly endpoint: string;
  /** `performance.now()` just before the program was executed. */
  readonly startedAt: number;
  /** The end of what it wrote to stderr and stdout. */
  log(): string;
  readonly exited: Promise<Exit>;
  alive(): boolean;
  /** Resolves when the first request was answered; rejects when the process ends before. */
  serving(): Promise<void>;
  /** Asks it to end, and kills it when it has not within 10 s. */
  stop(): Promise<Exit>;
  kill(): Promise<Exit>;
}

const running = new Set<ChildProcess>();
const freshDirs = new Set<string>();

/** Ends every process and removes every directory that this module made. Runs at exit by itself. */
function cleanUp(): void {
  for (const child of running) child.kill("SIGKILL");
  for (const dir of freshDirs) remove(dir);
}
process.on("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(1));
}

/** Ends a process of another kind with this one, at the latest. */
export function endWithUs(child: ChildProcess): void {
  running.add(child);
  child.once("close", () => running.delete(child));
}

/** A killed process may write its last while its directory is being removed: hence the retries. */
function remove(dir: string): void {
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** A fresh directory, removed when this process ends. `parent` chooses the file system. */
export function freshDir(parent: string = tmpdir()): string {
  const dir = mkdtempSync(join(parent, "quord-test-"));
  freshDirs.add(dir);
  return dir;
}

/** Removes a directory made by freshDir early. */
export function dropDir(dir: string): void {
  remove(dir);
  freshDirs.delete(dir);
}

let portOffset = (process.pid * 37) % PORT_COUNT;

/** A port nobody listens on, and that this process has not handed out lately. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_COUNT; tries++) {
    portOffset = (portOffset + 1) % PORT_COUNT;
    const port = PORT_FIRST + portOffset;
    if (await isFree(port)) return port;
  }
  throw new Error("no free port");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

const url = (port: number) => `http://127.0.0.1:${port}`;

/** The flags of a cluster of one. */
function memberFlags(dir: string, ports: Ports, options: MemberOptions): string[] {
  const name = options.name ?? "m";
  const advertised = options.advertised ?? ports;
  return [
    ["--name", name, "--data-dir", dir],
    ["--listen-client-urls", url(ports.client), "--advertise-client-urls", url(advertised.client)],
    ["--listen-peer-urls", url(ports.peer), "--initial-advertise-peer-urls", url(advertised.peer)],
    ["--initial-cluster", `${name}=${url(advertised.peer)}`],
  ].flat();
}

/** Starts a cluster of one and returns at once. */
export async function spawnMember(kind: Kind, options: MemberOptions = {}): Promise<Member> {
  const dir = options.dir ?? join(freshDir(), "data");
  const ports = options.ports ?? { client: await freePort(), peer: await freePort() };
  const flags = [...memberFlags(dir, ports, options), ...(options.flags ?? [])];
  const startedAt = performance.now();
  const child = spawn(serverProgram(kind), flags, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ETCD_LOG_LEVEL: "warn", ...options.env },
  });
  return memberOf(child, { kind, dir, ports, startedAt });
}

/** Starts a cluster of one and waits until it has answered a request. */
export async function startMember(kind: Kind, options: MemberOptions = {}): Promise<Member> {
  const member = await spawnMember(kind, options);
  await member.serving();
  return member;
}

type Facts = Pick<Member, "kind" | "dir" | "ports" | "startedAt">;

function memberOf(child: ChildProcess, facts: Facts): Member {
  running.add(child);
  let log = "";
  const keep = (chunk: Buffer) => (log = (log + chunk).slice(-LOG_TAIL_CHARS));
  child.stdout!.on("data", keep);
  child.stderr!.on("data", keep);
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => {
      log += String(error);
      resolve({ code: 127, signal: null });
    });
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  void exited.then(() => running.delete(child));
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    const exit = await exited;
    clearTimeout(timer);
    return exit;
  };
  return {
    ...facts,
    pid: child.pid ?? -1,
    endpoint: `127.0.0.1:${facts.ports.client}`,
    log: () => log,
    exited,
    alive: () => running.has(child),
    serving: () => serving(facts, exited, () => log),
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

async function serving(facts: Facts, exited: Promise<Exit>, log: () => string): Promise<void> {
  let exit: Exit | undefined;
  void exited.then((value) => (exit = value));
  const deadline = performance.now() + SERVE_TIMEOUT_MS;
  for (;;) {
    if (await answers(facts.ports.client)) return;
    if (exit !== undefined) {
      throw new Error(`${facts.kind} ended (${exit.code ?? exit.signal}) before serving\n${log()}`);
    }
    if (performance.now() > deadline) throw new Error(`${facts.kind} does not answer\n${log()}`);
    await sleep(2);
  }
}

/** What a command that ran to its end left behind. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. Code 124 when it took longer than the timeout (60 s by default). */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly timeoutMs?: number } = {},
): Promise<Ran> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, options.timeoutMs ?? 60_000);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk) => out.push(chunk));
  child.stderr.on("data", (chunk) => err.push(chunk));
  try {
    const [code] = await once(child, "close");
    const [stdout, stderr] = [out, err].map((chunks) => Buffer.concat(chunks).toString("latin1"));
    return { code: timedOut ? 124 : (code ?? 128), stdout: stdout!, stderr: stderr! };
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}
