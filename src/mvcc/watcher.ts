import { encodeWatchIdField } from "../proto/index.ts";
import { tasteNumber, type WatchTaste } from "./watch-events.ts";
import type { WatchRange } from "./watch-index.ts";
import type { WatchStream } from "./watch-stream.ts";

/** What a client asks for when it creates a watch. Bytes are copied. */
export interface WatchRequestOptions extends WatchTaste {
  /** As on the wire: see `watchRange`. */
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  /** The first revision wanted; 0 for what comes from now on. Not negative. */
  readonly startRevision: number;
  /** 0 to be given one. */
  readonly watchId: bigint;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
}

/**
 * One watch of a stream.
 *
 * synced: it has everything that is published, and is in the index that `publish` asks.
 * behind: published revisions from `next` on are still to be read for it out of the history.
 * cancelled: it gets nothing any more.
 */
export class Watcher {
  readonly stream: WatchStream;
  readonly id: bigint;
  /** The field `watch_id` of its responses. */
  readonly idField: Uint8Array;
  readonly range: WatchRange;
  readonly startRevision: number;
  readonly taste: number;
  readonly wantsPrevious: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  state: "synced" | "behind" | "cancelled";
  /**
   * It wants no revision below this one. Invariant: behind exactly when `next` was published;
   * while synced it is not moved on, since what is published only grows.
   */
  next: number;
  /** Nothing was sent since the last periodic progress notice was due. */
  isIdle = true;

  constructor(
    stream: WatchStream,
    id: bigint,
    range: WatchRange,
    options: WatchRequestOptions,
    published: number,
  ) {
    this.stream = stream;
    this.id = id;
    this.idField = encodeWatchIdField(id);
    this.range = range;
    this.startRevision = options.startRevision;
    this.taste = tasteNumber(options);
    this.wantsPrevious = options.prevKv;
    this.fragment = options.fragment;
    this.progressNotify = options.progressNotify;
    this.next = options.startRevision === 0 ? published + 1 : options.startRevision;
    this.state = this.next > published ? "synced" : "behind";
  }
}
