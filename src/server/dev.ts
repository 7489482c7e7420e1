/**
 * `quord dev`: a cluster on this machine in one command. Its members are processes of their own,
 * which can be killed and started again by name: for trying out what a cluster survives.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const USAGE = `usage: quord dev [--members N] [--data-dir DIR] [--port N] [-- FLAG...]

  --members 3           how many members, named m1, m2, ...
  --data-dir quord-dev  where their data and logs are
  --port 2379           for clients of m1; the next is for its peers, the next two are m2's, ...
  -- FLAG...            flags of quord, for every member

A directory that holds a cluster keeps its number of members and its ports.
`;

const HELP = `kill NAME     end a member at once (kill -9)
stop NAME     stop a member cleanly
start NAME    start it again, on its data; restart NAME does both
pause NAME    hold it (SIGSTOP); resume NAME lets it go on
status        who is there, and who leads
quit          stop all
`;

const MEMBERS_MAX = 9;
/** A member alone may wait for others for ever; so long is told as a failure to start. */
const READY_MS_MAX = 60_000;
const READY_POLL_MS = 50;
const STATUS_MS_MAX = 1_000;
const LOG_TAIL_CHARS = 2_000;

/** The command line is wrong, or what is there does not fit it. */
class DevError extends Error {}

/** What a cluster keeps from run to run: its members know each other by it. */
interface Shape {
  readonly members: number;
  readonly port: number;
}

interface Options extends Shape {
  readonly dir: string;
  readonly flags: readonly string[];
}

const SHAPE_USUAL: Shape = { members: 3, port: 2_379 };
const SHAPE_FILE = "dev.json";

/** Runs until it is told to stop. Resolves with the exit code of the process. */
export async function runDev(argv: readonly string[]): Promise<number> {
  try {
    const options = readOptions(argv);
    if (options === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    return await new Dev(options).run();
  } catch (error) {
    if (!(error instanceof DevError)) throw error;
    process.stderr.write(`quord dev: ${error.message}\n`);
    return 1;
  }
}

function readOptions(argv: readonly string[]): Options | undefined {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  const values = parse(own);
  if (values.help) return undefined;
  const dir = values["data-dir"];
  const { members, port } = shapeIn(dir, values);
  if (!(Number.isInteger(members) && members >= 1 && members <= MEMBERS_MAX)) {
    throw new DevError(`--members must be 1 to ${MEMBERS_MAX}`);
  }
  if (!(Number.isInteger(port) && port > 0 && port + 2 * members <= 65_536)) {
    throw new DevError("--port must be a port with others free behind it");
  }
  const flags = end < 0 ? [] : argv.slice(end + 1);
  return { members, dir, port, flags };
}

/** As asked for; a directory that holds a cluster is not to be asked for another. */
function shapeIn(dir: string, asked: { readonly members?: string; readonly port?: string }): Shape {
  const file = join(dir, SHAPE_FILE);
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Shape) : undefined;
  const { members, port } = { ...SHAPE_USUAL, ...kept };
  const shape = { members: Number(asked.members ?? members), port: Number(asked.port ?? port) };
  if (kept === undefined || (shape.members === members && shape.port === port)) return shape;
  const flags = `--members ${members} --port ${port}`;
  throw new DevError(`${dir} holds a cluster of ${flags}: take these, or another --data-dir`);
}

function parse(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        members: { type: "string" },
        "data-dir": { type: "string", default: "quord-dev" },
        port: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new DevError(`${(error as Error).message}\n\n${USAGE}`);
  }
}

class Dev {
  readonly #options: Options;
  readonly #members: readonly DevMember[];
  readonly #stopped = Promise.withResolvers<number>();
  #isStopping = false;

