import { Prng } from "../../../src/base/index.ts";
import { api, decodeMessage, encodeMessage } from "../../../src/proto/index.ts";
import type { Answer, Operation, Request, Write } from "../../lib/history/index.ts";
import { Caller, type Reply, type World } from "./caller.ts";
import { encode, leaseOf, revisionOf } from "./encode.ts";

const KEYS = 24;
const LEASES_MAX = 4;
const TIMEOUT_MS = 4000;

/** What clients share: the record of all that they did, and what they have heard. */
export class Load {
  readonly operations: Operation[] = [];
  /** The highest revision that an answer named, and up to where the store was to be compacted. */
  revision = 1;
  compacted = 0;
  isOver = false;
  /** Until then no client begins anything. */
  quietUntil = 0;
  /** What is left of a second on the fastest clock of a member: leases are measured on those. */
  readonly #shareOfSecond: number;
  readonly #known = new Map<string, number>();

  constructor(shareOfSecond: number) {
    this.#shareOfSecond = shareOfSecond;
  }

  /** An answer, with the time to live that it promises for certain. */
  certain(answer: Answer): Answer {
    const { ttlSeconds } = answer;
    if (ttlSeconds === undefined) return answer;
    return { ...answer, ttlSeconds: ttlSeconds * this.#shareOfSecond };
  }

  learn({ request, answer }: Operation): void {
    this.revision = Math.max(this.revision, answer!.revision);
    if (request.kind === "put") this.#known.set(request.key, answer!.revision);
  }

  /** When a key was last written, as far as clients have heard. */
  known(key: string): number {
    return this.#known.get(key) ?? 0;
  }
}

/** A client that asks for this and that, one thing after the other, of whichever member answers. */
export class Client {
  readonly #caller: Caller;
  readonly #load: Load;
  readonly #random: Prng;
  readonly #pauseMs: number;
  readonly #leases: string[] = [];
  #machine = "";
  #count = 0;

  constructor(options: {
    name: string;
    world: World;
    load: Load;
    seed: number;
    /** Between two requests, about. */
    pauseMs: number;
  }) {
    this.#caller = new Caller(options.name, options.world);
    this.#load = options.load;
    this.#random = new Prng(options.seed);
    this.#pauseMs = options.pauseMs;
    this.#choose();
  }

