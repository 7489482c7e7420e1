/**
 * The traffic of Patroni: the JSON gateway over kept connections, base64 in all keys and values, a
 * leader's lock under a lease, members that tell of themselves, and a watch that waits for long.
 */
import { prefixEnd, type Draw } from "./draw.ts";
import { LineStream } from "./line-stream.ts";
import type { Plain } from "./plain.ts";
import { Difference, type World } from "./world.ts";

const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64");

const SCOPE = "/service/batman/";
const MEMBERS = ["pg-0", "pg-1", "pg-2"];
/** Long enough to last; Patroni's own are 30 s, and it renews them. */
const TTL = "36000";
const LEASE_FIRST = 7_000;

type Json = { [field: string]: Json } | Json[] | string | boolean;

export class Patroni {
  readonly #world: World;
  /** A watch of the whole scope on each server, opened by the first step. */
  #watches: LineStream[] = [];
  readonly #leases = new Set<string>();
  #optime = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async step(draw: Draw): Promise<void> {
    if (this.#watches.length === 0) await this.#watch();
    const name = draw.pick(MEMBERS);
    const step = draw.weighted<() => Promise<unknown>>([
      [30, () => this.#readCluster(draw)],
      [20, () => this.#touchMember(name, draw)],
      [20, () => this.#renew()],
      [15, () => this.#takeLeader(name, draw)],
      [10, () => this.#updateLeader(name)],
      [6, () => this.#failover(name, draw)],
      [5, () => this.#post("/v3/cluster/member/list", {})],
      [4, () => this.#deleteLeader(draw)],
      [2, () => this.#dropLease(name)],
    ]);
    await step();
  }

  async #post(path: string, body: Json): Promise<Json> {
    const text = JSON.stringify(body);
    const [a, b] = await this.#world.post(path, () => text);
    const [left, right] = [JSON.parse(a.body) as Json, JSON.parse(b.body) as Json];
    this.#world.same(path, text, left as Plain, right as Plain);
    this.#learn(right);
    return right;
  }

  #learn(answer: Json): void {
    const { header } = answer as { header?: { revision?: string } };
    const revision = Number(header?.revision ?? 0);
    if (revision > this.#world.model.revision) this.#world.model.revision = revision;
  }

  /** All of the scope, as each loop of Patroni reads it. */
  async #readCluster(draw: Draw): Promise<void> {
    const range = { key: base64(SCOPE), range_end: base64(prefixEnd(Buffer.from(SCOPE))) };
    await this.#post("/v3/kv/range", draw.percent(80) ? range : { ...range, serializable: true });
  }

  async #lease(name: string): Promise<string> {
    const ID = `${LEASE_FIRST + MEMBERS.indexOf(name)}`;
    if (!this.#leases.has(ID)) {
      await this.#post("/v3/lease/grant", { TTL, ID });
      this.#leases.add(ID);
    }
    return ID;
  }

  async #touchMember(name: string, draw: Draw): Promise<void> {
    const lease = await this.#lease(name);
    const state = { conn_url: `postgres://${name}:5432`, xlog_location: draw.below(1e6) };
    const key = base64(`${SCOPE}members/${name}`);
    await this.#post("/v3/kv/put", { key, value: base64(JSON.stringify(state)), lease });
  }

  async #renew(): Promise<void> {
    const ids = this.#leases.size > 0 ? [...this.#leases] : ["1"];
    for (const ID of ids) await this.#post("/v3/lease/keepalive", { ID });
  }

  /** The lock: created only where there is none. */
  async #takeLeader(name: string, draw: Draw): Promise<void> {
    const lease = await this.#lease(name);
    const key = base64(`${SCOPE}${draw.pick(["leader", "initialize"])}`);
    await this.#post("/v3/kv/txn", {
      compare: [{ key, target: "CREATE", result: "EQUAL", create_revision: "0" }],
      success: [{ request_put: { key, value: base64(name), lease } }],
      ...(draw.percent(50) ? { failure: [{ request_range: { key } }] } : {}),
    });
  }

  /** Where the leader is; only he who holds the lock may tell. */
  async #updateLeader(name: string): Promise<void> {
    const leader = base64(`${SCOPE}leader`);
    const optime = base64(`${SCOPE}status`);
    const value = base64(JSON.stringify({ optime: ++this.#optime }));
    await this.#post("/v3/kv/txn", {
      compare: [{ key: leader, target: "VALUE", result: "EQUAL", value: base64(name) }],
      success: [{ request_put: { key: optime, value } }],
    });
  }

  /** A key changed on the condition that nobody else has changed it. */
  async #failover(name: string, draw: Draw): Promise<void> {
    const key = base64(`${SCOPE}${draw.pick(["config", "failover", "sync", "history"])}`);
    const found = (await this.#post("/v3/kv/range", { key })) as {
      kvs?: { mod_revision: string }[];
    };
    const revision = found.kvs?.[0]?.mod_revision ?? "0";
    const put = { request_put: { key, value: base64(JSON.stringify({ leader: name })) } };
    await this.#post("/v3/kv/txn", {
      compare: [{ key, target: "MOD", result: "EQUAL", mod_revision: revision }],
      success: [draw.percent(30) ? { request_delete_range: { key } } : put],
    });
  }

  async #deleteLeader(draw: Draw): Promise<void> {
    const key = base64(`${SCOPE}leader`);
    const value = base64(draw.pick(MEMBERS));
    await this.#post("/v3/kv/txn", {
      compare: [{ key, target: "VALUE", result: "EQUAL", value }],
      success: [{ request_delete_range: { key } }],
    });
  }

  /** A member is gone: its lease, and all that hangs on it. */
  async #dropLease(name: string): Promise<void> {
    const ID = await this.#lease(name);
    await this.#post("/v3/lease/revoke", { ID });
    this.#leases.delete(ID);
  }

  async #watch(): Promise<void> {
    const create_request = {
      key: base64(SCOPE),
      range_end: base64(prefixEnd(Buffer.from(SCOPE))),
      start_revision: `${this.#world.model.revision + 1}`,
      progress_notify: true,
    };
    const body = JSON.stringify({ create_request });
    const open = this.#world.sides.map((side) => LineStream.open(side.endpoint, "/v3/watch", body));
    this.#watches = await Promise.all(open);
    this.#world.requests++;
  }

  /**
   * A last write, and both watches must have told of everything up to it, alike. While an alarm
   * stands the write is refused, and this is left to the next time.
   */
  async settle(): Promise<void> {
    if (this.#watches.length === 0) return;
    const key = base64(`${SCOPE}settle`);
    const value = base64(`${this.#world.model.revision}`);
    const answer = await this.#post("/v3/kv/put", { key, value });
    if ("code" in (answer as object)) return;
    const mark = `"mod_revision":"${this.#world.model.revision}"`;
    const lines = await Promise.all(this.#watches.map((watch) => watch.takeUntil(mark)));
    const [a, b] = lines.map(events);
    this.#world.same("Patroni's watch", null, a!, b!);
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
  }
}

/** The events of all lines; a line without any as it is. */
function events(lines: readonly string[]): Plain[] {
  return lines.flatMap((line) => {
    const { result } = JSON.parse(line) as { result?: { events?: Plain[] } };
    if (result === undefined) throw new Difference(`a watch ended: ${line}`);
    return result.events ?? [JSON.parse(line) as Plain];
  });
}
