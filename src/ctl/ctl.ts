import { readFileSync } from "node:fs";
import { formatDuration } from "../base/index.ts";
import {
  EXIT,
  Exit,
  FORMATS,
  type FlagSet,
  type Format,
  type Io,
  LineReader,
  render,
} from "../cli/index.ts";
import type { Client, ClientTls, DialOptions, FailedAttempt, Peer } from "../client/index.ts";
import { applyEnvironment, variableOf } from "./environment.ts";
import { type GlobalFlags, globalFlags } from "./global-flags.ts";
import { logLine } from "./log-line.ts";
import { askPassword } from "./password.ts";
import { AnswerLines } from "./printers/fields.ts";
import type { AnswerView } from "./printers/view.ts";

const SEND_BYTES_MAX = 2 * 1024 * 1024;
const RECEIVE_BYTES_MAX = 2 ** 31 - 1;

export interface ConnectOptions {
  /** What its lines in the log are named after. */
  readonly logger?: string;
  /** The exit status when the user is not let in. */
  readonly status?: number;
  /** Instead of what the global flags say. */
  readonly access?: Access;
}

/** Who the user is, and how client and server make sure of each other. */
export interface Access {
  readonly user: string;
  readonly password: string;
  readonly token?: string;
  /** Said when the password must be asked for. */
  readonly prompt: string;
  /** Paths of files. */
  readonly cert: string;
  readonly key: string;
  readonly cacert: string;
  /** No TLS unless something else asks for it. */
  readonly isPlain: boolean;
  /** The name that the server's certificate must have. */
  readonly domain?: string;
  readonly unverified?: boolean;
}

/** What commands work with: connections, deadlines and ways to show an answer. */
export class Ctl {
  readonly io: Io;
  #lines: LineReader | undefined;
  /** Passwords that were asked for, by what was said. */
  readonly #asked = new Map<string, Promise<string>>();
  readonly #flagSet: FlagSet;
  readonly #env: NodeJS.ProcessEnv;
  readonly #watch: boolean;
  readonly #clients: Client[] = [];
  #configured = false;

  constructor(
    flags: FlagSet,
    env: NodeJS.ProcessEnv,
    io: Io,
    options: { readonly watch: boolean },
  ) {
    this.#flagSet = flags;
    this.#env = env;
    this.#watch = options.watch;
    this.io = io;
  }

  get flags(): GlobalFlags {
    return this.#flagSet.values as GlobalFlags;
  }

  given(flag: keyof GlobalFlags): boolean {
    return this.#flagSet.given.has(flag);
  }

  variable(name: string): string {
    return this.#env[name] ?? "";
  }

  out(text: string | Uint8Array): void {
    this.io.stdout.write(text);
  }

  err(text: string): void {
    this.io.stderr.write(text);
  }

