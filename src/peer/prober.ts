import type { Agent } from "node:http";
import { bytesToText, formatDuration } from "../base/index.ts";
import { call } from "./call.ts";
import { hex, type Local, reasonOf } from "./local.ts";

/** Shorter than what ends an idle connection (etcd: `proberInterval`). */
const INTERVAL_MS = 4000;
/** How often is looked at what was found out, while all is well and otherwise. */
const HEALTHY_INTERVAL_MS = 30_000;
const UNHEALTHY_INTERVAL_MS = 5000;
const CLOCK_DRIFT_MAX_MS = 1000;
const WEIGHT = 1 / 8;
const PROBE_BYTES_MAX = 4096;

/** The two ways to a peer, as etcd's logs name them. */
export type RoundTripper = "ROUND_TRIPPER_RAFT_MESSAGE" | "ROUND_TRIPPER_SNAPSHOT";

/** Asks a peer now and then for nothing but the time: how far away it is, in time and by its clock. */
export class Prober {
  readonly #local: Local;
  readonly #id: bigint;
  readonly #urls: readonly string[];
  readonly #name: RoundTripper;
  readonly #agent: (() => Agent) | undefined;
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #monitor: NodeJS.Timeout;
  #url = 0;
  /** Smoothed. */
  #roundTripMs = 0;
  #clockDifferenceMs = 0;
  #isHealthy = false;
  #error: string | undefined;

  constructor(
    local: Local,
    peer: { readonly id: bigint; readonly urls: readonly string[] },
    name: RoundTripper,
    agent?: () => Agent,
  ) {
    this.#local = local;
    this.#id = peer.id;
    this.#urls = peer.urls;
    this.#name = name;
    this.#agent = agent;
    this.#timer = setInterval(() => void this.#probe(), INTERVAL_MS).unref();
    this.#monitor = this.#lookLater(UNHEALTHY_INTERVAL_MS);
  }

  stop(): void {
    this.#stop.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#monitor);
  }

  async #probe(): Promise<void> {
    const begun = performance.now();
    try {
      const then = await this.#ask(this.#urls[this.#url]!);
      this.#isHealthy = true;
      this.#error = undefined;
      this.#roundTripMs += WEIGHT * (performance.now() - begun - this.#roundTripMs);
      this.#clockDifferenceMs = Date.now() - then - this.#roundTripMs / 2;
    } catch (error) {
      this.#isHealthy = false;
      this.#error = reasonOf(error);
      this.#url = (this.#url + 1) % this.#urls.length;
    }
  }

  /** The peer's time, in milliseconds since 1970. */
  async #ask(url: string): Promise<number> {
    const { status, statusText, body } = await call({
      url,
      method: "GET",
      path: "/raft/probing",
      agent: this.#agent?.(),
      identity: this.#local.identity,
      dialTimeoutMs: this.#local.dialTimeoutMs,
      timeoutMs: INTERVAL_MS,
      bytesMax: PROBE_BYTES_MAX,
      signal: this.#stop.signal,
    });
    if (status !== 200) {
      throw new Error(`got unexpected HTTP status code ${status} ${statusText} from ${url}`);
    }
    return parseProbe(bytesToText(body));
  }

  #lookLater(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    const { lines, meters } = this.#local;
    const facts = {
      "round-tripper-name": this.#name,
      "remote-peer-id": hex(this.#id),
      rtt: formatDuration(this.#roundTripMs),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
    if (!this.#isHealthy) lines.warn("prober detected unhealthy status", facts);
    if (this.#clockDifferenceMs > CLOCK_DRIFT_MAX_MS) {
      const drift = { "clock-drift": formatDuration(this.#clockDifferenceMs) };
      lines.warn("prober found high clock drift", { ...facts, ...drift });
    }
    meters.roundTripSeconds.observe(this.#id, this.#roundTripMs / 1000);
    this.#monitor = this.#lookLater(this.#isHealthy ? HEALTHY_INTERVAL_MS : UNHEALTHY_INTERVAL_MS);
  }
}

/** Reads `{"OK":true,"Now":"2006-01-02T15:04:05.999999999Z"}`. Throws on anything else. */
export function parseProbe(text: string): number {
  const { OK: isOk, Now: now } = JSON.parse(text) as { OK?: unknown; Now?: unknown };
  // Parts of a second beyond milliseconds are no ISO date to every engine.
  const then = Date.parse(String(now).replace(/(\.\d{3})\d+/, "$1"));
  if (isOk !== true || Number.isNaN(then)) throw new Error(`not a probe's answer: ${text}`);
  return then;
}
