/** One side of the comparison of command lines: a tool, and the server it talks to. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs, freshDir, type Member } from "../lib/processes.ts";

const TIMEOUT_MS = 20_000;
/** How long a command has run when something happens to it. */
const MEANWHILE_MS = 2_500;
/** Behind what is waited for the rest of a text may still be on its way. */
const REST_MS = 50;
/** How long a command that should say nothing is given to say something. */
const SILENCE_MS = 1_500;
/** What takes its time is looked for this often. */
const LOOK_MS = 100;

/** A command line with more to it than words. */
export interface Line {
  /**
   * Words after the program's name; a word in single quotes may hold spaces. `{lease}` stands for
   * the lease granted last, `{dir}` for a directory of the side's own, `{learner}` for the id of
   * the member that was added last, `{endpoint}` for the server's address. In a cluster `{e2}`
   * stands for the second member's address, `{m2}` for its id, `{endpoints}` for all addresses.
   */
  readonly line: string;
  /** What the command reads from standard input. */
  readonly input?: string;
  /** Ends the command once its output holds this; without it the command ends by itself. */
  readonly until?: string;
  /** What the command is ended with. */
  readonly signal?: NodeJS.Signals;
  /** A command that would run for ever and say nothing. */
  readonly silent?: true;
  /** The member of a cluster, from 1 on, that is killed before. */
  readonly kills?: number;
  /** The same, while the command runs. */
  readonly killsMeanwhile?: number;
  /** What another command shows in the end; it is asked until then, for what takes its time. */
  readonly settles?: { readonly line: string; readonly shows: string };
  /** What comes in no order, or in the order of ids that cannot be made equal. */
  readonly sorted?: true;
  /** More of the environment. `CTL` is there for every command: the tool with its endpoint. */
  readonly env?: Readonly<Record<string, string>>;
}

/** That the first member has moved its files to a version, which it does every few seconds. */
export const stores = (version: string) => ({
  line: "endpoint status --endpoints {e1} -w fields",
  shows: `"StorageVersion" : "${version}"`,
});

/** Command lines that run one after the other against a fresh server. */
export interface Scene {
  readonly name: string;
  /** The kinds of server it is for; all of them unless said. */
  readonly servers?: readonly ("etcd" | "quord")[];
  /** Whether the server is a cluster of three. Commands are told of all its endpoints. */
  readonly cluster?: true;
  /** Flags of the server. */
  readonly flags?: readonly string[];
  readonly lines: readonly (string | Line)[];
}

/** Forms of output in which ids that a server draws can be made equal afterwards. */
const READABLE_FORMS = ["simple", "json", "fields", "table"];
export const FORMS: readonly string[] = [...READABLE_FORMS, "protobuf"];

/** The same command in every form of output. */
export const inAllForms = (line: string): string[] => FORMS.map((form) => `${line} -w ${form}`);
/** The same command in each of those forms in which ids can be made equal. */
export const inReadableForms = (line: string): string[] =>
  READABLE_FORMS.map((form) => `${line} -w ${form}`);

/** What a command has written, and its exit code or what ended it. */
export interface Shown {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: string;
}

/** A server, or the members of one, and how their ids are to be read. */
export interface Served {
  readonly members: readonly Member[];
  readonly ids?: readonly string[];
  readonly clusterId?: string;
}

/** One program, and the server it talks to. */
export class Side {
  readonly #program: string;
  readonly #served: Served;
  /** What is replaced before all else, by what. */
  readonly #names: readonly (readonly [string, string])[];
  readonly #dir = freshDir();
  #lease = "0";
  #learner = "0";
  /** The id of the member that was added last, as hexadecimals and as a number. */
  #added = /^\b$/g;

  constructor(program: string, served: Served) {
    this.#program = program;
    this.#served = served;
    this.#names = namesOf(served);
  }

