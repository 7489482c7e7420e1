/**
 * Locks and elections: who gets what, when, and what the others are told. Callers wait, give up,
 * lose their leases and meet under the same names, over gRPC and through the gateway.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { Election, KV, type KeyValue, Lease, LeaderResponseSchema, Lock } from "../lib/api.ts";
import { pathOf } from "../lib/grpc.ts";
import type { Draw } from "./draw.ts";
import { LineStream } from "./line-stream.ts";
import { bytesText, plain, type Plain } from "./plain.ts";
import type { Session } from "./session.ts";
import type { Side } from "./side.ts";
import { Difference, type World } from "./world.ts";

const STEPS = 800;
/** Names, one of which begins like another; what is asked for lies under `c/` and `c/d/`. */
const NAMES = ["c", "c/d", "e"];
const LEASES = [0x11n, 0x12n, 0x13n, 0x14n, 0x15n, 0x16n];
const NO_LEASE = 0x77n;
const TTL = 3600n;
const SETTLE_MS = 10_000;
/** For what leaves no trace in the store. */
const UNSEEN_MS = 30;

const WAITS = "waits";

const bytes = (text: string) => Buffer.from(text);
const { lock, unlock } = Lock.method;
const { campaign, proclaim, leader, resign, observe } = Election.method;

type Kvs = readonly KeyValue[];

/** A call on both sides that may wait. */
interface Pending {
  readonly about: string;
  readonly isLock: boolean;
  readonly prefix: string;
  readonly key: string;
  /** When its key was made; 0 until that is known. */
  created: number;
  isGivenUp: boolean;
  readonly outcomes: (Plain | undefined)[];
  readonly cancel: () => void;
}

/** Somebody who watches an election on both sides. */
interface Observer {
  readonly prefix: string;
  readonly seen: readonly [Plain[], Plain[]];
  readonly last: (KeyValue | undefined)[];
  readonly cancel: () => void;
}

export async function coordination({ world, draw }: Session): Promise<void> {
  const scene = new Coordination(world, draw);
  await ownLeases(world);
  await observedLines(world);
  for (const ID of LEASES) await world.call(Lease.method.leaseGrant, { ID, TTL });
  for (let step = 0; step < STEPS; step++) await scene.step();
  await scene.end();
}

class Coordination {
  readonly #world: World;
  readonly #draw: Draw;
  #pending: Pending[] = [];
  #observers: Observer[] = [];
  #kvs: Kvs = [];

  constructor(world: World, draw: Draw) {
    this.#world = world;
    this.#draw = draw;
  }

