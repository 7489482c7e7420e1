import assert from "node:assert/strict";
import { test } from "node:test";
import { type Deferred, deferred, textToBytes } from "../base/index.ts";
import {
  ENTRY_TYPE,
  type Entry,
  type HardState,
  MESSAGE_TYPE,
  type Message,
  type Snapshot,
} from "../proto/index.ts";
import { EMPTY_CONF_STATE, MemoryStorage, message, RawNode } from "../raft/index.ts";
import type { NetworkPort } from "./ports.ts";
import { Replica } from "./replica.ts";

const EMPTY = new Uint8Array(0);

interface Write {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  readonly done: Deferred<void>;
}

/** Member 1 of three, with a disk, a network and a state machine that do what the test says. */
class Bench {
  readonly node: RawNode;
  readonly replica: Replica;
  readonly writes: Write[] = [];
  readonly sent: Message[] = [];
  readonly installs: { readonly snapshot: Snapshot; readonly done: Deferred<void> }[] = [];
  readonly applied: number[] = [];
  /** Indices of the entries that are synced, in the order in which they were. */
  readonly synced: number[] = [];
  readonly failures: unknown[] = [];
  proposals: Uint8Array[] = [];
  wakes = 0;
  now = 0;
  readonly sleepers: Deferred<void>[] = [];

  constructor(voters: readonly bigint[] = [1n, 2n, 3n]) {
    const storage = new MemoryStorage();
    const confState = { ...EMPTY_CONF_STATE, voters };
    storage.applySnapshot({ meta: { index: 0, term: 0, confState }, data: EMPTY });
    this.node = new RawNode({
      id: 1n,
      storage,
      electionTicks: 10,
      heartbeatTicks: 1,
      random: () => 0,
      messageBytesMax: 1024 * 1024,
      inflightMessagesMax: 256,
      asyncStorageWrites: true,
      checkQuorum: true,
      preVote: true,
    });
    this.replica = new Replica({
      id: 1n,
      electionMs: 1000,
      node: this.node,
      storage,
      log: {
        append: ({ entries, hardState, mustSync }) => {
          if (!mustSync && this.writes.length === 0) return Promise.resolve();
          const done = deferred<void>();
          this.writes.push({ entries, hardState, done });
          return done.promise;
        },
      } as ConstructorParameters<typeof Replica>[0]["log"],
      network: {
        send: (messages: readonly Message[]) => this.sent.push(...messages),
      } as unknown as NetworkPort,
      onSoftState: () => {},
      onReadStates: () => {},
      onReadIndex: () => false,
      onAppended: () => {},
      onHeartbeat: () => {},
      apply: (entries, done) => {
        this.applied.push(...entries.map(({ index }) => index));
        done();
      },
      feed: () => {
        const datas = this.proposals;
        this.proposals = [];
        if (datas.length > 0) this.node.propose(datas);
      },
      sendSnapshot: () => {},
      install: (snapshot) => {
        const done = deferred<void>();
        this.installs.push({ snapshot, done });
        return done.promise.then(() => {
          storage.applySnapshot(snapshot);
        });
      },
      wake: () => this.wakes++,
      time: {
        now: () => this.now,
        sleep: () => {
          const done = deferred<void>();
          this.sleepers.push(done);
          return done.promise;
        },
      },
      onFatal: (error) => this.failures.push(error),
    });
  }

  /** Members send, and a turn passes. */
  receive(...messages: Message[]): void {
    for (const m of messages) assert.ok(this.replica.receive(m));
    this.replica.turn();
  }

  /** The oldest write ends well. */
  async sync(): Promise<void> {
    const write = this.writes.shift()!;
    this.synced.push(...write.entries.map(({ index }) => index));
    write.done.resolve();
    await settled();
  }

  async syncAll(): Promise<void> {
    while (this.writes.length > 0) await this.sync();
  }

  /** What was sent since the last call. */
  takeSent(): Message[] {
    return this.sent.splice(0);
  }

  propose(...texts: string[]): void {
    this.proposals.push(...texts.map(textToBytes));
    this.replica.turn();
  }

