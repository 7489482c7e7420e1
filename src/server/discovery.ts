import { bytesToText, textToBytes } from "../base/index.ts";
import { Client, type ClientTls, Deadline, dial, kv, prefixEnd, Watcher } from "../client/index.ts";
import { parseSize, Registry, registryKeys } from "../cluster/index.ts";
import type { LogLines } from "../member/index.ts";
import { readTlsFiles } from "../net/index.ts";
import type { api } from "../proto/index.ts";
import { refusal } from "./bootstrap.ts";
import type { Discovery, DiscoverySecurity } from "./config.ts";
import { FlagError } from "./flags.ts";
import { tlsProblem } from "./tls-problem.ts";

/** Pauses between attempts double up to this: 256 s (etcd: `maxExponentialRetries`). */
const DOUBLINGS_MAX = 8;

const MESSAGE_BYTES_MAX = 2 ** 31 - 1;

export interface DiscoveryOptions {
  readonly discovery: Discovery;
  readonly memberId: string;
  /** This member as `--initial-cluster` would name it. */
  readonly self: string;
  readonly lines: LogLines;
  readonly sleep?: (ms: number) => Promise<void>;
}

/**
 * Registers a member to be in a cluster that serves as a meeting place (etcd's v3 discovery), and
 * waits until as many others have as were asked for. Resolves to the text that `--initial-cluster`
 * would have. Rejects with FlagError and etcd's texts; while the meeting place cannot be reached it
 * goes on trying.
 */
export async function discover(options: DiscoveryOptions): Promise<string> {
  const meeting = begin(options);
  const { lines } = options;
  const fields = meeting.fields;
  try {
    const cluster = await meeting.join();
    lines.info("discovery joined cluster successfully", { ...fields, cluster });
    return cluster;
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    lines.warn("discovery failed to join cluster", {
      ...fields,
      cluster: "",
      error: error.message,
    });
    throw failure(options, error.message);
  } finally {
    meeting.close();
  }
}

function begin(options: DiscoveryOptions): Meeting {
  try {
    return new Meeting(options);
  } catch (error) {
    throw failure(options, tlsProblem(error as Error));
  }
}

function failure({ discovery }: DiscoveryOptions, why: string): FlagError {
  return new FlagError(`failed to join discovery cluster (${why})`, "discovery", {
    "discovery-token": discovery.token,
    "discovery-endpoints": discovery.endpoints,
  });
}

/**
 * TLS is for whoever asks for any part of it (etcd: `newTLSConfig` of its client); an endpoint with
 * a scheme has the last word. Throws when a file is not what it should be.
 */
function security(secure: DiscoverySecurity): ClientTls | undefined {
  const { isPlain, unverified, certFile, keyFile, caFile } = secure;
  if (isPlain && !unverified && certFile + keyFile + caFile === "") return undefined;
  return { ...readTlsFiles({ certFile, keyFile, caFile }), unverified };
}

interface Seen {
  readonly registry: Registry;
  readonly size: number;
  readonly revision: number;
}