  /** Standard input by lines. What asks for a password and what reads on share it. */
  get lines(): LineReader {
    return (this.#lines ??= new LineReader(this.io));
  }

  get format(): Format {
    return this.flags["write-out"] as Format;
  }

  show(view: AnswerView): void {
    this.out(render(view, this.format, (page) => new AnswerLines(page, this.flags.hex)));
  }

  /** Reads the environment and checks the flags, once. Throws `Exit`. */
  configure(): void {
    if (this.#configured) return;
    this.#configured = true;
    const log = (line: string) => this.err(line);
    applyEnvironment(this.#flagSet, this.#env, { watch: this.#watch, log });
    if (this.flags.debug) this.#listFlags();
    for (const flag of ["cert", "key", "cacert"] as const) {
      if (this.flags[flag] === "" && this.given(flag)) {
        throw new Exit(EXIT.badArgs, `empty string is passed to --${flag} option`);
      }
    }
  }

  #listFlags(): void {
    for (const name of Object.keys(globalFlags).toSorted()) {
      const value = this.#flagSet.values[name];
      const isDuration = globalFlags[name as keyof GlobalFlags].kind === "duration";
      const text = isDuration ? formatDuration(value as number) : String(value);
      this.err(`${variableOf(name)}=${Array.isArray(value) ? `[${text}]` : text}\n`);
    }
  }

  /** The endpoints from the flags, or from DNS when a domain is given. */
  async endpoints(): Promise<readonly string[]> {
    this.configure();
    const domain = this.flags["discovery-srv"];
    if (domain === "") return this.flags.endpoints.map((endpoint) => endpoint.trim());
    const { discoverEndpoints } = await import("./discovery.ts");
    const found = await discoverEndpoints(domain, this.flags["discovery-srv-name"]);
    if (found.length === 0) return this.flags.endpoints.map((endpoint) => endpoint.trim());
    if (this.flags["insecure-discovery"]) return found;
    return found.filter((endpoint) => {
      if (!endpoint.startsWith("http://")) return true;
      this.err(`ignoring discovered insecure endpoint "${endpoint}"\n`);
      return false;
    });
  }

  /** A client for the given endpoints, or those of the flags. Throws `Exit`. */
  async connect(endpoints?: readonly string[], options: ConnectOptions = {}): Promise<Client> {
    const { Client, Deadline, describeError, dial } = await import("../client/index.ts");
    const targets = endpoints ?? (await this.endpoints());
    this.configure();
    const access = options.access ?? this.#access();
    const credentials = await this.#credentials(access);
    if (!FORMATS.includes(this.format)) {
      throw new Exit(EXIT.badFeature, "unsupported output format");
    }
    const tls = tlsOf(access);
    const status = options.status ?? EXIT.badConnection;
    if (targets.length === 0) {
      throw new Exit(status, "etcdclient: no available endpoints");
    }
    const report = failureReport(targets[0]!, options.logger ?? "etcd-client");
    const client = new Client({
      endpoints: targets,
      dial,
      ...credentials,
      ...this.#limits(status),
      tls,
      onFailedAttempt: (attempt) => this.err(report(attempt)),
    });
    this.#clients.push(client);
    const deadline = Deadline.in(this.flags["dial-timeout"]);
    try {
      await client.authenticate(deadline);
    } catch (error) {
      throw new Exit(status, describeError(error, deadline));
    }
    return client;
  }

  #limits(status: number): Omit<DialOptions, "tls"> {
    const { "max-request-bytes": send, "max-recv-bytes": receive, ...flags } = this.flags;
    if (receive > 0 && send > receive) {
      const limits = `recv limit (${receive} bytes) must be greater than send limit (${send} bytes)`;
      throw new Exit(status, `gRPC message ${limits}`);
    }
    return {
      timeoutMs: flags["dial-timeout"],
      keepAliveMs: flags["keepalive-time"],
      keepAliveTimeoutMs: flags["keepalive-timeout"],
      sendBytesMax: send || SEND_BYTES_MAX,
      receiveBytesMax: receive || RECEIVE_BYTES_MAX,
    };
  }

  #access(): Access {
    const { user, password, cert, key, cacert, "auth-jwt-token": token } = this.flags;
    return {
      user,
      password,
      token,
      cert,
      key,
      cacert,
      prompt: "Password: ",
      isPlain: this.flags["insecure-transport"],
      domain: this.flags["insecure-discovery"] ? "" : this.flags["discovery-srv"],
      unverified: this.flags["insecure-skip-tls-verify"],
    };
  }

  async #credentials({ user, password, token = "", prompt }: Access): Promise<Credentials> {
    if (token !== "") return { token };
    if (user === "") return {};
    if (password !== "") return { username: user, password };
    const colon = user.indexOf(":");
    if (colon < 0) return { username: user, password: await this.#askPassword(prompt) };
    return { username: user.slice(0, colon), password: user.slice(colon + 1) };
  }

  /** Asks once, however many connections there will be. */
  #askPassword(prompt: string): Promise<string> {
    const asked = this.#asked.get(prompt) ?? askPassword(this.io, this.lines, prompt);
    this.#asked.set(prompt, asked);
    return asked;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
}

function tlsOf(access: Access): ClientTls | undefined {
  const { cert, key, cacert, isPlain, domain = "", unverified = false } = access;
  if ((cert === "") !== (key === "")) {
    const text = `KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`;
    throw new Exit(EXIT.badArgs, text);
  }
  if (cert + cacert + domain === "" && isPlain && !unverified) return undefined;
  return {
    certificate: readPem(cert),
    key: readPem(key),
    authorities: readPem(cacert),
    serverName: domain === "" ? undefined : domain,
    unverified,
  };
}

function readPem(path: string): string | undefined {
  if (path === "") return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new Exit(EXIT.badArgs, `open ${path}: no such file or directory`);
  }
}

/** Failed calls leave a line each, whatever becomes of the call. */
function failureReport(endpoint: string, logger: string): (attempt: FailedAttempt) => string {
  const channel = `0x${Math.floor(Math.random() * 2 ** 44).toString(16)}`;
  const target = `etcd-endpoints://${channel}/${endpoint.replace(/^[a-z]+:\/\//, "")}`;
  return ({ path: method, attempt, error, peer }) =>
    logLine({
      level: "warn",
      logger,
      caller: "v3@v3.7.3/retry_interceptor.go:68",
      msg: "retrying of unary invoker failed",
      fields: { target, peer: peerText(peer), method, attempt, error: error.withCode },
    });
}

function peerText(peer: Peer | undefined): string {
  if (peer === undefined) return "Peer{Addr: <nil>, LocalAddr: <nil>, AuthInfo: <nil>}";
  const security = peer.secure ? "tls" : "insecure";
  return `Peer{Addr: '${peer.remote}', LocalAddr: '${peer.local}', AuthInfo: '${security}'}`;
}
