/** One place in a cluster: a name, addresses and a directory, and whichever process has it now. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { peer, serverProgram } from "../lib/binaries.ts";
import { Client } from "../lib/grpc.ts";
import { dropDir, endWithUs, freePort, freshDir } from "../lib/processes.ts";
import { Cluster as ClusterApi, KV, Maintenance } from "../lib/api.ts";
import type { StatusResponse } from "../lib/api.ts";

/** A program that can have a seat. */
export type Program = "quord" | "etcd" | "etcd-3.6";

const STOP_MS_MAX = 20_000;
const SERVE_MS_MAX = 60_000;
const LOG_TAIL_CHARS = 64_000;

export interface SeatOptions {
  readonly name: string;
  readonly flags: readonly string[];
  /** Where it lives, when not on loopback. */
  readonly place?: Place | undefined;
  /** The port that the others are told, where something stands between: from the real one. */
  readonly advertisedPeerPort?: ((real: number) => Promise<number>) | undefined;
}

/** A network namespace with one address. */
export interface Place {
  readonly address: string;
  /** What to put before a command so that it runs there. */
  readonly enter: readonly string[];
}

/** How a process is to join. */
export interface Birth {
  readonly initialCluster: string;
  readonly state: "new" | "existing";
}

export function pathOf(program: Program): string | undefined {
  return program === "etcd-3.6" ? peer("etcd-3.6") : serverProgram(program);
}

export class Seat {
  readonly name: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly advertisedPeerPort: number;
  readonly client: Client;
  dir: string;
  program: Program = "etcd";
  readonly #options: SeatOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #log = "";
  #birth: Birth | undefined;
  /** Since its last start it has answered. */
  isServing = false;
  /** Stopped by SIGSTOP. */
  isPaused = false;

  private constructor(options: SeatOptions, ports: readonly [number, number, number]) {
    this.#options = options;
    this.name = options.name;
    this.address = options.place?.address ?? "127.0.0.1";
    [this.clientPort, this.peerPort, this.advertisedPeerPort] = ports;
    this.dir = join(freshDir(), "data");
    this.client = new Client(this.endpoint);
  }

  static async make(options: SeatOptions): Promise<Seat> {
    const peerPort = await freePort();
    const advertised = (await options.advertisedPeerPort?.(peerPort)) ?? peerPort;
    return new Seat(options, [await freePort(), peerPort, advertised]);
  }

  get endpoint(): string {
    return `${this.address}:${this.clientPort}`;
  }

  get peerUrl(): string {
    return `http://${this.address}:${this.advertisedPeerPort}`;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** The end of what its processes wrote. */
  get log(): string {
    return this.#log;
  }

  /** Starts a program in the seat: again when no birth is given. */
  start(program: Program, birth: Birth | undefined = this.#birth): void {
    this.program = program;
    this.#birth = birth;
    const path = pathOf(program);
    if (path === undefined || birth === undefined) throw new Error(`cannot start ${program}`);
    const [command, ...args] = [...(this.#options.place?.enter ?? []), path, ...this.#flags(birth)];
    const child = spawn(command!, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ETCD_LOG_LEVEL: process.env["ETCD_LOG_LEVEL"] ?? "warn" },
    });
    endWithUs(child);
    const keep = (chunk: Buffer) => (this.#log = (this.#log + chunk).slice(-LOG_TAIL_CHARS));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", keep);
    this.#child = child;
    this.isServing = false;
    this.#exited = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#log += `--- ${program} ended: ${code ?? signal}\n`;
        if (this.#child === child) {
          this.#child = undefined;
          this.isServing = false;
        }
        resolve(undefined);
      });
    });
  }

  #flags({ initialCluster, state }: Birth): string[] {
    const clientUrl = `http://${this.endpoint}`;
    return [
      ["--name", this.name, "--data-dir", this.dir],
      ["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
      ["--listen-peer-urls", `http://${this.address}:${this.peerPort}`],
      ["--initial-advertise-peer-urls", this.peerUrl],
      ["--initial-cluster", initialCluster, "--initial-cluster-state", state],
      ["--initial-cluster-token", "test"],
      this.#options.flags,
    ].flat();
  }

  /** A clean stop. Rejects when that takes too long. */
  async stop(): Promise<void> {
    this.isServing = false;
    const child = this.#child;
    child?.kill("SIGTERM");
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child?.kill("SIGKILL");
    }, STOP_MS_MAX);
    await this.#exited;
    clearTimeout(timer);
    if (isLate) throw new Error(`${this.name} did not stop\n${this.#log.slice(-4_000)}`);
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  pause(): void {
    this.isPaused = true;
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.isPaused = false;
    this.#child?.kill("SIGCONT");
  }

  /** Throws the directory away: who sits here next starts empty. */
  forget(): void {
    dropDir(join(this.dir, ".."));
    this.dir = join(freshDir(), "data");
  }

  /** What a member says of itself; undefined when it does not answer. */
  async status(timeoutMs = 1_000): Promise<StatusResponse | undefined> {
    const deadline = Date.now() + timeoutMs;
    return this.client.call(Maintenance.method.status, {}, { deadline }).catch(() => undefined);
  }

  /** Resolves when it answers a linearizable read, as a learner when it answers at all. */
  async serving(timeoutMs = SERVE_MS_MAX): Promise<void> {
    const until = performance.now() + timeoutMs;
    while (!(await this.#answers())) {
      if (!this.isRunning || performance.now() > until) {
        const { leader, raftTerm, raftAppliedIndex, raftIndex, errors } =
          (await this.status(5_000)) ?? {};
        const told = `leader ${leader}, term ${raftTerm}, applied ${raftAppliedIndex} of ${raftIndex}`;
        throw new Error(
          `${this.name} (${this.program}) does not serve: ${told}, ${errors}\n${this.#log}`,
        );
      }
      await sleep(20);
    }
    this.isServing = true;
  }

  async #answers(): Promise<boolean> {
    const deadline = Date.now() + 2_000;
    const status = await this.status();
    if (status === undefined) return false;
    if (status.isLearner) return status.leader !== 0n;
    const range = this.client.call(KV.method.range, { key: Buffer.from("\0") }, { deadline });
    return range.then(
      () => true,
      () => false,
    );
  }

  members(linearizable = true): Promise<{ readonly ID: bigint; readonly name: string }[]> {
    const deadline = Date.now() + 5_000;
    const answer = this.client.call(ClusterApi.method.memberList, { linearizable }, { deadline });
    return answer.then(({ members }) => members);
  }

  close(): void {
    this.client.close();
    dropDir(join(this.dir, ".."));
  }
}