  async step(): Promise<void> {
    const draw = this.#draw;
    const act = draw.weighted<() => unknown>([
      [20, () => this.#lock()],
      [20, () => this.#campaign()],
      [12, () => this.#call(unlock, { key: bytes(this.#someKey()) })],
      [10, () => this.#call(resign, { leader: this.#leaderKey() })],
      [10, () => this.#proclaim()],
      [4, () => this.#call(leader, { name: bytes(draw.pick([...NAMES, ""])) })],
      [10, () => this.#giveUp()],
      [4, () => this.#renewLease()],
      [3, () => this.#world.call(KV.method.put, { key: bytes(this.#someKey()) })],
      [6, () => this.#world.call(KV.method.deleteRange, { key: bytes(this.#someKey()) })],
      [3, () => this.#observe()],
      [1, () => this.#observers.shift()?.cancel()],
      [1, () => this.#oddBytes()],
    ]);
    await act();
    await this.#settle();
  }

  /** Lets all go who wait, one after the other. */
  async end(): Promise<void> {
    while (this.#kvs.length > 0) {
      await this.#world.call(KV.method.deleteRange, { key: this.#kvs[0]!.key });
      await this.#settle();
    }
    for (const { cancel } of this.#observers) cancel();
  }

  async #lock(): Promise<void> {
    const name = this.#draw.pick(NAMES);
    const lease = this.#lease();
    await this.#begin(lock, { name: bytes(name), lease }, { name, lease });
  }

  async #campaign(): Promise<void> {
    const name = this.#draw.pick(NAMES);
    const lease = this.#lease();
    const value = this.#draw.pick(["", "one", "two"]);
    await this.#begin(
      campaign,
      { name: bytes(name), lease, value: bytes(value) },
      { name, lease, value },
    );
  }

  async #proclaim(): Promise<void> {
    const value = bytes(this.#draw.pick(["", "word", "another"]));
    await this.#call(proclaim, { leader: this.#leaderKey(), value });
  }

  #lease(): bigint {
    return this.#draw.percent(4) ? NO_LEASE : this.#draw.pick(LEASES);
  }

  #someKey(): string {
    const { length } = this.#kvs;
    if (length > 0 && this.#draw.percent(70)) return bytesText(this.#draw.pick(this.#kvs).key);
    return `${this.#draw.pick(NAMES)}/${this.#draw.pick([...LEASES, "x"]).toString(16)}`;
  }

  /** Of one who leads or waits, now and then with a slip in it. */
  #leaderKey() {
    const draw = this.#draw;
    if (draw.percent(3)) return undefined;
    const kv = this.#kvs.length > 0 ? draw.pick(this.#kvs) : undefined;
    const rev = (kv?.createRevision ?? 5n) + (draw.percent(10) ? 1n : 0n);
    const lease = kv === undefined || kv.lease === 0n || draw.percent(5) ? this.#lease() : kv.lease;
    const key = kv?.key ?? bytes("e/1");
    return { name: bytes("e"), key: draw.percent(3) ? bytes("") : key, rev, lease };
  }

  #giveUp(): void {
    const waiting = this.#pending.filter(({ isGivenUp }) => !isGivenUp);
    if (waiting.length === 0) return;
    const pending = this.#draw.pick(waiting);
    pending.isGivenUp = true;
    pending.cancel();
  }

  async #renewLease(): Promise<void> {
    const ID = this.#draw.pick(LEASES);
    await this.#world.call(Lease.method.leaseRevoke, { ID });
    await this.#settle();
    await this.#world.call(Lease.method.leaseGrant, { ID, TTL });
  }

  /** Requests that are no messages, and one that says nothing. */
  async #oddBytes(): Promise<void> {
    const method = this.#draw.pick([lock, unlock, campaign, proclaim, resign, leader]);
    const odd = this.#draw.pick(["ff", "0a05", "0aff", "1001"]);
    const isTaken = method === lock || method === campaign;
    if (isTaken && odd === "1001") return;
    await this.#world.raw(pathOf(method), Buffer.from(odd, "hex"));
  }

  /** A call that does not wait. */
  async #call<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    init: MessageInitShape<I>,
  ): Promise<void> {
    const calls = this.#onBoth(method, init);
    const [a, b] = await Promise.all(calls.map(({ outcome }) => outcome));
    this.#world.same(pathOf(method), plain(init), a!, b!);
  }

  #onBoth<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    init: MessageInitShape<I>,
  ): Call[] {
    this.#world.requests++;
    const overGateway = this.#draw.percent(25);
    return this.#world.sides.map((side) => (overGateway ? post : send)(side, method, init));
  }

  /** A call that may wait: it is on its way when its key is there. */
  async #begin<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    init: MessageInitShape<I>,
    { name, lease, value }: { name: string; lease: bigint; value?: string },
  ): Promise<void> {
    const prefix = `${name}/`;
    const key = `${prefix}${lease.toString(16)}`;
    const wasThere = this.#kvs.some((kv) => bytesText(kv.key) === key);
    const calls = this.#onBoth(method, init);
    const outcomes: (Plain | undefined)[] = [undefined, undefined];
    for (const [i, { outcome }] of calls.entries()) void outcome.then((is) => (outcomes[i] = is));
    const pending: Pending = {
      about: `${pathOf(method)} ${JSON.stringify(plain(init))}`,
      isLock: value === undefined,
      prefix,
      key,
      created: 0,
      isGivenUp: false,
      outcomes,
      cancel: () => calls.forEach(({ cancel }) => cancel()),
    };
    await this.#until(
      "a call arrives",
      () => [pending],
      async (side, i) => {
        if (outcomes[i] !== undefined) return true;
        const found = (await keysOf(side)).find((kv) => bytesText(kv.key) === key);
        pending.created = Number(found?.createRevision ?? 0);
        return found !== undefined && (value === undefined || bytesText(found.value) === value);
      },
    );
    if (wasThere) await sleep(UNSEEN_MS);
    this.#pending.push(pending);
  }

  /** Waits until everything has happened that must on both sides, and compares it. */
  async #settle(): Promise<void> {
    await this.#until(
      "all have moved on",
      () => this.#pending,
      async (side, i) => {
        const kvs = await keysOf(side);
        return (
          this.#pending.every((pending) => hasMovedOn(pending, i, kvs)) &&
          this.#observers.every((observer) => hasSeen(observer, i, kvs))
        );
      },
    );
    const waits = ({ outcomes: [a, b] }: Pending) => a === undefined && b === undefined;
    const done = this.#pending.filter((pending) => !waits(pending));
    this.#pending = this.#pending.filter(waits);
    for (const { about, outcomes } of done)
      this.#world.same(about, null, outcomes[0] ?? WAITS, outcomes[1] ?? WAITS);
    for (const { prefix, seen } of this.#observers) {
      this.#world.same(`observer of ${prefix}`, null, seen[0], seen[1]);
      seen.forEach((messages) => messages.splice(0));
    }
    const { message } = await this.#world.call(KV.method.range, {
      key: bytes("c"),
      rangeEnd: bytes("f"),
    });
    this.#kvs = message!.kvs;
  }

  async #until(
    what: string,
    pending: () => readonly Pending[],
    isSo: (side: Side, i: number) => Promise<boolean>,
  ): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    for (const [i, side] of this.#world.sides.entries()) {
      while (!(await isSo(side, i))) {
        if (performance.now() < deadline) continue;
        const calls = pending().map(({ about, outcomes, created, isGivenUp }) =>
          JSON.stringify({ about, created, isGivenUp, outcome: outcomes[i] ?? WAITS }),
        );
        const keys = (await keysOf(side)).map((kv) => `${bytesText(kv.key)}@${kv.createRevision}`);
        throw new Difference(
          [`${side.kind}: not so: ${what}`, ...calls, `keys: ${keys.join(" ")}`].join("\n  "),
        );
      }
    }
  }

  async #observe(): Promise<void> {
    if (this.#observers.length >= 3) return;
    const name = this.#draw.pick(NAMES);
    const request = toBinary(observe.input, create(observe.input, { name: bytes(name) }));
    const seen: [Plain[], Plain[]] = [[], []];
    const last: (KeyValue | undefined)[] = [undefined, undefined];
    const cancels = this.#world.sides.map((side, i) =>
      side.client.observe(pathOf(observe), request, (message) => {
        const answer = fromBinary(LeaderResponseSchema, message);
        seen[i]!.push(plain(answer));
        last[i] = answer.kv;
      }),
    );
    const cancel = () => cancels.forEach((each) => each());
    this.#observers.push({ prefix: `${name}/`, seen, last, cancel });
    // Whether it watches already leaves no trace.
    await sleep(UNSEEN_MS);
  }
}

