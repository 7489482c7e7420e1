import { assert } from "../base/index.ts";
import { PageMiss } from "../bolt/index.ts";
import { Pace, type Slices } from "./slices.ts";
import { Backlog } from "./watch-backlog.ts";
import { type Portion, Sweep, SWEEP_RECORDS_MAX } from "./watch-catch-up.ts";
import { Batches, WatchEvent } from "./watch-events.ts";
import type { Changes, History } from "./watch-history.ts";
import { type Audience, WatcherIndex } from "./watch-index.ts";
import { type WatchSink, WatchStream } from "./watch-stream.ts";
import type { Watcher } from "./watcher.ts";

/** Watchers served by one sweep over the history. */
const SWEEP_WATCHERS_MAX = 512;
/** Watchers told of a revision at once; audiences that go beyond that are told in slices. */
const TOLD_AT_ONCE_MAX = 256;
/** A revision with more changes is left to the catch-up, which works in slices. */
const PUBLISH_CHANGES_MAX = 4096;
/** What it costs to serve a watcher and to copy a byte of its events, in nanoseconds. */
const WATCHER_COST = 2000;
const BYTE_COST = 1;

export interface WatchCounters {
  streams: number;
  watchers: number;
  /** Those that are behind. */
  slowWatchers: number;
  /** Events handed to streams since the start. */
  events: number;
}

/**
 * Tells watchers what changes. A watcher that has everything is told by `publish`; one that starts
 * in the past, or whose client does not read, is told by `catchUp` out of the history, and moves
 * over exactly when it has reached the published revision. Since nothing is kept for a watcher but
 * its position, a client that never reads costs nothing but its own stream's room. What very many
 * watch is kept for all of them together until they are told, in slices.
 */
export class WatchHub {
  #history: History;
  #generation = 0;
  readonly #wake: () => void;
  readonly #toldAtOnceMax: number;
  readonly #synced = new WatcherIndex();
  /** Watchers that are behind and have room, longest waiting first. */
  readonly #ready = new Set<Watcher>();
  /** Audiences that wait to be told. */
  readonly #waiting = new Set<Audience>();
  #isAwake = false;
  #revision: number;
  readonly counters: WatchCounters = { streams: 0, watchers: 0, slowWatchers: 0, events: 0 };

  /**
   * `wake` is called when there is something to catch up with: it must return at once, and have
   * `catchUp()` run to its end, in slices, soon after. Of a revision, `toldAtOnceMax` watchers are
   * told in `publish` itself.
   */
  constructor(history: History, wake: () => void, toldAtOnceMax = TOLD_AT_ONCE_MAX) {
    this.#toldAtOnceMax = toldAtOnceMax;
    this.#history = history;
    this.#wake = wake;
    this.#revision = history.currentRevision;
  }

  /** The last revision that was published. */
  get revision(): number {
    return this.#revision;
  }

  get history(): History {
    return this.#history;
  }

  /** See `SweepSource`. */
  get generation(): number {
    return this.#generation;
  }

  open(sink: WatchSink): WatchStream {
    this.counters.streams++;
    return new WatchStream(this, sink);
  }

