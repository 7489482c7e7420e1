import type { EventBatch } from "./watch-events.ts";
import { watchRange } from "./watch-index.ts";
import type { WatchHub } from "./watch.ts";
import { Watcher, type WatchRequestOptions } from "./watcher.ts";

/**
 * Where the responses of a stream go. Each call takes its response and says whether there is room
 * for more; after a `false` nothing comes until `WatchStream.drained()`. A `drained()` from inside one
 * of them is overruled by its answer.
 */
export interface WatchSink {
  /** Events in order; `revision` is for the header. The batch is shared and must not be kept. */
  events(watcher: Watcher, revision: number, batch: EventBatch): boolean;
  /** What the watcher needs next is compacted; it is cancelled. */
  compacted(watcher: Watcher, compactedRevision: number): boolean;
  /** The watcher (all of the stream, without one) has everything up to `revision`. */
  progress(watcher: Watcher | undefined, revision: number): boolean;
}

/** Why a watch was not created. */
export type WatchRefusal = "empty range" | "duplicate id";

/** The watches that share one connection to a client, and with it their order and their room. */
export class WatchStream {
  readonly #hub: WatchHub;
  readonly #sink: WatchSink;
  readonly #watchers = new Map<bigint, Watcher>();
  /**
   * Ids of watches that a compaction ended. They stay taken until the client cancels them, too, and
   * that cancellation is answered, as etcd does: a client may be waiting for it.
   */
  readonly #ended = new Set<bigint>();
  #nextId = 0n;
  /** The sink takes more. */
  hasRoom = true;
  /** Watchers that are behind. */
  behind = 0;
  /** Those of them that wait for room. Nothing is kept for them but their position. */
  readonly parked = new Set<Watcher>();

  constructor(hub: WatchHub, sink: WatchSink) {
    this.#hub = hub;
    this.#sink = sink;
  }

  /**
   * Adds a watch. It is told nothing before the next publish or catch-up, so that a reply sent
   * right after this call comes first.
   */
  create(options: WatchRequestOptions): Watcher | WatchRefusal {
    const range = watchRange(options.key, options.rangeEnd);
    if (range === undefined) return "empty range";
    if (options.watchId !== 0n && this.#isTaken(options.watchId)) return "duplicate id";
    const id = options.watchId === 0n ? this.#freeId() : options.watchId;
    const watcher = new Watcher(this, id, range, options, this.#hub.revision);
    this.#watchers.set(id, watcher);
    this.#hub.enlist(watcher);
    return watcher;
  }

  /** False when the stream has no such watch. */
  cancel(id: bigint): boolean {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return this.#ended.delete(id);
    this.#watchers.delete(id);
    this.#hub.dismiss(watcher);
    return true;
  }

  #isTaken(id: bigint): boolean {
    return this.#watchers.has(id) || this.#ended.has(id);
  }

  /**
   * A notice that every watcher of the stream has everything, when that is so; else none is given,
   * as there is none to a client that does not read.
   */
  requestProgress(): void {
    if (!this.hasRoom || this.#watchers.size === 0 || this.behind > 0) return;
    for (const watcher of this.#watchers.values()) {
      if (watcher.startRevision > this.#hub.revision) return;
      this.#hub.tellNow(watcher);
    }
    if (!this.hasRoom || this.behind > 0) return;
    this.hasRoom = this.#sink.progress(undefined, this.#hub.revision);
  }

  /** The time for periodic notices has come: those who heard nothing since the last one get one. */
  noticeIdle(): void {
    for (const watcher of this.#watchers.values()) {
      if (!watcher.progressNotify) continue;
      this.#hub.tellNow(watcher);
      if (watcher.isIdle && this.hasRoom && this.#isCurrent(watcher)) {
        this.hasRoom = this.#sink.progress(watcher, this.#hub.revision);
      }
      watcher.isIdle = true;
    }
  }

  /** The sink has room again. */
  drained(): void {
    this.hasRoom = true;
    const waiting = [...this.parked];
    this.parked.clear();
    for (const watcher of waiting) this.#hub.queue(watcher);
  }

  /** Ends all watches. */
  close(): void {
    for (const watcher of this.#watchers.values()) this.#hub.dismiss(watcher);
    this.#watchers.clear();
    this.#hub.streamClosed();
  }

  /** For the hub: hands over events. The stream must have room. */
  deliver(watcher: Watcher, revision: number, batch: EventBatch): void {
    watcher.isIdle = false;
    this.hasRoom = this.#sink.events(watcher, revision, batch);
  }

  /** For the hub: ends a watch whose history is gone. The stream must have room. */
  endCompacted(watcher: Watcher, compactedRevision: number): void {
    this.cancel(watcher.id);
    this.#ended.add(watcher.id);
    this.hasRoom = this.#sink.compacted(watcher, compactedRevision);
  }

  #isCurrent(watcher: Watcher): boolean {
    return watcher.state === "synced" && watcher.startRevision <= this.#hub.revision;
  }

  #freeId(): bigint {
    while (this.#isTaken(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }
}