  constructor(options: Options) {
    this.#options = options;
    this.#takeDir();
    const names = Array.from({ length: options.members }, (_, i) => `m${i + 1}`);
    const peerUrl = (i: number) => `http://127.0.0.1:${options.port + 2 * i + 1}`;
    const initialCluster = names.map((name, i) => `${name}=${peerUrl(i)}`).join(",");
    this.#members = names.map((name, i) => {
      const client = `127.0.0.1:${options.port + 2 * i}`;
      const ended = (how: string) => this.#ended(name, how);
      return new DevMember({ ...options, name, client, peer: peerUrl(i), initialCluster, ended });
    });
  }

  /** One run at a time has the directory. */
  #takeDir(): void {
    const { dir, members, port } = this.#options;
    mkdirSync(dir, { recursive: true });
    const names = readdirSync(dir);
    const running = names.filter((name) => name.endsWith(".pid") && isAlive(join(dir, name)));
    if (running.length > 0) {
      throw new DevError(
        `members of an earlier run are still there: ${running.join(", ")} in ${dir}`,
      );
    }
    writeFileSync(join(dir, SHAPE_FILE), `${JSON.stringify({ members, port })}\n`);
  }

  async run(): Promise<number> {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => this.#stop(0));
    }
    await this.#checkPorts();
    for (const member of this.#members) member.start();
    const ready = Promise.all(this.#members.map((member) => member.ready()));
    ready.then(
      () => this.#greet(),
      (error: Error) => {
        if (!this.#isStopping) print(error.message);
        this.#stop(1);
      },
    );
    return this.#stopped.promise;
  }

  /** Whoever answers at a member's port would be taken for the member. */
  async #checkPorts(): Promise<void> {
    const { members, port } = this.#options;
    const ports = Array.from({ length: 2 * members }, (_, i) => port + i);
    const taken = (await Promise.all(ports.map(isTaken))).flatMap((is, i) => (is ? port + i : []));
    if (taken.length === 0) return;
    throw new DevError(`ports in use: ${taken.join(", ")}; --port chooses others`);
  }

  #greet(): void {
    if (this.#isStopping) return;
    const { dir } = this.#options;
    for (const { name, client, pid } of this.#members) {
      print(`${name}  http://${client}  pid ${pid}`);
    }
    const endpoints = this.#members.map(({ client }) => client).join(",");
    print(`data and logs are in ${dir}; from another terminal:\n`);
    print(`  ${clientCommand()} --endpoints ${endpoints} put greeting hello`);
    print(`  kill -9 $(cat ${join(dir, "m1.pid")})\n`);
    print(
      `here: ${HELP.split("\n")
        .flatMap((line) => /^\w+( NAME)?/.exec(line)?.[0] ?? [])
        .join(", ")}`,
    );
    this.#listen();
  }

  /** Without anybody at the keyboard it runs until a signal. */
  #listen(): void {
    const lines = createInterface({
      input: process.stdin,
      prompt: "dev> ",
      output: process.stdout,
    });
    if (process.stdin.isTTY) lines.prompt();
    lines.on("line", (line) => {
      void this.#obey(line.trim().split(/\s+/)).then(() => {
        if (process.stdin.isTTY && !this.#isStopping) lines.prompt();
      });
    });
    lines.on("SIGINT", () => this.#stop(0));
  }

  async #obey([word = "", name = ""]: readonly string[]): Promise<void> {
    if (word === "") return;
    if (word === "quit" || word === "exit") return this.#stop(0);
    if (word === "status") return this.#tellStatus();
    const action = ACTIONS[word];
    if (action === undefined) return print(HELP.trimEnd());
    const member = this.#members.find((one) => one.name === name);
    if (member === undefined) {
      return print(`which one? ${this.#members.map((one) => one.name).join(", ")}`);
    }
    await action(member);
  }

  async #tellStatus(): Promise<void> {
    const lines = await Promise.all(this.#members.map((member) => member.describe()));
    for (const line of lines) print(line);
  }

  #ended(name: string, how: string): void {
    if (!this.#isStopping) print(`${name} ended: ${how}; start ${name} brings it back`);
  }

  /** A second time: at once. */
  #stop(code: number): void {
    const signal = this.#isStopping ? "SIGKILL" : "SIGTERM";
    this.#isStopping = true;
    for (const member of this.#members) {
      member.signal("SIGCONT");
      member.signal(signal);
    }
    const ends = this.#members.map((member) => member.exited);
    void Promise.all(ends).then(() => this.#stopped.resolve(code));
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => answer(true)).once("error", () => answer(false));
  });
}