class Meeting {
  readonly #options: DiscoveryOptions;
  readonly #client: Client;
  readonly #keys: ReturnType<typeof registryKeys>;
  readonly #sleep: (ms: number) => Promise<void>;
  #retries = 0;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    const { endpoints, token, user, password } = options.discovery;
    const { dialTimeoutMs, keepAliveMs, keepAliveTimeoutMs } = options.discovery;
    const [name, ...rest] = user.split(":");
    this.#keys = registryKeys(token);
    this.#sleep = options.sleep ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
    this.#client = new Client({
      endpoints,
      dial,
      timeoutMs: dialTimeoutMs,
      keepAliveMs,
      keepAliveTimeoutMs,
      receiveBytesMax: MESSAGE_BYTES_MAX,
      sendBytesMax: MESSAGE_BYTES_MAX,
      tls: security(options.discovery.secure),
      username: name,
      password: password || rest.join(":"),
    });
  }

  get fields(): object {
    const { token, endpoints } = this.#options.discovery;
    return { "discovery-token": token, "discovery-endpoints": endpoints.join(",") };
  }

  async join(): Promise<string> {
    this.#refuseWhenFull(await this.#look());
    await this.#register();
    const seen = await this.#look();
    this.#refuseWhenFull(seen);
    if (seen.registry.size < seen.size) await this.#wait(seen);
    return seen.registry.initialCluster(seen.size);
  }

  close(): void {
    this.#client.close();
  }

  #refuseWhenFull({ registry, size }: Seen): void {
    const key = this.#keys.member(this.#options.memberId);
    if (registry.isFullFor(key, size)) throw refusal("discovery: cluster is full");
  }

  /** Who is there, and how many there should be. */
  async #look(): Promise<Seen> {
    const found = await this.#persist("cluster status check", async () => ({
      sizes: await this.#range(this.#keys.size),
      members: await this.#range(this.#keys.members, true),
    }));
    const [stored] = found.sizes.kvs;
    if (stored === undefined) throw refusal("discovery: size key not found");
    const size = parseSize(bytesToText(stored.value));
    if (size === undefined) throw refusal("discovery: size key is bad");
    const registry = new Registry(this.#options.discovery.token);
    for (const pair of found.members.kvs) this.#add(registry, pair);
    return { registry, size, revision: found.members.header?.revision ?? 0 };
  }

  async #register(): Promise<void> {
    const { memberId, self, lines } = this.#options;
    const key = this.#keys.member(memberId);
    const request = { key: textToBytes(key), value: textToBytes(self) };
    await this.#persist("register member itself", () =>
      this.#client.call(kv.put, request, this.#deadline()),
    );
    lines.info("register member itself successfully", {
      ...this.fields,
      memberKey: key,
      memberInfo: self,
    });
  }

  async #wait({ registry, size, revision }: Seen): Promise<void> {
    const { lines } = this.#options;
    const counts = () => ({ ...this.fields, clusterSize: size, "found-peers": registry.size });
    lines.info("waiting for peers from discovery service", counts());
    const watcher = new Watcher(this.#client);
    const key = textToBytes(this.#keys.members);
    const from = { key, rangeEnd: prefixEnd(key), startRevision: revision + 1 };
    for await (const { events, error } of watcher.watch(from)) {
      if (error !== undefined) throw refusal(error);
      for (const { kv: pair } of events) if (pair !== undefined) this.#add(registry, pair);
      if (registry.size >= size) break;
    }
    watcher.close();
    lines.info("found all needed peers from discovery service", counts());
  }

  #add(registry: Registry, { key, value, createRevision }: api.KeyValue): void {
    const { lines } = this.#options;
    const [name, urls] = [bytesToText(key).trim(), bytesToText(value).trim()];
    const problem = registry.add({ key: name, urls, createRevision });
    const fields = { ...this.fields, memberKey: name, memberInfo: urls };
    if (problem !== undefined) lines.warn(problem, fields);
    else lines.info("found peer from discovery service", fields);
  }

  #range(key: string, isPrefix = false): Promise<api.RangeResponse> {
    const bytes = textToBytes(key);
    const request = { key: bytes, ...(isPrefix && { rangeEnd: prefixEnd(bytes) }) };
    return this.#client.call(kv.range, request, this.#deadline());
  }

  #deadline(): Deadline {
    return Deadline.in(this.#options.discovery.requestTimeoutMs);
  }

  /** Until it succeeds, with growing pauses. */
  async #persist<T>(reason: string, work: () => Promise<T>): Promise<T> {
    const { lines } = this.#options;
    for (;;) {
      try {
        const result = await work();
        this.#retries = 0;
        return result;
      } catch (error) {
        this.#retries++;
        const seconds = 2 ** Math.min(this.#retries, DOUBLINGS_MAX);
        const why = { ...this.fields, error: (error as Error).message };
        lines.warn("failed to reach the discovery service", why);
        lines.warn("retry connecting to discovery service", {
          ...this.fields,
          reason,
          backoff: `${seconds}s`,
        });
        await this.#sleep(seconds * 1000);
      }
    }
  }
}
