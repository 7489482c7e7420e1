/** A watch that goes on over every break, and keeps all that it was told. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Watch, type WatchResponse } from "../lib/api.ts";
import { Event_EventType } from "../lib/api.ts";
import { type Duplex, pathOf } from "../lib/grpc.ts";
import type { Change, Span, Told, Watched } from "../lib/history/index.ts";
import { bytesOf, END, type Failure, pairOf, textOf } from "./calls.ts";
import type { Seat } from "./seat.ts";

const RECONNECT_MS = 50;
/** How often it asks how far it is. */
const PROGRESS_MS = 1_000;

export interface ObserverOptions extends Span {
  readonly by: string;
  /** Whom it asks: looked up at each connection. */
  readonly seat: () => Seat | undefined;
  readonly from: number;
  /** How a stream that failed was ended. */
  readonly failed: (failure: Failure, seat: Seat) => void;
}

export class Observer {
  /** One, and one more after each compaction that it fell behind of. */
  readonly watched: (Watched & { messages: Told[] })[] = [];
  readonly #options: ObserverOptions;
  readonly #ticker: NodeJS.Timeout;
  #stream: Duplex | undefined;
  #seat: Seat | undefined;
  #next: number;
  #closed = false;
  /** Everything up to here has been told. */
  reached: number;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#next = options.from;
    this.reached = options.from - 1;
    this.#begin(options.from);
    this.#ticker = setInterval(() => this.#askProgress(), PROGRESS_MS);
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#stream?.cancel();
  }

  #begin(from: number): void {
    const { by, key, end } = this.#options;
    this.watched.push({ by, key, ...(end !== undefined && { end }), from, messages: [] });
  }

  #connect(): void {
    if (this.#closed) return;
    const seat = this.#options.seat();
    if (seat === undefined) return this.#connectLater();
    this.#seat = seat;
    const receive = (bytes: Uint8Array) => {
      if (this.#stream === stream) this.#receive(bytes);
    };
    const stream = seat.client.duplex(pathOf(Watch.method.watch), receive, {
      metadata: { hasleader: "true" },
      end: (code, text) => {
        if (this.#stream !== stream) return;
        this.#stream = undefined;
        if (code !== 1) this.#options.failed({ code, text }, seat);
        this.#connectLater();
      },
    });
    this.#stream = stream;
    const { key, end } = this.#options;
    const value = {
      key: key === "" ? bytesOf("\0") : bytesOf(key),
      rangeEnd: end === undefined ? new Uint8Array(0) : bytesOf(end === END ? "\0" : end),
      startRevision: BigInt(this.#next),
      progressNotify: true,
    };
    this.#send({ case: "createRequest", value });
  }

  #connectLater(): void {
    setTimeout(() => this.#connect(), RECONNECT_MS);
  }

  #send(requestUnion: { case: "createRequest" | "progressRequest"; value: object }): void {
    const { input } = Watch.method.watch;
    const request = create(input, { requestUnion } as Parameters<typeof create<typeof input>>[1]);
    this.#stream?.send(toBinary(input, request));
  }

  #askProgress(): void {
    this.#send({ case: "progressRequest", value: {} });
  }

  #receive(bytes: Uint8Array): void {
    const answer = fromBinary(Watch.method.watch.output, bytes);
    if (answer.canceled) return this.#canceled(answer);
    if (answer.created) return;
    const at = performance.now();
    const { messages } = this.watched.at(-1)!;
    if (answer.events.length === 0) {
      const bookmark = Number(answer.header!.revision);
      messages.push({ at, changes: [], bookmark });
      this.#tell(bookmark);
      return;
    }
    const changes = answer.events.map(({ type, kv }): Change => {
      const revision = Number(kv!.modRevision);
      const isDelete = type === Event_EventType.DELETE;
      return { revision, key: textOf(kv!.key), pair: isDelete ? undefined : pairOf(kv!) };
    });
    messages.push({ at, changes });
    this.#tell(changes.at(-1)!.revision);
  }

  #tell(revision: number): void {
    this.reached = Math.max(this.reached, revision);
    this.#next = Math.max(this.#next, revision + 1);
  }

  /** What is compacted cannot be told any more: a new watch begins behind it. */
  #canceled(answer: WatchResponse): void {
    const compacted = Number(answer.compactRevision);
    if (compacted > 0) {
      this.#next = compacted;
      this.#begin(compacted);
    } else {
      this.#options.failed({ code: -1, text: answer.cancelReason }, this.#seat!);
    }
    this.#stream?.cancel();
  }
}