/** A caller waits as long as somebody came before it; one who gave up has cleaned up. */
function hasMovedOn(
  { prefix, key, created, isGivenUp, isLock, outcomes }: Pending,
  i: number,
  kvs: Kvs,
) {
  if (outcomes[i] === undefined) {
    return kvs.some((kv) => bytesText(kv.key).startsWith(prefix) && kv.createRevision < created);
  }
  const own = kvs.find((kv) => bytesText(kv.key) === key);
  // A candidate leaves its key alone when that was made anew for another call.
  return !isGivenUp || own === undefined || (!isLock && own.createRevision !== BigInt(created));
}

/** An observer has seen what the leader says, if there is one. */
function hasSeen({ prefix, last }: Observer, i: number, kvs: Kvs): boolean {
  const first = kvs
    .filter((kv) => bytesText(kv.key).startsWith(prefix))
    .toSorted((a, b) => Number(a.createRevision - b.createRevision))[0];
  return first === undefined || last[i]?.modRevision === first.modRevision;
}

async function keysOf(side: Side): Promise<Kvs> {
  return (await side.client.call(KV.method.range, { key: bytes("c"), rangeEnd: bytes("f") })).kvs;
}

interface Call {
  readonly outcome: Promise<Plain>;
  readonly cancel: () => void;
}

