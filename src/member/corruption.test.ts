import assert from "node:assert/strict";
import { test } from "node:test";
import { Bench } from "../apply/testing.ts";
import { toEnd } from "../base/testing.ts";
import type { KvHash } from "../mvcc/index.ts";
import { api, decodeMessage, fail } from "../proto/index.ts";
import { CorruptionChecker } from "./corruption.ts";
import type { NetworkPort, PeerHash, PeerReply } from "./ports.ts";
import type { Slicer } from "./slices.ts";

const SELF = 2n;
const A = 10n;
const B = 11n;

type Reply = PeerReply<PeerHash>;

const unreached: Reply = { kind: "unreached", reason: "no answer" };
const refused = (name: "futureRev" | "compacted" | "clusterIdMismatch"): Reply => ({
  kind: "refused",
  failure: fail(name),
});

/** A member with some history, and others who answer as the test says. */
class World {
  readonly bench = new Bench();
  readonly lines: string[] = [];
  readonly alarms: bigint[] = [];
  readonly asked: number[] = [];
  answer: (id: bigint, own: KvHash) => Reply = (_, own) => this.same(own);
  /** Happens while the others are asked. */
  meanwhile = () => {};
  readonly checker: CorruptionChecker;

  constructor(ids = [A, B]) {
    for (let i = 0; i < 20; i++) this.bench.put(`k${i % 7}`);
    const { store } = this.bench.state;
    const say = (message: string) => this.lines.push(message);
    const member = (id: bigint) => ({
      id,
      peerUrls: [`http://${id}`],
      name: "",
      clientUrls: [],
      isLearner: false,
    });
    const network: Pick<NetworkPort, "hashKv"> = {
      hashKv: async (id, revision) => {
        this.asked.push(revision);
        const own = toEnd(store.hashKv(revision));
        assert.ok(typeof own !== "string");
        return this.answer(id, own);
      },
    };
    this.checker = new CorruptionChecker({
      memberId: SELF,
      store,
      slicer: { run: async (slices: Generator) => toEnd(slices) } as unknown as Slicer,
      network: network as NetworkPort,
      lines: { info: say, warn: say, error: say },
      text: { duration: (ms) => `${ms}ms`, bytes: String },
      requestTimeoutMs: 7000,
      members: () => [SELF, ...ids].map(member),
      caughtUp: async () => {
        this.meanwhile();
        return undefined;
      },
      propose: (_field, request) =>
        this.alarms.push(decodeMessage(api.AlarmRequest, request).memberID),
    });
  }

  /** Compacts, with the hash that this makes. */
  compact(): void {
    const { bench } = this;
    for (let i = 0; i < 3; i++) bench.put("more");
    bench.compact(bench.state.store.currentRevision - 1);
    toEnd(bench.state.store.runCompaction());
  }

  same(own: KvHash): Reply {
    const revision = this.bench.state.store.currentRevision;
    return { kind: "value", value: { ...own, revision } };
  }

  other(own: KvHash, fields: Partial<PeerHash> = { hash: own.hash ^ 1 }): Reply {
    const revision = this.bench.state.store.currentRevision;
    return { kind: "value", value: { ...own, revision, ...fields } };
  }

  said(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}

// ---- before serving

test("a member starts when nobody has another hash of the same history", async () => {
  const world = new World();
  assert.equal(await world.checker.checkInitially(), undefined);
  assert.deepEqual(world.asked, [21, 21]);
  assert.equal(world.said("passed"), 1);
});

test("a member whose hash differs from another's must not start", async () => {
  const world = new World();
  world.answer = (id, own) => (id === A ? world.other(own) : world.same(own));
  assert.equal(await world.checker.checkInitially(), "2 found data inconsistency with peers");
  assert.equal(world.said("found different hash values from remote peer"), 1);
});

const uncertain: [string, (world: World, own: KvHash) => Reply, string][] = [
  ["is behind", () => refused("futureRev"), "cannot fetch hash from slow remote peer"],
  ["has compacted it", () => refused("compacted"), "local member is behind"],
  ["is of another cluster", () => refused("clusterIdMismatch"), "cluster ID mismatch"],
  ["cannot be reached", () => unreached, "failed hash kv request"],
  [
    "has another compact revision",
    (world, own) => world.other(own, { hash: 1, compactRevision: 5 }),
    "found different compact revision values",
  ],
];

for (const [what, reply, line] of uncertain) {
  test(`a member starts when another ${what}`, async () => {
    const world = new World();
    world.answer = (_, own) => reply(world, own);
    assert.equal(await world.checker.checkInitially(), undefined);
    assert.equal(world.said(line), 2);
  });
}

// ---- every so often

test("members that are alike, or behind, raise no alarm", async () => {
  const world = new World();
  await world.checker.checkNow();
  world.answer = () => refused("futureRev");
  await world.checker.checkNow();
  assert.deepEqual(world.alarms, []);
  assert.equal(world.said("finished peer corruption check"), 2);
});

test("compactions and writes between two looks raise no alarm", async () => {
  const world = new World();
  world.meanwhile = () => world.compact();
  await world.checker.checkNow();
  assert.deepEqual(world.alarms, []);
});

const wrong: [string, Partial<PeerHash>][] = [
  ["another hash", { hash: 1 }],
  ["a later revision", { revision: 99 }],
  ["a later compaction", { compactRevision: 9 }],
];

for (const [what, fields] of wrong) {
  test(`a follower with ${what} is named by an alarm`, async () => {
    const world = new World();
    world.answer = (id, own) => (id === B ? world.other(own, fields) : world.same(own));
    await world.checker.checkNow();
    assert.deepEqual(world.alarms, [B]);
  });
}

// ---- by the hashes of compactions

test("the newest compaction that all have is looked at once", async () => {
  const world = new World();
  for (let i = 0; i < 3; i++) world.compact();
  await world.checker.checkCompactions();
  assert.equal(world.asked.length, 2);
  await world.checker.checkCompactions();
  assert.equal(world.asked.length, 2, "nothing new");
  world.compact();
  await world.checker.checkCompactions();
  assert.equal(world.asked.length, 4);
  assert.deepEqual(world.alarms, []);
});

test("while a member does not answer, the compactions before are looked at, too", async () => {
  const world = new World();
  for (let i = 0; i < 3; i++) world.compact();
  world.answer = (id, own) => (id === A ? unreached : world.same(own));
  await world.checker.checkCompactions();
  assert.equal(world.asked.length, 6);
  assert.equal(world.said("Skipped peer's hash"), 3);
  world.answer = (id, own) =>
    id === A ? world.other(own, { hash: 1, compactRevision: 1 }) : world.same(own);
  await world.checker.checkCompactions();
  assert.deepEqual(world.alarms, [], "another compaction before says nothing");
});

test("whoever differs from the majority is named by an alarm, the leader too", async () => {
  const world = new World();
  world.compact();
  world.answer = (id, own) => (id === B ? world.other(own) : world.same(own));
  await world.checker.checkCompactions();
  assert.deepEqual(world.alarms, [B]);
  world.answer = (_, own) => world.other(own);
  await world.checker.checkCompactions();
  assert.deepEqual(world.alarms, [B, SELF]);
});

test("without a majority the alarm is for all", async () => {
  const world = new World([A]);
  world.compact();
  world.answer = (_, own) => world.other(own);
  await world.checker.checkCompactions();
  assert.deepEqual(world.alarms, [0n]);
  assert.equal(world.said("cannot identify the corrupted members"), 1);
});
