/** The traffic of a Kubernetes API server: optimistic writes, paged lists, watches, compaction. */
import { KV, Lease, type RangeResponse } from "../lib/api.ts";
import { prefixEnd, type Draw } from "./draw.ts";
import { WatchPair } from "./watches.ts";
import type { World } from "./world.ts";

const PREFIX = Buffer.from("/registry/pods/");
const PODS = 40;
const COMPACT_KEY = Buffer.from("compact_rev_key");
/** One lease serves the events of a while, not each its own. */
const EVENT_LEASE = 5_000n;

export class Kube {
  readonly #world: World;
  #watch: WatchPair | undefined;
  #compactVersion = 0n;

  constructor(world: World) {
    this.#world = world;
  }

  async step(draw: Draw, settle: () => Promise<void>): Promise<void> {
    const step = draw.weighted<() => Promise<void>>([
      [60, () => this.#write(draw)],
      [18, async () => void (await this.#list(draw))],
      [8, () => this.#event(draw)],
      [3, () => this.#listAndWatch(draw)],
      [1, () => this.#compact(settle)],
    ]);
    await step();
  }

  #podKey(draw: Draw): Uint8Array {
    return Buffer.from(`/registry/pods/ns-${draw.below(3)}/pod-${draw.below(PODS)}`);
  }

  /** Create, update or delete on the condition that the key is as last seen; else read it. */
  async #write(draw: Draw): Promise<void> {
    const world = this.#world;
    const key = this.#podKey(draw);
    const read = await world.call(KV.method.range, { key });
    const current = read.message!.kvs[0]?.modRevision ?? 0n;
    const value = Buffer.from(`{"kind":"Pod","n":${draw.below(1e6)},"pad":"${"p".repeat(300)}"}`);
    const put = { request: { case: "requestPut" as const, value: { key, value } } };
    const remove = { request: { case: "requestDeleteRange" as const, value: { key } } };
    await world.call(KV.method.txn, {
      compare: [
        {
          key,
          target: 2,
          targetUnion: {
            case: "modRevision",
            value: draw.percent(80) ? current : current + BigInt(draw.below(3)) - 1n,
          },
        },
      ],
      success: [current > 0n && draw.percent(30) ? remove : put],
      failure: [{ request: { case: "requestRange", value: { key } } }],
    });
  }

  /** All pages of a list, at the revision of the first. */
  async #list(draw: Draw): Promise<RangeResponse | undefined> {
    const world = this.#world;
    const rangeEnd = prefixEnd(PREFIX);
    await world.call(KV.method.range, { key: PREFIX, rangeEnd, countOnly: true });
    const limit = draw.pick([3n, 7n, 20n, 500n]);
    let key: Uint8Array = PREFIX;
    let revision = 0n;
    for (;;) {
      const request = { key, rangeEnd, limit, revision, serializable: draw.percent(10) };
      const { message } = await world.call(KV.method.range, request);
      if (revision === 0n) revision = message!.header!.revision;
      if (!message?.more) return message;
      key = Buffer.concat([message.kvs.at(-1)!.key, Uint8Array.of(0)]);
    }
  }

  async #event(draw: Draw): Promise<void> {
    const world = this.#world;
    if (!world.model.leases.has(EVENT_LEASE)) {
      await world.call(Lease.method.leaseGrant, { ID: EVENT_LEASE, TTL: 3_600n });
      world.model.leases.add(EVENT_LEASE);
    }
    const key = Buffer.from(`/registry/events/e-${draw.below(30)}`);
    await world.call(KV.method.txn, {
      compare: [{ key, target: 2, targetUnion: { case: "modRevision", value: 0n } }],
      success: [
        { request: { case: "requestPut", value: { key, value: key, lease: EVENT_LEASE } } },
      ],
      failure: [{ request: { case: "requestRange", value: { key } } }],
    });
  }

  /** A list, and a watch of what happens after it. */
  async #listAndWatch(draw: Draw): Promise<void> {
    await this.#watch?.settle();
    this.#watch?.close();
    this.#watch = new WatchPair(this.#world);
    const list = await this.#list(draw);
    await this.#watch.create({
      key: PREFIX,
      rangeEnd: prefixEnd(PREFIX),
      startRevision: (list?.header?.revision ?? 0n) + 1n,
      prevKv: true,
      progressNotify: true,
    });
  }

  /** Of several API servers only the one that wins this transaction compacts. */
  async #compact(settle: () => Promise<void>): Promise<void> {
    const world = this.#world;
    const value = Buffer.from(`${world.model.revision}`);
    const { message } = await world.call(KV.method.txn, {
      compare: [
        { key: COMPACT_KEY, targetUnion: { case: "version", value: this.#compactVersion } },
      ],
      success: [{ request: { case: "requestPut", value: { key: COMPACT_KEY, value } } }],
      failure: [{ request: { case: "requestRange", value: { key: COMPACT_KEY } } }],
    });
    if (message!.succeeded) {
      this.#compactVersion++;
      await settle();
      const revision = BigInt(world.model.compactable(world.model.revision - 5));
      const { code } = await world.call(KV.method.compact, { revision, physical: true });
      if (code === 0) world.model.compacted = Number(revision);
      return;
    }
    const found = message!.responses[0]?.response;
    if (found?.case === "responseRange") {
      this.#compactVersion = found.value.kvs[0]?.version ?? 0n;
    }
  }

  async settle(): Promise<void> {
    await this.#watch?.settle();
  }

  /** Ends the watch; a later step opens another. */
  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }
}