  async run(): Promise<void> {
    const { clock } = this.#caller.world;
    while (!this.#load.isOver) {
      await clock.sleep(this.#random.below(2 * this.#pauseMs));
      if (clock.now < this.#load.quietUntil) continue;
      if (this.#random.oneIn(40)) this.#choose();
      if (this.#random.oneIn(50)) await this.#compact();
      else if (this.#random.oneIn(100)) await this.#vanish();
      else if (this.#random.oneIn(60)) await this.#race();
      else if (this.#random.oneIn(8)) await this.#burst();
      else await this.#perform(this.#draw());
    }
  }

  /** Some requests at once. */
  async #burst(): Promise<void> {
    const count = 2 + this.#random.below(6);
    await Promise.all(Array.from({ length: count }, () => this.#perform(this.#draw())));
  }

  #choose(): void {
    const { machines } = this.#caller.world;
    this.#machine = machines[this.#random.below(machines.length)]!.name;
  }

  async #perform(request: Request): Promise<void> {
    const { clock, say } = this.#caller.world;
    const machine = this.#machine;
    const operation: Operation = {
      by: `${this.#caller.name}@${machine}`,
      calledAt: clock.now,
      request,
    };
    this.#load.operations.push(operation);
    say(this.#caller.name, `asks ${machine}: ${JSON.stringify(request)}`);
    const outcome = await this.#outcome(machine, request);
    operation.endedAt = clock.now;
    if ("code" in outcome) {
      say(this.#caller.name, `is refused ${request.kind}: ${outcome.code} ${outcome.message}`);
      operation.isVoid = isVoid(outcome);
      if (/lease not found/.test(outcome.message)) this.#forget(request);
      else if (this.#machine === machine && outcome.code !== 3) this.#choose();
      return;
    }
    say(this.#caller.name, `is answered ${request.kind}: ${JSON.stringify(outcome)}`);
    operation.answer = this.#load.certain(outcome);
    this.#load.learn(operation);
    if (request.kind === "grant") this.#leases.push(request.lease);
    if (request.kind === "renew" && outcome.ttlSeconds! <= 0) this.#forget(request);
  }

  async #outcome(machine: string, request: Request): Promise<Answer | Reply> {
    if (request.kind === "renew") {
      const reply = await this.#caller.renew(machine, leaseOf(request.lease), TIMEOUT_MS);
      if (reply.body === undefined) return reply;
      const answer = decodeMessage(api.LeaseKeepAliveResponse, reply.body);
      return { revision: revisionOf(answer), ttlSeconds: answer.TTL };
    }
    const { path, bytes, decode } = encode(request);
    const reply = await this.#caller.ask(machine, path, bytes, TIMEOUT_MS);
    return reply.code === 0 && reply.body !== undefined ? decode(reply.body) : reply;
  }

  #forget(request: Request): void {
    if (!("lease" in request)) return;
    const at = this.#leases.indexOf(request.lease!);
    if (at >= 0) this.#leases.splice(at, 1);
  }

  #draw(): Request {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 38) return { kind: "put", key: this.#key(), value: this.#value() };
    if (dice < 52) return { kind: "range", key: this.#key() };
    if (dice < 58) return { kind: "range", key: this.#key(), isSerializable: true };
    if (dice < 61) return { kind: "range", key: "k/", end: "k0" };
    if (dice < 65) return this.#oldRange();
    if (dice < 79) return this.#txn();
    if (dice < 84) return { kind: "delete", key: this.#key() };
    if (dice < 86) return { kind: "delete", key: "k/1", end: "k/2" };
    return this.#lease(dice);
  }

  #oldRange(): Request {
    const revision = Math.max(1, this.#load.revision - this.#random.below(60));
    return { kind: "range", key: "k/", end: "k0", revision };
  }

  #key(): string {
    return `k/${this.#random.below(KEYS)}`;
  }

  /** No other put has it. */
  #value(): string {
    const padding = this.#random.oneIn(10) ? 600 : this.#random.below(30);
    return `${this.#caller.name}-${this.#count++}-${"v".repeat(padding)}`;
  }

  /** Compares with what was known last: often right, often overtaken. */
  #txn(): Request {
    const key = this.#key();
    const compares = [{ key, modRevision: this.#load.known(key) }];
    const others = new Set([this.#key(), this.#key()]);
    others.delete(key);
    const success: Write[] = [{ kind: "put", key, value: this.#value() }];
    for (const other of others) {
      if (this.#random.oneIn(2)) success.push({ kind: "delete", key: other });
      else success.push({ kind: "put", key: other, value: this.#value() });
    }
    const failure: Write[] = this.#random.oneIn(2)
      ? []
      : [{ kind: "put", key: "k/t", value: this.#value() }];
    return { kind: "txn", compares, success, failure };
  }

  /** Leases have keys of their own, which nothing else deletes. */
  #lease(dice: number): Request {
    const lease = this.#leases[this.#random.below(Math.max(1, this.#leases.length))];
    if (lease === undefined || (dice < 88 && this.#leases.length < LEASES_MAX)) {
      return this.#grant();
    }
    if (dice < 91) {
      const key = `l/${lease}/${this.#random.below(3)}`;
      return { kind: "put", key, value: this.#value(), lease };
    }
    if (dice < 99) return { kind: "renew", lease };
    this.#forget({ kind: "renew", lease });
    return { kind: "revoke", lease };
  }

  #grant(): Request {
    const number = Number(this.#caller.name.slice(1)) * 0x10000 + ++this.#count;
    return { kind: "grant", lease: number.toString(16), ttlSeconds: 1 + this.#random.below(6) };
  }

  /** Some of the history goes: now and then nearly all of it. */
  async #compact(): Promise<void> {
    const kept = this.#random.oneIn(3) ? this.#random.below(5) : 20 + this.#random.below(80);
    const revision = this.#load.revision - kept;
    if (revision > this.#load.compacted) await this.#compactAt(revision);
  }

  /** What is being read goes. */
  async #race(): Promise<void> {
    const { revision } = this.#load;
    const reads = [1, 2, 3].map(() =>
      this.#perform({ kind: "range", key: "k/", end: "k0", revision }),
    );
    const puts = Array.from({ length: 8 }, () =>
      this.#perform({ kind: "put", key: this.#key(), value: this.#value() }),
    );
    await Promise.all([...puts, ...reads, this.#compactAt(revision + 4)]);
  }

  /** Nothing is left of the newest revision, and for a while there is no other. */
  async #vanish(): Promise<void> {
    const { clock } = this.#caller.world;
    this.#load.quietUntil = clock.now + 200 + this.#random.below(1500);
    await clock.sleep(50);
    await this.#perform({ kind: "delete", key: "k/", end: "k0" });
    await this.#compactAt(this.#load.revision);
  }

  async #compactAt(revision: number): Promise<void> {
    this.#load.compacted = revision;
    const { say } = this.#caller.world;
    say(this.#caller.name, `asks ${this.#machine} to compact at ${revision}`);
    const bytes = encodeMessage(api.CompactionRequest, { revision, physical: false });
    const path = "/etcdserverpb.KV/Compact";
    const { code, message } = await this.#caller.ask(this.#machine, path, bytes, TIMEOUT_MS);
    say(this.#caller.name, `is answered compact: ${code} ${message}`);
  }
}

/** Refusals that say for certain that nothing was, or will be, done. */
function isVoid({ message }: Reply): boolean {
  const known = /too many requests|not supported for learner|lease not found|connection refused/;
  return known.test(message);
}
