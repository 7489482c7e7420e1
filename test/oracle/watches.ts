/** Watches: the same streams opened on both servers, and all that comes out of them compared. */
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Watch,
  WatchRequestSchema,
  WatchResponseSchema,
  type WatchCreateRequestSchema,
  type WatchResponse,
} from "../lib/api.ts";
import { pathOf, type Duplex } from "../lib/grpc.ts";
import type { Draw } from "./draw.ts";
import { plain, type Plain } from "./plain.ts";
import type { Side } from "./side.ts";
import type { World } from "./world.ts";

/** By then everything that will ever come has come. */
const QUIET_TIMEOUT_MS = 20_000;
const PROGRESS_EVERY_MS = 20;
const WATCHERS_MAX = 6;

type Create = MessageInitShape<typeof WatchCreateRequestSchema>;
type Request = MessageInitShape<typeof WatchRequestSchema>;

/** The fields of a plain response that tell whether a watcher is open. */
interface Reply {
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: string;
}

/** What one server sent on one stream: for each watcher its events and replies, in order. */
class Received {
  readonly lists = new Map<bigint, Plain[]>();
  /** Revision of the last reply to a request for progress. */
  progress = 0;
  /** Replies to creations, of watchers and of refused ones. */
  created = 0;
  cancelled = 0;
  /** What no order of arrival excuses. */
  wrong = "";
  readonly duplex: Duplex;
  readonly #last = new Map<bigint, { revision: bigint; fragment: boolean }>();

  constructor(side: Side) {
    this.duplex = side.client.duplex(pathOf(Watch.method.watch), (bytes) => {
      this.#take(fromBinary(WatchResponseSchema, bytes));
    });
  }

  #take(message: WatchResponse): void {
    const isReply = message.created || message.canceled;
    if (message.watchId === -1n && !isReply) {
      this.progress = Number(message.header?.revision ?? 0n);
      return;
    }
    if (message.created) {
      this.created++;
      this.#last.delete(message.watchId);
    }
    if (message.canceled) this.cancelled++;
    const list = this.lists.get(message.watchId) ?? [];
    this.lists.set(message.watchId, list);
    if (isReply) list.push(plain(message));
    for (const event of message.events) list.push(plain(event));
    if (message.events.length > 0) this.#checkRevisions(message);
  }

  /** All events of one revision come in one message, unless the watcher asked for fragments. */
  #checkRevisions(message: WatchResponse): void {
    const first = message.events[0]!.kv!.modRevision;
    const revision = message.events.at(-1)!.kv!.modRevision;
    const before = this.#last.get(message.watchId);
    if (before !== undefined && !before.fragment && first <= before.revision) {
      this.wrong = `watcher ${message.watchId} got revision ${first} after ${before.revision}`;
    }
    if ((message.header?.revision ?? 0n) < revision) this.wrong = "header older than an event";
    this.#last.set(message.watchId, { revision, fragment: message.fragment });
  }
}

/** One stream on each server. */
export class WatchPair {
  readonly #world: World;
  readonly #received: readonly [Received, Received];
  /** Watchers that are open, by id. */
  readonly #open = new Set<bigint>();
  /** How far the replies in each list have been taken note of. */
  readonly #noted = new Map<bigint, number>();
  /** Watchers that a compaction ended: etcd keeps them, and tells no progress, until they are cancelled. */
  readonly #compacted = new Set<bigint>();
  /** The largest revision that a watcher waits for: no progress is told before. */
  #startMax = 0;

  constructor(world: World) {
    this.#world = world;
    this.#received = [new Received(world.sides[0]), new Received(world.sides[1])];
  }

  get size(): number {
    return this.#open.size;
  }

  #send(requestUnion: Request["requestUnion"]): void {
    const request = create(WatchRequestSchema, { requestUnion } as Request);
    const bytes = toBinary(WatchRequestSchema, request);
    for (const { duplex } of this.#received) duplex.send(bytes);
  }

  async create(value: Create): Promise<void> {
    this.#world.requests++;
    const before = this.#received[1].created;
    this.#send({ case: "createRequest", value });
    await this.#until("creation", value, (received) => received.created > before);
    this.#startMax = Math.max(this.#startMax, Number(value.startRevision ?? 0n));
    this.#noteReplies();
  }

  /** Cancels a watcher that is open, or an id that is not. Waits for all its events first. */
  async cancel(watchId: bigint): Promise<void> {
    await this.settle();
    await this.#cancelNow(watchId);
  }