  /** Wins an election, and its first entry is committed and applied. */
  async lead(): Promise<void> {
    const { preVoteResp, voteResp, appResp } = MESSAGE_TYPE;
    this.node.campaign();
    this.replica.turn();
    await settled();
    this.receive(message({ type: preVoteResp, to: 1n, from: 2n, term: 1 }));
    await this.syncAll();
    this.receive(message({ type: voteResp, to: 1n, from: 2n, term: 1 }));
    await this.syncAll();
    assert.equal(this.node.status().softState.role, "leader");
    this.receive(message({ type: appResp, to: 1n, from: 2n, term: 1, index: 1 }));
    await this.syncAll();
    this.receive(message({ type: appResp, to: 1n, from: 3n, term: 1, index: 1 }));
    assert.deepEqual(this.applied, [1]);
    this.takeSent();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function entry(index: number, term = 1): Entry {
  return { term, index, type: ENTRY_TYPE.normal, data: textToBytes(`${term}/${index}`) };
}

function app(fields: { term?: number; index?: number; entries?: Entry[]; commit?: number }) {
  const { term = 1, index = 0, entries = [], commit = 0 } = fields;
  const logTerm = index === 0 ? 0 : term;
  const type = MESSAGE_TYPE.app;
  return message({ type, to: 1n, from: 2n, term, index, logTerm, entries, commit });
}

function snap(index: number): Message {
  const confState = { ...EMPTY_CONF_STATE, voters: [1n, 2n, 3n] };
  const snapshot = { meta: { index, term: 1, confState }, data: EMPTY };
  return message({ type: MESSAGE_TYPE.snap, to: 1n, from: 2n, term: 1, snapshot });
}

const types = (messages: readonly Message[]) => messages.map(({ type }) => type);
const indices = (write: Write | undefined) => write?.entries.map(({ index }) => index);

test("a vote is told when it is durable, not before (thesis §3.8)", async () => {
  const it = new Bench();
  it.receive(message({ type: MESSAGE_TYPE.vote, to: 1n, from: 2n, term: 5, index: 9, logTerm: 4 }));
  await settled();
  assert.deepEqual(it.sent, []);
  assert.deepEqual(it.writes[0]?.hardState, { term: 5, vote: 2n, commit: 0 });
  await it.sync();
  assert.deepEqual(types(it.sent), [MESSAGE_TYPE.voteResp]);
});

test("a candidate counts its own vote when it is durable", async () => {
  const it = new Bench([1n]);
  it.node.campaign();
  it.replica.turn();
  await settled();
  assert.equal(it.node.status().softState.role, "candidate");
  await it.sync();
  assert.equal(it.node.status().softState.role, "leader");
});

test("an append is acknowledged when its entries are durable, not before", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1), entry(2)] }));
  it.receive(app({ index: 2, entries: [entry(3)] }));
  await settled();
  assert.deepEqual(it.sent, []);
  await it.sync();
  assert.deepEqual(
    it.takeSent().map(({ type, index }) => [type, index]),
    [[MESSAGE_TYPE.appResp, 2]],
  );
  await it.sync();
  assert.deepEqual(
    it.takeSent().map(({ index }) => index),
    [3],
  );
});

test("an acknowledgement without a write of its own waits for the writes before it", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1)] }));
  // The same once more: nothing to write, and the entry is not durable yet.
  it.receive(app({ entries: [entry(1)] }));
  await settled();
  assert.deepEqual(it.sent, []);
  await it.syncAll();
  assert.deepEqual(
    it.sent.map(({ type, index }) => [type, index]),
    [[MESSAGE_TYPE.appResp, 1]],
  );
});

test("an append that only tells the commit index is not acknowledged again, but after a while", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1)] }));
  await it.syncAll();
  it.takeSent();
  it.receive(app({ index: 1, commit: 1 }));
  await it.syncAll();
  await settled();
  assert.deepEqual(it.takeSent(), []);
  assert.deepEqual(it.applied, [1]);
  // The leader asks with its next heartbeat, if the first answer was lost.
  it.now += 100;
  it.receive(app({ index: 1, commit: 1 }));
  await settled();
  assert.deepEqual(
    it.takeSent().map(({ type, index }) => [type, index]),
    [[MESSAGE_TYPE.appResp, 1]],
  );
});