  async run(line: Line): Promise<Shown> {
    if (line.kills !== undefined) await this.#served.members[line.kills - 1]!.kill();
    const { killsMeanwhile } = line;
    if (killsMeanwhile !== undefined) {
      setTimeout(() => this.#served.members[killsMeanwhile - 1]!.kill(), MEANWHILE_MS);
    }
    const shown = await this.#execute(line);
    const granted = /lease ([0-9a-f]{16}) granted/.exec(shown.stdout);
    const added = memberIn(shown.stdout);
    if (added !== undefined) {
      this.#learner = added;
      this.#added = new RegExp(`\\b(${this.#learner}|${BigInt(`0x${this.#learner}`)})\\b`, "g");
    }
    await this.#settled(line);
    const { code } = shown;
    const tidied = (text: string) => {
      const own = this.#tidy(text);
      const alike = this.#asksAny(line.line) ? withoutMember(own) : own;
      return line.sorted ? inOrder(alike) : alike;
    };
    const result = { stdout: tidied(shown.stdout), stderr: tidied(shown.stderr), code };
    if (granted) this.#lease = granted[1]!;
    return result;
  }

  async #settled({ line, settles }: Line): Promise<void> {
    if (settles === undefined) return;
    const end = performance.now() + TIMEOUT_MS;
    while (!(await this.#execute(settles)).stdout.includes(settles.shows)) {
      if (performance.now() > end) throw new Error(`${settles.shows} never came after ${line}`);
      await sleep(LOOK_MS);
    }
  }

  #words(line: string): string[] {
    const words = line
      .replaceAll("{lease}", this.#lease)
      .replaceAll("{learner}", this.#learner)
      .replaceAll("{dir}", this.#dir)
      .replaceAll("{endpoint}", this.#served.members[0]!.endpoint)
      .replaceAll("{endpoints}", this.#endpoints)
      .replaceAll(/\{e(\d)\}/g, (_, n) => this.#served.members[n - 1]!.endpoint)
      .replaceAll(/\{m(\d)\}/g, (_, n) => this.#served.ids![n - 1]!)
      .match(/'[^']*'|\S+/g)!
      .map((word) => word.replace(/^'(.*)'$/s, "$1"));
    return line.includes("--endpoints") ? words : ["--endpoints", this.#endpoints, ...words];
  }

  /** Whether chance decides which member of a cluster answers. */
  #asksAny(line: string): boolean {
    const words = this.#words(line);
    const endpoints = words[words.indexOf("--endpoints") + 1]!;
    return endpoints.includes(",") && !words.includes("endpoint");
  }

  get #endpoints(): string {
    return this.#served.members.map(({ endpoint }) => endpoint).join(",");
  }

  async #execute(entry: Line): Promise<Shown> {
    const { line, input = "", until, silent, signal = "SIGTERM" } = entry;
    const CTL = `${this.#program} --endpoints ${this.#endpoints}`;
    const env = { ...process.env, CTL, ...entry.env };
    const child = spawn(this.#program, this.#words(line), { env });
    endWithUs(child);
    const shown = { stdout: "", stderr: "" };
    let ending: NodeJS.Timeout | undefined;
    const listen = (stream: "stdout" | "stderr") => {
      child[stream].setEncoding("latin1");
      child[stream].on("data", (chunk: string) => {
        shown[stream] += chunk;
        if (until === undefined || !shown.stdout.includes(until)) return;
        ending ??= setTimeout(() => child.kill(signal), REST_MS);
      });
    };
    listen("stdout");
    listen("stderr");
    child.stdin.on("error", () => {});
    child.stdin.write(input);
    // A command that is to be ended from here must not end because its input does.
    if (until === undefined && !silent) child.stdin.end();
    const timeout = setTimeout(() => child.kill(signal), silent ? SILENCE_MS : TIMEOUT_MS);
    const code = await new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(String(error)));
      child.once("close", (status, ended) => resolve(`${status ?? ended}`));
    });
    clearTimeout(timeout);
    return { ...shown, code };
  }

  /** Makes equal what differs between any two runs: names, addresses, times, ids, the lease. */
  #tidy(text: string): string {
    const named = this.#names.reduce((is, [name, as]) => is.replaceAll(name, as), text);
    const own = named
      .replaceAll(this.#dir, "DIR")
      .replaceAll(this.#program, "PROGRAM")
      .replaceAll("quordctl", "etcdctl")
      .replaceAll(this.#added, "NEW")
      // An id with a leading zero is shorter.
      .replaceAll(/Member +NEW/g, "Member NEW");
    return tidy(own);
  }
}

/** The id, in hexadecimal, of the member that an answer is about. */
function memberIn(answer: string): string | undefined {
  const [, hex] = /(?:Member +|"member":\{"ID":")([0-9a-f]{2,})/.exec(answer) ?? [];
  const [, decimal] = /"member":\{"ID":(\d+)/.exec(answer) ?? [];
  return decimal === undefined ? hex : BigInt(decimal).toString(16);
}

function namesOf({ members, ids = [], clusterId }: Served): [string, string][] {
  const [first] = members;
  if (members.length === 1) return [[first!.endpoint, "127.0.0.1:CLIENT"]];
  const names = members.flatMap(({ ports }, i): [string, string][] => [
    [`127.0.0.1:${ports.client}`, `127.0.0.1:CLIEN${i + 1}`],
    [`127.0.0.1:${ports.peer}`, `127.0.0.1:PEER${i + 1}`],
  ]);
  const numbers = [...ids, clusterId!].flatMap((id, i): [string, string][] => {
    const name = i === ids.length ? "CLUSTER" : `MEMBER${i + 1}`;
    return [
      [id, name.padEnd(16, "-")],
      [`${BigInt(`0x${id}`)}`, name],
    ];
  });
  return [...names, ...numbers];
}

/** An answer without the member that gave it. */
function withoutMember(text: string): string {
  return text
    .replaceAll(/(?<="(member_id|MemberID)" ?: ?"?)MEMBER\d-*/g, "ANY")
    .replaceAll(/(?<=Addr: ')127.0.0.1:CLIEN\d/g, "ANY");
}

/** Lines, or the objects of a list, that come in no order. */
function inOrder(text: string): string {
  const lines = text.replaceAll(/(?<=^\[).*(?=\]$)/gm, (list) => sorted(list, /(?<=\}),(?=\{)/));
  return lines.split("\n").toSorted().join("\n");
}

/** The line of a table, as bytes: U+2500 in UTF-8, many times. */
const TABLE_LINE = /(\u00e2\u0094\u0080)(\1)+/g;
const MICRO = "\u00c2\u00b5s";

function tidy(text: string): string {
  const tidied = text
    .replaceAll(/^\{"level":.*\n/gm, (line) => (isLate(line) ? "" : tidyLog(line)))
    .replaceAll(/^stty: .*\n/gm, "")
    .replaceAll(/\b(lease|added|Member) +[0-9a-f]{16}\b/g, "$1 ID")
    .replaceAll(/^[0-9a-f]{16}$/gm, "ID")
    // The keys of locks and elections end with a lease.
    .replaceAll(/(\/|\\x2f)([0-9a-f]{14,16}|(\\x[0-9a-f]{2}){14,16})\b/g, "$1ID")
    // Members are listed by their ids, which hold the second in which they were added.
    .replaceAll(/(?<="members":\[).*(?=\]\}$)/gm, (list) => sorted(list, /(?<=\}),(?=\{)/))
    .replaceAll(/(?<=ETCD_INITIAL_CLUSTER=").*(?=")/g, (list) => sorted(list, /,/))
    .replaceAll(/"key":"[A-Za-z0-9+/]{20,}=*"/g, '"key":"ID"')
    .replaceAll(/remaining\(\d+s\)/g, "remaining(Ns)")
    .replaceAll(/("ttl":|"TTL" : )\d+/g, "$1N")
    .replaceAll(/("I[Dd]" ?: ?|"id": ?|"lease":|"Lease" : )\d{15,}/g, "$1ID")
    .replaceAll(/("ID"|"Lease") : [0-9a-f]{16}$/gm, "$1 : ID")
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+(Z| ?[+-]\d+)?/g, "DATE")
    .replaceAll(new RegExp(`\\b\\d+(\\.\\d+)?(ns|${MICRO}|ms|s)\\b`, "g"), "TIME")
    .replaceAll(/"dbSize(InUse)?":\d+/g, '"dbSize$1":N')
    .replaceAll(/"(DBSize|DBSizeInUse|DbSize|DbSizeInUse)" : \d+/g, '"$1" : N')
    .replaceAll(/\b\d+(\.\d+)? [kM]B\b/g, "SIZE")
    .replaceAll(/\b\d+%/g, "N%");
  // Where a time stood in a table, the width of its column differs too.
  if (!/TIME|SIZE/.test(tidied)) return tidied;
  return tidied.replaceAll(TABLE_LINE, "$1").replaceAll(/ {2,}/g, " ");
}

const sorted = (list: string, separator: RegExp) => list.split(separator).toSorted().join(",");

/**
 * One more attempt in the last moments of a command: there is one where the server's clock was
 * before the client's.
 */
const isLate = (line: string) =>
  line.includes("code = DeadlineExceeded") && !line.includes('"attempt":0,');

/** A line of the client's log. */
function tidyLog(line: string): string {
  return (
    line
      .replace(/"ts":"[^"]*"/, '"ts":"DATE"')
      .replace(/"took":[^,}]*/, '"took":"TIME"')
      .replace(/,"stacktrace":"[^"]*"/, "")
      .replace(/etcd-endpoints:\/\/0x[0-9a-f]+/, "etcd-endpoints://ID")
      .replaceAll(/LocalAddr: '[^']*'/g, "LocalAddr: 'LOCAL'")
      // The list of members is asked of whichever of the endpoints is connected first.
      .replace(/(?<=Addr: ')127.0.0.1:CLIEN\d(?=.*"\/etcdserverpb.Cluster\/MemberList")/, "ANY")
      // Whether the client's clock or the server's was first.
      .replace(
        "stream terminated by RST_STREAM with error code: CANCEL",
        "context deadline exceeded",
      )
  );
}