  async #cancelNow(watchId: bigint): Promise<void> {
    this.#world.requests++;
    const isOpen = this.#open.has(watchId) || this.#compacted.delete(watchId);
    const before = this.#received[1].cancelled;
    this.#send({ case: "cancelRequest", value: { watchId } });
    if (isOpen) {
      await this.#until("cancellation", watchId, (received) => received.cancelled > before);
    }
    this.#noteReplies();
  }

  /** A request with nothing in it, which must do nothing. */
  nothing(): void {
    this.#send({ case: undefined });
  }

  /** Waits until both servers have sent the same and say that nothing is left to send. */
  async settle(): Promise<void> {
    const { revision } = this.#world.model;
    const canTell = this.#startMax <= revision;
    const deadline = performance.now() + QUIET_TIMEOUT_MS;
    for (;;) {
      this.#noteReplies();
      // Not before both have said so: the cancellation of one that has not would be all it says.
      if (this.#sameSoFar()) for (const id of this.#compacted) await this.#cancelNow(id);
      const told = this.#received.every(({ progress }) => progress === revision);
      if (this.#sameSoFar() && (told || this.#open.size === 0 || !canTell)) break;
      if (performance.now() > deadline) this.#report("the streams never came to be equal");
      if (this.#open.size > 0 && canTell) this.#send({ case: "progressRequest", value: {} });
      await sleep(PROGRESS_EVERY_MS);
    }
    for (const { lists } of this.#received) lists.clear();
    this.#noted.clear();
  }

  /** Compares what has come from both; returns whether neither is behind the other. */
  #sameSoFar(): boolean {
    const [a, b] = this.#received;
    for (const { wrong } of this.#received) if (wrong !== "") this.#report(wrong);
    let equal = true;
    for (const id of new Set([...a.lists.keys(), ...b.lists.keys()])) {
      const [left, right] = [a.lists.get(id) ?? [], b.lists.get(id) ?? []];
      const common = Math.min(left.length, right.length);
      for (let i = 0; i < common; i++) {
        this.#world.same(`watcher ${id}, item ${i}`, null, left[i]!, right[i]!);
      }
      if (left.length !== right.length) equal = false;
    }
    return equal;
  }

  /** Learns from the second server which watchers are open. */
  #noteReplies(): void {
    for (const [id, list] of this.#received[1].lists) {
      for (const item of list.slice(this.#noted.get(id) ?? 0) as Reply[]) {
        if (item.created && !item.canceled) this.#open.add(id);
        if (item.canceled) this.#open.delete(id);
        if (item.canceled && item.compactRevision !== "0") this.#compacted.add(id);
      }
      this.#noted.set(id, list.length);
    }
  }

  async #until(what: string, request: unknown, done: (received: Received) => boolean) {
    const deadline = performance.now() + QUIET_TIMEOUT_MS;
    while (!this.#received.every(done)) {
      if (performance.now() > deadline) this.#report(`no reply to a ${what}: ${plain(request)}`);
      await sleep(1);
    }
  }

  #report(why: string): never {
    const [a, b] = this.#received.map(({ lists, progress, wrong }) => {
      const watchers: { [id: string]: Plain } = {};
      for (const [id, list] of lists) {
        watchers[`${id}`] = { items: list.length, last: list.at(-1) ?? null };
      }
      return { progress, wrong, watchers };
    });
    this.#world.differ(`watch: ${why}`, null, a!, b!);
  }

  close(): void {
    for (const { duplex } of this.#received) duplex.cancel();
  }

  /** The id of the watcher that was opened last. */
  newest(): bigint | undefined {
    return [...this.#open].at(-1);
  }
}

/** Several streams with watchers that come and go. */
export class Watches {
  readonly #world: World;
  #pairs: WatchPair[] = [];
  /** Watchers of revisions to come keep a stream from telling its progress: they have their own. */
  #future!: WatchPair;

  constructor(world: World) {
    this.#world = world;
    this.open();
  }

  open(): void {
    this.#pairs = [1, 2, 3].map(() => new WatchPair(this.#world));
    this.#future = new WatchPair(this.#world);
  }

  async step(draw: Draw): Promise<void> {
    const pair = draw.pick(this.#pairs);
    if (draw.percent(4)) pair.nothing();
    if (pair.size >= WATCHERS_MAX || (pair.size > 0 && draw.percent(35))) {
      const id = draw.percent(15) ? BigInt(900 + draw.below(9)) : pair.newest()!;
      return pair.cancel(id);
    }
    if (draw.percent(8)) return this.#createFuture(draw);
    return pair.create(this.#create(draw));
  }

  async #createFuture(draw: Draw): Promise<void> {
    const oldest = this.#future.size >= WATCHERS_MAX ? this.#future.newest() : undefined;
    if (oldest !== undefined) await this.#future.cancel(oldest);
    const startRevision = BigInt(this.#world.model.revision + 1 + draw.below(40));
    await this.#future.create({ ...this.#create(draw), startRevision });
  }

  #create(draw: Draw): Create {
    const key = draw.key();
    const { revision, compacted } = this.#world.model;
    const past = revision - draw.below(Math.max(1, revision - compacted));
    return {
      key,
      rangeEnd: draw.rangeEnd(key),
      startRevision: draw.weighted([
        [40, 0n],
        [40, BigInt(past)],
        [5, BigInt(revision)],
        [5, BigInt(compacted)],
        [4, BigInt(Math.max(1, compacted - 1))],
        [2, 1n],
        [2, -1n],
      ]),
      progressNotify: draw.percent(20),
      filters: draw.pick([[], [], [], [0], [1], [0, 1], [5 as never], [0, 0]]),
      prevKv: draw.percent(50),
      watchId: draw.weighted([
        [80, 0n],
        [10, 5n],
        [5, 6n],
        [2, -7n],
      ]),
      fragment: draw.percent(20),
    };
  }

  /** Both servers have sent the same on every stream. A compaction or a cancellation comes after. */
  async settle(): Promise<void> {
    await Promise.all([...this.#pairs, this.#future].map((pair) => pair.settle()));
  }

  close(): void {
    for (const pair of [...this.#pairs, this.#future]) pair.close();
  }
}