test("a leader sends its entries while it writes them (thesis §10.2.1)", async () => {
  const it = new Bench();
  await it.lead();
  it.propose("a", "b");
  assert.deepEqual(
    it.takeSent().map(({ to, entries }) => [to, entries.length]),
    [
      [2n, 2],
      [3n, 2],
    ],
  );
  assert.deepEqual(indices(it.writes[0]), [2, 3]);
});

test("a leader counts its own copy only when it is durable", async () => {
  const it = new Bench();
  await it.lead();
  it.propose("a");
  it.receive(message({ type: MESSAGE_TYPE.appResp, to: 1n, from: 2n, term: 1, index: 2 }));
  await settled();
  assert.equal(it.node.status().commit, 1);
  await it.sync();
  assert.equal(it.node.status().commit, 2);
  assert.deepEqual(it.applied, [1, 2]);
});

test("what others commit meanwhile is applied here when it is durable here, too", async () => {
  const it = new Bench();
  await it.lead();
  it.propose("a");
  for (const from of [2n, 3n]) {
    it.receive(message({ type: MESSAGE_TYPE.appResp, to: 1n, from, term: 1, index: 2 }));
  }
  assert.equal(it.node.status().commit, 2);
  await settled();
  assert.deepEqual(it.applied, [1]);
  await it.syncAll();
  assert.deepEqual(it.applied, [1, 2]);
});

test("entries are applied while the next ones are being written", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1), entry(2)] }));
  await it.sync();
  it.receive(app({ index: 2, entries: [entry(3)], commit: 2 }));
  assert.deepEqual(it.applied, [1, 2]);
  assert.deepEqual(indices(it.writes[0]), [3]);
});

test("a tail that another leader replaces is not acknowledged to it by the write before", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1), entry(2)] }));
  it.receive(
    message({
      type: MESSAGE_TYPE.app,
      to: 1n,
      from: 3n,
      term: 2,
      index: 1,
      logTerm: 1,
      entries: [entry(2, 2)],
    }),
  );
  await it.sync();
  // The first leader may hear of its entries; the second one of nothing yet.
  assert.ok(it.takeSent().every(({ to, term }) => to === 2n && term === 1));
  await it.sync();
  assert.deepEqual(
    it.takeSent().map(({ to, term, index }) => [to, term, index]),
    [[3n, 2, 2]],
  );
});

test("a write that fails stops the member, and nothing is told any more", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1)] }));
  it.writes[0]!.done.reject(new Error("the disk is gone"));
  await settled();
  assert.equal(it.failures.length, 1);
  assert.ok(!it.replica.receive(app({ index: 1, entries: [entry(2)] })));
  it.replica.turn();
  assert.deepEqual(it.sent, []);
});

test("a snapshot is installed before what follows it is written", async () => {
  const it = new Bench();
  it.receive(snap(10));
  it.receive(app({ index: 10, entries: [entry(11)], commit: 11 }));
  await settled();
  assert.equal(it.installs.length, 1);
  assert.deepEqual(it.writes, []);
  assert.deepEqual(it.sent, []);
  it.installs[0]!.done.resolve();
  await settled();
  await it.syncAll();
  assert.deepEqual(it.synced, [11]);
  assert.deepEqual(
    it.sent.map(({ index }) => index),
    [10, 11],
  );
  assert.deepEqual(it.applied, [11]);
});

test("a snapshot waits for the writes before it", async () => {
  const it = new Bench();
  it.receive(app({ entries: [entry(1)] }));
  it.receive(snap(10));
  await settled();
  assert.deepEqual(it.installs, []);
  await it.sync();
  assert.equal(it.installs.length, 1);
});

test("a newer snapshot may come while one is being installed", async () => {
  const it = new Bench();
  it.receive(snap(10));
  await settled();
  it.receive(snap(20));
  it.receive(app({ index: 20, entries: [entry(21)], commit: 21 }));
  await settled();
  assert.equal(it.installs.length, 1);
  it.installs[0]!.done.resolve();
  await settled();
  await it.syncAll();
  assert.deepEqual(it.synced, []);
  it.installs[1]!.done.resolve();
  await settled();
  await it.syncAll();
  assert.deepEqual(it.failures, []);
  assert.deepEqual(it.synced, [21]);
  assert.deepEqual(it.applied, [21]);
});