const ACTIONS: Readonly<Record<string, (member: DevMember) => unknown>> = {
  kill: (member) => member.end("SIGKILL"),
  stop: (member) => member.end("SIGTERM"),
  start: (member) => member.startAgain(),
  restart: async (member) => {
    await member.end("SIGTERM");
    await member.startAgain();
  },
  pause: (member) => member.signal("SIGSTOP"),
  resume: (member) => member.signal("SIGCONT"),
};

interface MemberOptions extends Options {
  readonly name: string;
  /** host:port */
  readonly client: string;
  readonly peer: string;
  readonly initialCluster: string;
  readonly ended: (how: string) => void;
}

/** One member: a process, or the place of one that has ended. */
class DevMember {
  readonly #options: MemberOptions;
  readonly #log: string;
  readonly #pidFile: string;
  #child: ChildProcess | undefined;
  exited: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#log = join(options.dir, `${options.name}.log`);
    this.#pidFile = join(options.dir, `${options.name}.pid`);
  }

  get name(): string {
    return this.#options.name;
  }

  get client(): string {
    return this.#options.client;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const log = openSync(this.#log, "a");
    const program = [...process.execArgv, process.argv[1]!];
    const child = spawn(process.execPath, [...program, ...this.#flags()], {
      stdio: ["ignore", log, log],
      // Ctrl-C is for this process, which stops them in order.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    writeFileSync(this.#pidFile, `${child.pid}\n`);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        rmSync(this.#pidFile, { force: true });
        this.#options.ended(signal ?? `exit code ${code}`);
        resolve();
      });
    });
  }

  #flags(): string[] {
    const { name, dir, client, peer, initialCluster, flags } = this.#options;
    return [
      ["--name", name, "--data-dir", join(dir, name)],
      ["--listen-client-urls", `http://${client}`, "--advertise-client-urls", `http://${client}`],
      ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ["--initial-cluster", initialCluster, "--initial-cluster-state", "new"],
      ["--initial-cluster-token", "quord-dev"],
      flags,
    ].flat();
  }

  /** Rejects with the end of its log when it ends instead, or takes too long. */
  async ready(): Promise<void> {
    const until = performance.now() + READY_MS_MAX;
    while (!(await this.#isHealthy())) {
      if (this.#child === undefined || performance.now() > until) {
        const tail = readFileSync(this.#log, "utf8").slice(-LOG_TAIL_CHARS);
        throw new DevError(`${this.name} did not start; the end of ${this.#log}:\n${tail}`);
      }
      await sleep(READY_POLL_MS);
    }
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(STATUS_MS_MAX);
      return (await fetch(`http://${this.client}/health`, { signal })).ok;
    } catch {
      return false;
    }
  }

  async startAgain(): Promise<void> {
    if (this.#child !== undefined) return print(`${this.name} runs already`);
    this.start();
    print(`${this.name}  http://${this.client}  pid ${this.pid}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child === undefined) return print(`${this.name} does not run`);
    this.signal("SIGCONT");
    this.signal(signal);
    await this.exited;
  }

  /** One line of what it says of itself. */
  async describe(): Promise<string> {
    if (this.#child === undefined) return `${this.name}  down`;
    const who = `${this.name}  http://${this.client}  pid ${this.pid}`;
    try {
      const answer = await fetch(`http://${this.client}/v3/maintenance/status`, {
        method: "POST",
        body: "{}",
        signal: AbortSignal.timeout(STATUS_MS_MAX),
      });
      const status = (await answer.json()) as Status;
      const role = status.leader === status.header.member_id ? "leads" : "follows";
      const seen = status.leader === undefined ? "sees no leader" : role;
      return `${who}  ${seen} in term ${status.raftTerm}, revision ${status.header.revision}`;
    } catch {
      return `${who}  does not answer`;
    }
  }
}

/** Of the gateway; zeros are left out. */
interface Status {
  readonly header: { readonly member_id: string; readonly revision: string };
  readonly leader?: string;
  readonly raftTerm?: string;
}

/** How to call the client from here: from a checkout by its path. */
function clientCommand(): string {
  const path = relative(process.cwd(), join(import.meta.dirname, "..", "bin", "quordctl"));
  return existsSync(path) && !path.startsWith("..") ? path : "quordctl";
}

/** Whether the process that a file names is there. */
function isAlive(pidFile: string): boolean {
  try {
    return process.kill(Number(readFileSync(pidFile, "utf8")), 0);
  } catch {
    return false;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
