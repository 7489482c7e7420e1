import {
  CONNECTION_QUEUE_BYTES,
  PING_INTERVAL_WITHOUT_STREAMS_MS,
  PING_STRIKES_MAX,
  STALL_BYTES_MIN,
  STALL_MS_MAX,
} from "./limits.ts";

export interface KeepaliveOptions {
  /** A ping is sent when nothing has come from the peer for so long. May be Infinity. */
  readonly intervalMs: number;
  /** The connection is given up when the ping is not answered in time. */
  readonly timeoutMs: number;
  /** Whether to ping while no stream is open. */
  readonly withoutStreams: boolean;
}

/** Finds out whether the peer is still there. */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  #heardMs: number;
  #pingedMs = -1;

  constructor(options: KeepaliveOptions, nowMs: number) {
    this.#options = options;
    this.#heardMs = nowMs;
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#pingedMs = -1;
  }

  /** What to do now. Call often enough for the two times to be kept. */
  check(nowMs: number, openStreams: number): "nothing" | "ping" | "dead" {
    if (this.#pingedMs >= 0) {
      return nowMs - this.#pingedMs >= this.#options.timeoutMs ? "dead" : "nothing";
    }
    if (openStreams === 0 && !this.#options.withoutStreams) return "nothing";
    if (nowMs - this.#heardMs < this.#options.intervalMs) return "nothing";
    this.#pingedMs = nowMs;
    return "ping";
  }
}

export interface PingPolicy {
  /** The shortest time between two pings of a client. */
  readonly intervalMsMin: number;
  /** Whether that holds without open streams too; if not, one ping in two hours is tolerated. */
  readonly withoutStreams: boolean;
}

/**
 * Counts the pings that come too often, as grpc-go's servers do: what the server itself sends
 * entitles the client to one ping, because clients measure the line with pings.
 */
export class PingPolice {
  readonly #policy: PingPolicy;
  #strikes = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  /** Data or headers were sent since the last ping. */
  #entitled = false;

  constructor(policy: PingPolicy) {
    this.#policy = policy;
  }

  entitle(): void {
    this.#entitled = true;
  }

  /** A ping has come; false when it was one too many. */
  permits(nowMs: number, openStreams: number): boolean {
    const since = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#entitled) {
      this.#entitled = false;
      this.#strikes = 0;
      return true;
    }
    const idle = openStreams === 0 && !this.#policy.withoutStreams;
    if (since < (idle ? PING_INTERVAL_WITHOUT_STREAMS_MS : this.#policy.intervalMsMin)) {
      this.#strikes++;
    }
    return this.#strikes <= PING_STRIKES_MAX;
  }
}

/** Finds peers that let large answers wait without fetching them. */
export class StallWatch {
  #sinceMs = Number.POSITIVE_INFINITY;
  #sentBytes = 0;

  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** Whether patience is over. Call about once a second. */
  isOver(nowMs: number, queuedBytes: number): boolean {
    const behind = queuedBytes > CONNECTION_QUEUE_BYTES;
    if (!behind) this.#sinceMs = Number.POSITIVE_INFINITY;
    else if (this.#sinceMs > nowMs || this.#sentBytes >= STALL_BYTES_MIN) {
      this.#sinceMs = nowMs;
      this.#sentBytes = 0;
    }
    return nowMs - this.#sinceMs >= STALL_MS_MAX;
  }
}