  /**
   * Tells the watchers of one finished revision. To be called for each, in order, before anything
   * else happens after the end of its transaction.
   */
  publish(changes: Changes): void {
    const { revision } = changes;
    assert(revision > this.#revision, "a revision is published twice or out of order");
    this.#revision = revision;
    if (this.#synced.size === 0) return;
    if (changes.length > PUBLISH_CHANGES_MAX) return this.#leaveToCatchUp(revision);
    const { events, missed } = this.#gatherEvents(changes);
    let atOnce = this.#toldAtOnceMax;
    for (const [audience, found] of events) {
      atOnce -= audience.watchers.size;
      if (atOnce >= 0 && audience.owedFrom === undefined) {
        this.#tell(audience, new Batches(found), missed);
      } else {
        audience.gathering ??= new Backlog(changes.revision);
        audience.gathering.add(changes.revision, found, { missed });
        this.#waiting.add(audience);
        this.#rouse();
      }
    }
  }

  /**
   * The history is another, later one from now on (the same object, perhaps, which became another),
   * whose revisions were not published.
   */
  restored(history: History): void {
    const published = this.#revision;
    this.#history = history;
    this.#generation++;
    assert(history.currentRevision >= published, "the restored store is older than what was told");
    this.#revision = history.currentRevision;
    this.#leaveToCatchUp(published + 1);
  }

  /** Tells those that wait, and brings those on that are behind; ends when no more can be done. */
  *catchUp(): Slices<void> {
    try {
      for (let sweeps = this.#sweeps(); ; ) {
        // News first: a sweep can take long.
        if (this.#waiting.size > 0) yield* this.#tellWaiting();
        const { done, value } = sweeps.next();
        if (done !== true) yield value;
        else if (this.#waiting.size === 0) return;
        else sweeps = this.#sweeps();
      }
    } finally {
      this.#isAwake = false;
    }
  }

  /** For streams: tells a watcher at once what it would be told soon. */
  tellNow(watcher: Watcher): void {
    if (this.#waiting.size === 0 || watcher.state !== "synced") return;
    const audience = this.#synced.audienceOf(watcher);
    for (const backlog of [audience.telling, audience.gathering]) {
      if (backlog === undefined || watcher.state !== "synced") continue;
      this.#tellBacklog(watcher, backlog);
    }
  }

  /** For streams: a new watcher. */
  enlist(watcher: Watcher): void {
    this.counters.watchers++;
    if (watcher.state === "synced") this.#synced.add(watcher);
    else this.#startBehind(watcher);
  }

  /** For streams: a watcher that is no longer wanted. */
  dismiss(watcher: Watcher): void {
    if (watcher.state === "cancelled") return;
    this.counters.watchers--;
    if (watcher.state === "synced") this.#synced.remove(watcher);
    else this.#endBehind(watcher);
    watcher.state = "cancelled";
  }

  /** For streams: lets a watcher that is behind wait for its turn, or for room. */
  queue(watcher: Watcher): void {
    if (!watcher.stream.hasRoom) {
      watcher.stream.parked.add(watcher);
      return;
    }
    this.#ready.add(watcher);
    this.#rouse();
  }

  /** For streams: one is closed. */
  streamClosed(): void {
    this.counters.streams--;
  }

  /** The events of a revision by audience. */
  #gatherEvents(changes: Changes): {
    events: Map<Audience, WatchEvent[]>;
    /** Whether a previous pair was not in memory: those who want it are left to the catch-up. */
    missed: boolean;
  } {
    const events = new Map<Audience, WatchEvent[]>();
    let missed = false;
    for (let i = 0; i < changes.length; i++) {
      const audiences = this.#synced.match(changes.key(i));
      if (audiences.length === 0) continue;
      const event = eventOf(changes, i);
      if (!changes.isCreate(i) && audiences.some((audience) => audience.wantingPrevious > 0)) {
        missed = !this.#addPrevious(event, changes.key(i)) || missed;
      }
      for (const audience of audiences) {
        const found = events.get(audience);
        if (found === undefined) events.set(audience, [event]);
        else found.push(event);
      }
    }
    return { events, missed };
  }

  #addPrevious(event: WatchEvent, key: Uint8Array): boolean {
    try {
      event.addPrevious(this.#history.previousOf(key, event.revision));
      return true;
    } catch (error) {
      if (error instanceof PageMiss) return false;
      throw error;
    }
  }

  /** Hands the events of the published revision to all watchers of a range. */
  #tell(audience: Audience, batches: Batches, missed: boolean): void {
    const revision = this.#revision;
    for (const watcher of audience.watchers) {
      if (watcher.next > revision) continue;
      const batch = batches.of(watcher.taste);
      if (batch === null) continue;
      if (!watcher.stream.hasRoom || (missed && watcher.wantsPrevious)) {
        this.#fallBehind(watcher, revision);
        continue;
      }
      this.counters.events += batch.fields.length;
      watcher.stream.deliver(watcher, revision, batch);
    }
  }

  #rouse(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#wake();
  }

  *#tellWaiting(): Slices<void> {
    const pace = new Pace();
    // As they are now: what is published meanwhile comes after the next step of a sweep.
    const waiting = [...this.#waiting];
    for (const audience of waiting) {
      const backlog = (audience.telling = audience.gathering);
      audience.gathering = undefined;
      if (backlog !== undefined) yield* this.#tellAll(audience, backlog, pace);
      audience.telling = undefined;
      this.#waiting.delete(audience);
      // What was published meanwhile waits for its turn behind the others.
      if (audience.gathering !== undefined) this.#waiting.add(audience);
    }
  }

  *#tellAll(audience: Audience, backlog: Backlog, pace: Pace): Slices<void> {
    for (const watcher of audience.watchers) {
      pace.spend(this.#tellBacklog(watcher, backlog));
      if (pace.isOver()) yield;
    }
  }

  /** Tells one watcher a backlog, unless it has been told. Returns what it cost. */
  #tellBacklog(watcher: Watcher, backlog: Backlog): number {
    if (watcher.next >= backlog.end) return 0;
    const isAway = !backlog.isWhole || (backlog.missed && watcher.wantsPrevious);
    if (isAway || !watcher.stream.hasRoom) {
      this.#fallBehind(watcher, Math.max(watcher.next, backlog.first));
      return WATCHER_COST;
    }
    const batch = backlog.batchOf(watcher);
    watcher.next = backlog.end;
    if (batch === null) return WATCHER_COST;
    this.counters.events += batch.fields.length;
    watcher.stream.deliver(watcher, this.#revision, batch);
    return WATCHER_COST + batch.byteLength * BYTE_COST;
  }

  /** Synced watchers have not been told of revisions from `first` on: all of them fall behind. */
  #leaveToCatchUp(first: number): void {
    for (const audience of this.#synced.audiences()) {
      const owed = audience.owedFrom ?? first;
      for (const watcher of audience.watchers) {
        // One that waits for a revision still to come has not missed anything.
        const next = Math.max(watcher.next, owed);
        if (next <= this.#revision) this.#fallBehind(watcher, next);
      }
    }
  }

  /**
   * The watchers of the next sweep: the one that has waited longest, and those whose position its
   * sweep will pass. Cancels those whose history is compacted.
   */
  #choose(): Watcher[] {
    const chosen: Watcher[] = [];
    let from = 0;
    for (const watcher of this.#ready) {
      if (!watcher.stream.hasRoom) this.#requeue(watcher);
      else if (watcher.next < this.#history.compactedRevision) this.#endCompacted(watcher);
      else {
        if (chosen.length === 0) from = watcher.next;
        if (watcher.next < from || watcher.next >= from + SWEEP_RECORDS_MAX) continue;
        if (chosen.push(watcher) === SWEEP_WATCHERS_MAX) break;
      }
    }
    return chosen;
  }

  /** Brings those that are behind on, until none is left that has room. */
  *#sweeps(): Slices<void> {
    for (let chosen = this.#choose(); chosen.length > 0; chosen = this.#choose()) {
      yield;
      const sweep = new Sweep(chosen);
      yield* sweep.read(this);
      yield* this.#serve(sweep);
    }
  }

  *#serve(sweep: Sweep): Slices<void> {
    const pace = new Pace();
    for (const [audience, portion] of sweep.portions) {
      for (const watcher of audience.watchers) {
        // It may have been cancelled since the sweep began.
        if (watcher.state === "behind") pace.spend(this.#serveOne(watcher, portion));
        if (pace.isOver()) yield;
      }
    }
  }

  /** Returns what it cost. */
  #serveOne(watcher: Watcher, portion: Portion): number {
    if (!watcher.stream.hasRoom) {
      this.#requeue(watcher);
      return WATCHER_COST;
    }
    const batch = portion.batchOf(watcher);
    watcher.next = Math.max(watcher.next, portion.end);
    if (watcher.next > this.#revision) this.#becomeSynced(watcher);
    if (batch !== null) {
      this.counters.events += batch.fields.length;
      watcher.stream.deliver(watcher, this.#revision, batch);
    }
    if (watcher.state === "behind") this.#requeue(watcher);
    return WATCHER_COST + (batch?.byteLength ?? 0) * BYTE_COST;
  }

  #fallBehind(watcher: Watcher, next: number): void {
    this.#synced.remove(watcher);
    watcher.state = "behind";
    watcher.next = next;
    this.#startBehind(watcher);
  }

  #becomeSynced(watcher: Watcher): void {
    this.#endBehind(watcher);
    watcher.state = "synced";
    this.#synced.add(watcher);
  }

  #startBehind(watcher: Watcher): void {
    this.counters.slowWatchers++;
    watcher.stream.behind++;
    this.queue(watcher);
  }

  #endBehind(watcher: Watcher): void {
    this.counters.slowWatchers--;
    watcher.stream.behind--;
    this.#ready.delete(watcher);
    watcher.stream.parked.delete(watcher);
  }

  #requeue(watcher: Watcher): void {
    this.#ready.delete(watcher);
    this.queue(watcher);
  }

  #endCompacted(watcher: Watcher): void {
    watcher.stream.endCompacted(watcher, this.#history.compactedRevision);
  }
}

function eventOf(changes: Changes, i: number): WatchEvent {
  return new WatchEvent({
    record: changes.keyValue(i),
    isDelete: changes.isDelete(i),
    revision: changes.revision,
  });
}