function send<I extends DescMessage, O extends DescMessage>(
  side: Side,
  method: DescMethod & { input: I; output: O },
  init: MessageInitShape<I>,
): Call {
  const request = toBinary(method.input, create(method.input, init));
  const { answer, cancel } = side.client.begin(pathOf(method), request);
  const outcome = answer.then(({ code, text, body }) => {
    return code === 0 ? plain(fromBinary(method.output, body)) : { code, text };
  });
  return { outcome, cancel };
}

function post<I extends DescMessage, O extends DescMessage>(
  side: Side,
  method: DescMethod & { input: I; output: O },
  init: MessageInitShape<I>,
): Call {
  const path = `/v3/${method.parent.name}/${method.name}`.toLowerCase();
  const body = toJsonString(method.input, create(method.input, init), { useProtoFieldName: true });
  const controller = new AbortController();
  const { signal } = controller;
  const outcome = fetch(`http://${side.endpoint}${path}`, { method: "POST", body, signal })
    .then(async (answer) => ({
      status: answer.status,
      body: JSON.parse(await answer.text()) as Plain,
    }))
    .catch(() => "given up");
  return { outcome, cancel: () => controller.abort() };
}

/** An election as lines of JSON. */
async function observedLines(world: World): Promise<void> {
  const observed = async (side: Side) => {
    const ID = 0x99n;
    const { client } = side;
    await client.call(Lease.method.leaseGrant, { ID, TTL });
    const name = bytes("lines");
    const body = JSON.stringify({ name: name.toString("base64") });
    const lines = await LineStream.open(side.endpoint, "/v3/election/observe", body, {
      onSent: () => client.call(campaign, { name, lease: ID, value: bytes("first") }),
    });
    const seen = await lines.takeUntil("result");
    const { kvs } = await client.call(KV.method.range, { key: bytes("lines/99") });
    const key = { name, key: kvs[0]!.key, rev: kvs[0]!.createRevision, lease: ID };
    await sleep(UNSEEN_MS);
    await client.call(proclaim, { leader: key, value: bytes("second") });
    seen.push(...(await lines.takeUntil("result")));
    lines.close();
    await client.call(Lease.method.leaseRevoke, { ID });
    return seen.map((line) => JSON.parse(line) as Plain);
  };
  const [a, b] = await Promise.all(world.sides.map(observed));
  world.same("/v3/election/observe", null, a!, b!);
}

/** Callers without a lease get one from the server: a minute, under whatever id. */
async function ownLeases(world: World): Promise<void> {
  const own = async (side: Side) => {
    const { client } = side;
    const first = await client.call(lock, { name: bytes("own") });
    const { kvs } = await client.call(KV.method.range, { key: first.key });
    const { lease } = kvs[0]!;
    const life = await client.call(Lease.method.leaseTimeToLive, { ID: lease, keys: true });
    const candidate = await client.call(campaign, { name: bytes("own2") });
    const given = candidate.leader!;
    const leaderKey = { ...given, lease: 0n };
    const said = await client.call(proclaim, { leader: leaderKey, value: bytes("v") });
    const found = await client.call(KV.method.range, { key: given.key });
    const resigned = await client.call(resign, { leader: leaderKey });
    const { leases } = await client.call(Lease.method.leaseLeases, {});
    for (const { ID } of leases) await client.call(Lease.method.leaseRevoke, { ID });
    const left = await client.call(KV.method.range, { key: bytes("own"), rangeEnd: bytes("owo") });
    return plain({
      header: first.header,
      isNamedAfter: bytesText(first.key) === `own/${lease.toString(16)}`,
      keys: life.keys.length,
      grantedTTL: life.grantedTTL,
      rev: given.rev,
      isLeader: bytesText(given.key) === `own2/${given.lease.toString(16)}`,
      said: said.header,
      isUnderAnother: found.kvs[0]!.lease !== given.lease,
      resigned: resigned.header,
      leases: leases.length,
      left: left.header,
    });
  };
  const [a, b] = await Promise.all(world.sides.map(own));
  world.same("callers without a lease", null, a!, b!);
}