test("very much that arrived is taken in by several turns, in order", () => {
  const it = new Bench();
  const big = (index: number): Entry => ({ ...entry(index), data: new Uint8Array(1_500_000) });
  for (let index = 0; index < 3; index++) {
    assert.ok(it.replica.receive(app({ index, entries: [big(index + 1)] })));
  }
  for (let turn = 1; turn <= 3; turn++) {
    it.replica.turn();
    assert.equal(it.writes.flatMap(({ entries }) => entries).length, turn);
  }
  assert.equal(it.wakes, 2);
  assert.ok(!it.replica.hasWork);
});

/** What reaches a leader, member 2, that is known so long after a proposal of member 3 came. */
async function forwardedAfter(ms: number): Promise<readonly (readonly [bigint, bigint])[]> {
  const it = new Bench();
  await it.lead();
  it.node.transferLeader(2n);
  it.replica.turn();
  it.takeSent();
  const { prop, heartbeat } = MESSAGE_TYPE;
  it.receive(message({ type: prop, to: 1n, from: 3n, entries: [entry(0, 0)] }));
  assert.deepEqual(it.takeSent(), []);
  it.now += ms;
  it.receive(message({ type: heartbeat, to: 1n, from: 2n, term: 2, commit: 1 }));
  it.replica.releaseHeld();
  it.replica.turn();
  const proposals = it.takeSent().filter(({ type }) => type === prop);
  return proposals.map(({ to, from }) => [to, from]);
}

test("proposals that came while leadership was moving reach the next leader", async () => {
  assert.deepEqual(await forwardedAfter(1000), [[2n, 3n]]);
});

test("a proposal that waited for long comes over nothing that was written since", async () => {
  assert.deepEqual(await forwardedAfter(1001), []);
});

/** Entries up to the index were acknowledged by member 2, and a quorum has them. */
async function commit(it: Bench, index: number): Promise<void> {
  await it.syncAll();
  it.receive(message({ type: MESSAGE_TYPE.appResp, to: 1n, from: 2n, term: 1, index }));
  await it.syncAll();
  assert.equal(it.node.status().commit, index);
}

test("a commit index that nobody waits for leaves with the next entries", async () => {
  const it = new Bench();
  await it.lead();
  it.propose("a");
  it.takeSent();
  await commit(it, 2);
  assert.deepEqual(it.takeSent(), []);
  it.propose("b");
  assert.deepEqual(
    it.takeSent().map(({ to, entries, commit }) => [to, entries.length, commit]),
    [
      [2n, 1, 2],
      [3n, 1, 2],
    ],
  );
});

test("a commit index that nothing follows leaves a moment later", async () => {
  const it = new Bench();
  await it.lead();
  it.propose("a");
  await commit(it, 2);
  it.takeSent();
  for (const sleeper of it.sleepers.splice(0)) sleeper.resolve();
  await settled();
  assert.deepEqual(
    it.takeSent().map(({ to, entries, commit }) => [to, entries.length, commit]),
    [
      [2n, 0, 2],
      [3n, 0, 2],
    ],
  );
});

test("a member that waits for what it proposed hears of its commit at once", async () => {
  const it = new Bench();
  await it.lead();
  it.receive(message({ type: MESSAGE_TYPE.prop, to: 1n, from: 3n, entries: [entry(0, 0)] }));
  it.takeSent();
  await commit(it, 2);
  assert.deepEqual(
    it.takeSent().map(({ to, commit }) => [to, commit]),
    [[3n, 2]],
  );
});

test("a member hears of each of its proposals at once, though more are under way", async () => {
  const it = new Bench();
  await it.lead();
  const prop = () => message({ type: MESSAGE_TYPE.prop, to: 1n, from: 3n, entries: [entry(0, 0)] });
  it.receive(prop());
  await it.syncAll();
  it.receive(prop());
  await it.syncAll();
  it.takeSent();
  await commit(it, 2);
  await commit(it, 3);
  assert.deepEqual(
    it.takeSent().map(({ to, commit }) => [to, commit]),
    [
      [3n, 2],
      [3n, 3],
    ],
  );
});
