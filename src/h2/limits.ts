/**
 * Every bound of a connection, with its reason. A peer that passes one of the flood limits is
 * answered with GOAWAY ENHANCE_YOUR_CALM and closed.
 */

/** What a peer may send on one stream before it is told to go on. Larger than most requests. */
export const STREAM_WINDOW_BYTES = 1024 * 1024;
/** The same for all streams of a connection together: a few large requests at once. */
export const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;

/** HPACK's default table. More would let a peer hold more memory without making requests faster. */
export const HEADER_TABLE_BYTES = 4096;
/** A decoded header list (RFC 7541 §4.1 sizes): room for tokens, not for bombs. */
export const HEADER_LIST_BYTES = 64 * 1024;
/** Frames that continue one header block: 8 x 16 KiB hold any list of permitted size. */
export const CONTINUATIONS_MAX = 8;

/** Data is moved into the output only while less than this waits there. */
export const OUTPUT_BYTES_SOFT = 256 * 1024;
/**
 * More than this waiting means that the peer provokes answers (acknowledgements, resets, errors)
 * and does not read them.
 */
export const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

/** A stream with more than this queued asks its producer to wait... */
export const STREAM_QUEUE_BYTES = 512 * 1024;
/** ...and so do all streams of a connection that has more than this queued. */
export const CONNECTION_QUEUE_BYTES = 16 * 1024 * 1024;
/** New streams are refused while this much is queued: replies that the peer does not fetch. */
export const CONNECTION_QUEUE_BYTES_MAX = 256 * 1024 * 1024;

/** A peer that is owed more than CONNECTION_QUEUE_BYTES must fetch this much... */
export const STALL_BYTES_MIN = 1024 * 1024;
/** ...within this time, or it is closed: its answers take memory that others need. */
export const STALL_MS_MAX = 60_000;

/** Reset streams remembered, so that frames which were under way are told from new mistakes. */
export const CLOSED_STREAMS_REMEMBERED = 256;

/** How often something may happen: `burst` at once, `perSecond` in the long run. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Resets by the peer, and resets that its mistakes provoke (CVE-2023-44487, CVE-2025-8671). */
export const RESET_RATE: Rate = { burst: 1000, perSecond: 100 };
/** Each SETTINGS frame demands an answer (CVE-2019-9515). Real peers send one or a few. */
export const SETTINGS_RATE: Rate = { burst: 100, perSecond: 10 };
/** PRIORITY is checked but not acted on (CVE-2019-9513). Browsers send some for each stream. */
export const PRIORITY_RATE: Rate = { burst: 1000, perSecond: 100 };
/** Frames that carry nothing: DATA, HEADERS or CONTINUATION without a byte (CVE-2019-9518). */
export const EMPTY_RATE: Rate = { burst: 100, perSecond: 10 };
/** WINDOW_UPDATE beyond `WINDOW_UPDATES_PER_DATA_FRAME` (CVE-2019-9511, 9517). */
export const WINDOW_UPDATE_RATE: Rate = { burst: 1000, perSecond: 100 };
/** A receiver returns credit on the stream and the connection, perhaps in two steps each. */
export const WINDOW_UPDATES_PER_DATA_FRAME = 4;
/** Frames of unknown type are to be ignored, but not without end. */
export const UNKNOWN_RATE: Rate = { burst: 1000, perSecond: 100 };

/** Ping timing of grpc-go's servers. Times in milliseconds. */
export const PING_STRIKES_MAX = 2;
export const PING_INTERVAL_WITHOUT_STREAMS_MS = 2 * 60 * 60 * 1000;
/** How long a draining server waits for its ping before it names the last stream. */
export const DRAIN_PING_TIMEOUT_MS = 5000;

/** A token bucket. */
export class RateLimit {
  readonly #rate: Rate;
  #tokens: number;
  #filledAtMs = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** Takes one token; false when there is none left. */
  take(nowMs: number): boolean {
    if (this.#tokens < 1) this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    if (this.#tokens === this.#rate.burst) this.#filledAtMs = nowMs;
    this.#tokens--;
    return true;
  }

  /** Puts tokens back, for something that entitles the peer to them. */
  give(count: number): void {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + count);
  }

  #refill(nowMs: number): void {
    const earned = ((nowMs - this.#filledAtMs) * this.#rate.perSecond) / 1000;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned);
    this.#filledAtMs = nowMs;
  }
}
