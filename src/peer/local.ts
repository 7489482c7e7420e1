import { networkErrorText } from "../base/index.ts";
import type { PeerInbox } from "../member/index.ts";
import { tlsText } from "../net/index.ts";
import type { Identity } from "./dial.ts";
import type { EntryBlock } from "./encoders.ts";
import type { Meters } from "./meters.ts";

/** Where links tell what happens to them, in etcd's words. */
export interface Lines {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export interface TransportOptions {
  /** URLs that other members reach this one at. */
  readonly peerUrls: readonly string[];
  /** `major.minor.patch` of this server, and of the oldest cluster that it can be part of. */
  readonly version: string;
  readonly minClusterVersion: string;
  /** For making a connection (etcd: 1 s + the election timeout). */
  readonly dialTimeoutMs: number;
  /** For calls that have no time of their own (etcd: 5 s + 2 election timeouts). */
  readonly requestTimeoutMs: number;
  /** Silence that ends a stream or the body of a request (etcd: `ConnReadTimeout`). */
  readonly readTimeoutMs: number;
  /** How long a write may wait for the peer (etcd: `ConnWriteTimeout`). */
  readonly writeTimeoutMs: number;
  /** For peers that are reached by TLS; without, they cannot ask who this is. */
  readonly identity?: Identity | undefined;
  readonly lines: Lines;
  /** Another member says that this one was removed for good: it must stop. */
  readonly onRemoved: (reason: string) => void;
}

/** What all links of a member share. */
export interface Local extends TransportOptions {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly inbox: PeerInbox;
  readonly meters: Meters;
  readonly block: EntryBlock;
}

/** Another member as its links need to know it. */
export interface Remote {
  readonly id: bigint;
  readonly urls: UrlPicker;
  readonly status: PeerStatus;
}

export const REMOVED = "the member has been permanently removed from the cluster";

/** Ids as headers and logs have them. */
export function hex(id: bigint): string {
  return id.toString(16);
}

/** Reads an id as etcd's `IDFromString` does; undefined: it is none. */
export function idOf(text: string): bigint | undefined {
  return /^[0-9a-fA-F]+$/.test(text) && text.replace(/^0+/, "").length <= 16
    ? BigInt(`0x${text}`)
    : undefined;
}

/** The URLs of a member, one of them in use until it fails. */
export class UrlPicker {
  #urls: readonly string[];
  #picked = 0;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  get all(): readonly string[] {
    return this.#urls;
  }

  update(urls: readonly string[]): void {
    this.#urls = urls;
    this.#picked = 0;
  }

  pick(): string {
    return this.#urls[this.#picked]!;
  }

  /** Another one is used from now on, unless that is so already. */
  failed(url: string): void {
    if (this.#urls[this.#picked] === url) this.#picked = (this.#picked + 1) % this.#urls.length;
  }
}

/** Whether a member can be reached, by the last thing that was tried. */
export class PeerStatus {
  readonly #id: bigint;
  readonly #local: Local;
  #activeSince: number | undefined;

  constructor(local: Local, id: bigint) {
    this.#local = local;
    this.#id = id;
  }

  /** Monotonic milliseconds; undefined: not active. */
  get activeSince(): number | undefined {
    return this.#activeSince;
  }

  activate(): void {
    if (this.#activeSince !== undefined) return;
    this.#activeSince = performance.now();
    this.#local.lines.info("peer became active", { "peer-id": hex(this.#id) });
    this.#local.meters.activePeers.add(this.#id, 1);
  }

  /** `source` names the channel (`stream Message`), `action` what failed on it (`dial`). */
  deactivate(source: string, action: string, reason: string): void {
    if (this.#activeSince === undefined) return;
    this.#activeSince = undefined;
    const { lines, meters } = this.#local;
    lines.warn("peer became inactive (message send to peer failed)", {
      "peer-id": hex(this.#id),
      error: `failed to ${action} ${hex(this.#id)} on ${source} (${reason})`,
    });
    meters.activePeers.add(this.#id, -1);
    meters.disconnectedPeers.add(this.#id, 1);
  }
}

/** Why something failed; Go's words for what the network says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? (tlsText(error) ?? networkErrorText(error)) : String(error);
}
