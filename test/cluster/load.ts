/** A steady mixed load on all members, and a record of all of it. */
import { fromBinary } from "@bufbuild/protobuf";
import { Prng } from "../../src/base/index.ts";
import { KV } from "../lib/api.ts";
import type { Operation, Request } from "../lib/history/index.ts";
import { END, type Failure, perform } from "./calls.ts";
import { Observer } from "./observer.ts";
import type { Seat } from "./seat.ts";

const KEYS = 200;
const LEASES_MAX = 12;
const LEASE_TTL_SECONDS_MAX = 12;
/** Requests without an answer yet; at the bound the load pauses until one is answered. */
const OPEN_MAX = 4_000;
const TURN_MS = 5;
/** How far behind the newest revision the store is compacted. */
const HISTORY_KEPT = 5_000;
const COMPACT_MS = 5_000;
const CATCH_UP_MS = 30_000;

export interface LoadOptions {
  /** Who may be asked: looked at for each request. */
  readonly seats: () => readonly Seat[];
  readonly seed: number;
  readonly perSecond: number;
  /** Nothing but puts, for gaps. */
  readonly isPutsOnly?: boolean;
  /** Where nobody watches: every so many members. */
  readonly observers?: number;
}

export class Load {
  readonly operations: Operation[] = [];
  /** How calls and streams failed, and how often. */
  readonly failures = new Map<string, number>();
  /** Programs of the members that were asked then, by the same kinds. */
  readonly failedAt = new Map<string, Set<string>>();
  /** When writes were acknowledged, in order. */
  readonly acknowledgedAt: number[] = [];
  /** The highest revision that an answer named. */
  revision = 1;
  readonly #options: LoadOptions;
  readonly #prng: Prng;
  readonly #observers: Observer[] = [];
  readonly #leases: string[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #known = new Map<string, number>();
  #open = 0;
  #count = 0;
  #owed = 0;
  #turnedAt = performance.now();
  #startedAt = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
  }

  start(): void {
    this.#startedAt = this.#turnedAt = performance.now();
    for (let number = 0; number < (this.#options.observers ?? 3); number++) this.#observe(number);
    this.#timers.push(setInterval(() => this.#turn(), TURN_MS));
    this.#timers.push(setInterval(() => void this.#compact(), COMPACT_MS));
  }

  get perSecond(): number {
    return (this.#count / (performance.now() - this.#startedAt)) * 1_000;
  }

  get count(): number {
    return this.#count;
  }

  /** Each begins with the first revision; the last of them sees a part of the keys. */
  #observe(number: number): void {
    const span = number === 2 ? { key: "k/1", end: "k/2" } : { key: "", end: END };
    const seats = this.#options.seats;
    const observer = new Observer({
      ...span,
      by: `watch ${number + 1}`,
      seat: () => seats()[number % Math.max(1, seats().length)],
      from: 2,
      failed: (failure, seat) => this.#failed(`watch: ${kindOf(failure)}`, seat),
    });
    this.#observers.push(observer);
  }

  #failed(kind: string, { program }: Seat): void {
    this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
    this.failedAt.set(kind, (this.failedAt.get(kind) ?? new Set()).add(program));
  }

  /** Sends what is owed since the last turn, so that a late timer loses nothing. */
  #turn(): void {
    const now = performance.now();
    this.#owed += ((now - this.#turnedAt) / 1_000) * this.#options.perSecond;
    this.#turnedAt = now;
    for (; this.#owed >= 1; this.#owed--) {
      if (this.#open < OPEN_MAX) void this.#send();
    }
  }

  async #send(): Promise<void> {
    const seat = this.#choose();
    if (seat === undefined) return;
    await this.#perform(seat, this.#options.isPutsOnly === true ? this.#put() : this.#draw());
  }

  /** Few ask a member that is only just starting: clients go around those that do not answer. */
  #choose(): Seat | undefined {
    const seats = this.#options.seats();
    const isAny = this.#prng.oneIn(20);
    const chosen = isAny ? seats : seats.filter(({ isServing }) => isServing);
    return chosen[this.#prng.below(Math.max(1, chosen.length))];
  }

  async #perform(seat: Seat, request: Request): Promise<void> {
    const operation: Operation = { by: seat.name, calledAt: performance.now(), request };
    this.operations.push(operation);
    this.#count++;
    this.#open++;
    const outcome = await perform(seat.client, request);
    this.#open--;
    operation.endedAt = performance.now();
    if ("failure" in outcome) {
      this.#failed(kindOf(outcome.failure), seat);
      operation.isVoid = isVoid(outcome.failure);
      if (/lease not found/.test(outcome.failure.text)) this.#forgetLease(request);
      return;
    }
    operation.answer = outcome.answer;
    this.#learn(operation);
  }

  #learn({ request, answer, endedAt }: Operation): void {
    this.revision = Math.max(this.revision, answer!.revision);
    if (request.kind === "put" || request.kind === "txn") this.acknowledgedAt.push(endedAt!);
    if (request.kind === "put") this.#known.set(request.key, answer!.revision);
    if (request.kind === "grant") this.#leases.push(request.lease);
    if (request.kind === "renew" && answer!.ttlSeconds! <= 0) this.#forgetLease(request);
  }

  #forgetLease(request: Request): void {
    if (!("lease" in request)) return;
    const at = this.#leases.indexOf(request.lease!);
    if (at >= 0) this.#leases.splice(at, 1);
  }

  #draw(): Request {
    const dice = this.#prng.below(100);
    if (dice < 45) return this.#put();
    if (dice < 62) return { kind: "range", key: this.#key() };
    if (dice < 72) return { kind: "range", key: this.#key(), isSerializable: true };
    if (dice < 74) return { kind: "range", key: "k/1", end: "k/2" };
    if (dice < 86) return this.#txn();
    if (dice < 92) return { kind: "delete", key: this.#key() };
    return this.#lease(dice);
  }

  #key(): string {
    return `k/${this.#prng.below(KEYS)}`;
  }

  /** No other put has it. */
  #value(): string {
    return `v${this.#count}`;
  }

  #put(): Request {
    return { kind: "put", key: this.#key(), value: this.#value() };
  }

  /** Compares with what was known last: often right, often overtaken. */
  #txn(): Request {
    const key = this.#key();
    const value = this.#value();
    const compares = [{ key, modRevision: this.#known.get(key) ?? 0 }];
    const failure = this.#prng.oneIn(2) ? [] : [{ kind: "put", key: "t", value } as const];
    const put = { kind: "put", key, value: `${value}+` } as const;
    const other = this.#key();
    const more = other === key ? [] : [{ kind: "delete", key: other } as const];
    return { kind: "txn", compares, success: [put, ...more], failure };
  }

  /** Leases have keys of their own, which nothing else deletes. */
  #lease(dice: number): Request {
    const lease = this.#leases[this.#prng.below(Math.max(1, this.#leases.length))];
    if (lease === undefined || (dice < 94 && this.#leases.length < LEASES_MAX))
      return this.#grant();
    if (dice < 96) {
      const key = `l/${lease}/${this.#prng.below(3)}`;
      return { kind: "put", key, value: this.#value(), lease };
    }
    if (dice < 99) return { kind: "renew", lease };
    this.#forgetLease({ kind: "renew", lease });
    return { kind: "revoke", lease };
  }

  #grant(): Request {
    const ttlSeconds = 2 + this.#prng.below(LEASE_TTL_SECONDS_MAX - 2);
    return { kind: "grant", lease: (0x1000_0000 + this.#count).toString(16), ttlSeconds };
  }

  async #compact(): Promise<void> {
    const reached = Math.min(...this.#observers.map((observer) => observer.reached));
    const revision = Math.min(this.revision - HISTORY_KEPT, reached);
    const seat = this.#options.seats()[0];
    if (revision < 2 || seat === undefined) return;
    const options = { deadline: Date.now() + TURN_MS * 1_000 };
    await seat.client
      .call(KV.method.compact, { revision: BigInt(revision) }, options)
      .catch(() => undefined);
  }

  /** Stops sending, waits for what is open, and until all watches know the newest revision. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    while (this.#open > 0) await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    const seat = this.#options.seats()[0]!;
    const { path, message } = newest;
    const { body, code, text } = await seat.client.unary(path, message, {
      deadline: Date.now() + CATCH_UP_MS,
    });
    if (code !== 0) throw new Error(`no answer at the end: ${text}`);
    const revision = Number(fromBinary(KV.method.range.output, body).header!.revision);
    const until = performance.now() + CATCH_UP_MS;
    while (this.#observers.some(({ reached }) => reached < revision)) {
      if (performance.now() > until) break;
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    }
    for (const observer of this.#observers) {
      observer.close();
      if (observer.reached < revision) {
        this.late.push(`a watch stopped at ${observer.reached}, before ${revision}`);
      }
    }
  }

  /** Watches that did not get to the end. */
  readonly late: string[] = [];

  get watches() {
    return this.#observers.flatMap(({ watched }) => watched);
  }
}

/** A linearizable range of nothing. */
const newest = { path: "/etcdserverpb.KV/Range", message: Uint8Array.of(0x0a, 1, 0) };

/** A failure without what differs from call to call. */
export function kindOf({ code, text }: Failure): string {
  // The client's clock or the server's: whichever came first.
  if (code === 4) return "4 deadline exceeded";
  const plain = text
    .replaceAll(/\d+\.\d+\.\d+\.\d+:\d+/g, "ADDRESS")
    .replaceAll(/\d{3,}/g, "N")
    .replaceAll(/\[[^\]]*\]/g, "[...]");
  return `${code} ${plain.slice(0, 120)}`;
}

/** Refusals that are made before anything is proposed. */
function isVoid({ text }: Failure): boolean {
  return /too many requests|not supported for learner|lease not found/.test(text);
}
