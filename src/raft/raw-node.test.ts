import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStorage } from "./memory-storage.ts";
import { RawNode, type Ready } from "./raw-node.ts";
import type { RaftConfig } from "./config.ts";
import { EMPTY_CONF_STATE } from "./storage.ts";
import {
  CONF_CHANGE_TYPE,
  type ConfChange,
  decodeConfChange,
  ENTRY_TYPE,
  type Message,
  MESSAGE_TYPE,
  message,
} from "./types.ts";

const text = (data: Uint8Array) => Buffer.from(data).toString();
const bytes = (data: string) => new Uint8Array(Buffer.from(data));

interface Member {
  readonly node: RawNode;
  readonly storage: MemoryStorage;
}

function member(voters: bigint[], options: Partial<RaftConfig> = {}): Member {
  const storage = new MemoryStorage();
  const confState = { ...EMPTY_CONF_STATE, voters };
  storage.applySnapshot({ meta: { index: 1, term: 1, confState }, data: bytes("") });
  storage.setHardState({ term: 1, vote: 0n, commit: 1 });
  return { node: new RawNode(config(storage, options)), storage };
}

function config(storage: MemoryStorage, options: Partial<RaftConfig> = {}): RaftConfig {
  const limits = { messageBytesMax: Infinity, inflightMessagesMax: 256 };
  const ticks = { electionTicks: 10, heartbeatTicks: 1 };
  return { id: 1n, storage, random: () => 0, ...ticks, ...limits, ...options };
}

/** Carries out one Ready. */
function turn({ node, storage }: Member): Ready {
  const ready = node.ready();
  if (ready.snapshot !== undefined) storage.applySnapshot(ready.snapshot);
  if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
  storage.append(ready.entries);
  for (const { type, data } of ready.committed) {
    if (type === ENTRY_TYPE.confChange) node.applyConfChange(decodeConfChange(data));
  }
  node.advance();
  return ready;
}

/** Carries out Readies until there is none. Returns the messages they had. */
function settle(it: Member): Message[] {
  const sent: Message[] = [];
  while (it.node.hasReady) {
    const { messages, messagesAfterAppend } = turn(it);
    sent.push(...messages, ...messagesAfterAppend);
  }
  return sent;
}

function leader(voters: bigint[], options: Partial<RaftConfig> = {}): Member {
  const it = member(voters, options);
  it.node.campaign();
  settle(it);
  for (const from of voters.slice(1)) {
    it.node.step(message({ type: MESSAGE_TYPE.voteResp, to: 1n, from, term: 2 }));
  }
  settle(it);
  assert.equal(it.node.status().softState.role, "leader");
  return it;
}

function addLearner(nodeId: bigint): ConfChange {
  return { id: 0n, type: CONF_CHANGE_TYPE.addLearner, nodeId, context: bytes("") };
}

test("with one voter an entry commits when it is durable, in the Ready after its write", () => {
  const it = leader([1n]);
  assert.equal(it.node.propose([bytes("a"), bytes("b")]), undefined);
  const write = turn(it);
  assert.deepEqual(
    write.entries.map(({ data }) => text(data)),
    ["a", "b"],
  );
  assert.deepEqual([write.committed.length, write.mustSync], [0, true]);
  const apply = turn(it);
  assert.deepEqual(
    apply.committed.map(({ data }) => text(data)),
    ["a", "b"],
  );
  assert.deepEqual([apply.entries.length, apply.mustSync], [0, false]);
  assert.equal(it.node.hasReady, false);
});

test("what is proposed while a write is under way gathers for the next Ready", () => {
  const it = leader([1n]);
  it.node.propose([bytes("a")]);
  const ready = it.node.ready();
  it.node.propose([bytes("b")]);
  it.node.propose([bytes("c")]);
  it.storage.append(ready.entries);
  it.node.advance();
  const next = turn(it);
  assert.deepEqual(
    next.committed.map(({ data }) => text(data)),
    ["a"],
  );
  assert.deepEqual(
    next.entries.map(({ data }) => text(data)),
    ["b", "c"],
  );
});

test("a group is founded by entries that name its members, and restarts from its storage", () => {
  const storage = new MemoryStorage();
  const first = { node: new RawNode(config(storage)), storage };
  first.node.bootstrap([{ id: 1n, context: bytes("me") }]);
  const { entries, hardState, committed } = turn(first);
  assert.deepEqual(hardState, { term: 1, vote: 0n, commit: 1 });
  assert.deepEqual(entries, committed);
  const change = decodeConfChange(entries[0]!.data);
  assert.deepEqual([change.type, change.nodeId], [CONF_CHANGE_TYPE.addNode, 1n]);
  assert.equal(text(change.context), "me");
  first.node.campaign();
  settle(first);
  first.node.propose([bytes("a")]);
  settle(first);
  assert.equal(storage.lastIndex, 3);
  const again = { node: new RawNode(config(storage)), storage };
  assert.deepEqual(again.node.status().commit, 3);
  assert.deepEqual(
    turn(again).committed.map(({ index }) => index),
    [1, 2, 3],
  );
  const later = new RawNode(config(storage, { applied: 2 }));
  assert.deepEqual(
    later.ready().committed.map(({ index }) => index),
    [3],
  );
});

test("only an empty storage can be founded", () => {
  const { node } = member([1n]);
  const peers = [{ id: 1n, context: bytes("") }];
  assert.throws(() => node.bootstrap(peers), /can't bootstrap a nonempty Storage/);
  const empty = new RawNode(config(new MemoryStorage()));
  assert.throws(() => empty.bootstrap([]), /must provide at least one peer to Bootstrap/);
});

test("there is one Ready at a time", () => {
  const it = leader([1n]);
  it.node.propose([bytes("a")]);
  it.node.ready();
  it.node.propose([bytes("b")]);
  assert.throws(() => it.node.ready(), /two accepted Ready structs without call to Advance/);
});

test("a vote leaves only when it is durable, a request for votes at once", () => {
  const candidate = member([1n, 2n, 3n]);
  candidate.node.campaign();
  const asking = candidate.node.ready();
  assert.deepEqual(
    asking.messages.map(({ type }) => type),
    [MESSAGE_TYPE.vote, MESSAGE_TYPE.vote],
  );
  assert.deepEqual(asking.messagesAfterAppend, []);
  const voter = member([1n, 2n, 3n]);
  const request = { type: MESSAGE_TYPE.vote, to: 1n, from: 2n, term: 5, index: 9, logTerm: 4 };
  voter.node.step(message(request));
  const voting = voter.node.ready();
  assert.equal(voting.messages.length, 0);
  assert.deepEqual(
    voting.messagesAfterAppend.map(({ type }) => type),
    [MESSAGE_TYPE.voteResp],
  );
  assert.deepEqual([voting.hardState, voting.mustSync], [{ term: 5, vote: 2n, commit: 1 }, true]);
});

test("a write that another one confirmed is nothing that a log at level info must hear", () => {
  const lines: string[] = [];
  const say = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  const logger = { routine: say("routine") };
  const { node, storage } = member([1n], { logger, asyncStorageWrites: true });
  node.campaign();
  /** Carries out a Ready; answers what storage then has to say to the member. */
  const write = () => {
    const { entries, hardState, messages } = node.ready();
    if (hardState !== undefined) storage.setHardState(hardState);
    storage.append(entries);
    return messages.flatMap(({ responses }) => responses ?? []);
  };
  for (let turn = 0; turn < 4; turn++) for (const m of write()) node.step(m);
  assert.equal(node.status().softState.role, "leader");
  node.propose([bytes("a")]);
  const first = write();
  node.propose([bytes("b")]);
  const both = [...write(), ...first];
  for (const m of both) node.step(m);
  const missing = lines.filter((line) => line.endsWith("missing from unstable log; ignoring"));
  assert.ok(missing.length > 0);
  assert.deepEqual(missing, lines);
});

test("the log hears of each leader, who has it, and that there is none (etcd: node.go)", () => {
  const lines: string[] = [];
  const info = (text: string) => {
    if (text.startsWith("raft.node")) lines.push(text);
  };
  const { node } = member([1n, 2n, 0xabcn], { logger: { info } });
  let lead = 0n;
  const tell = () => {
    node.logLeader(lead);
    lead = node.status().softState.lead;
  };
  const hear = (from: bigint, term: number) => {
    node.step(message({ type: MESSAGE_TYPE.heartbeat, to: 1n, from, term }));
    tell();
  };
  hear(2n, 2);
  hear(2n, 2);
  hear(0xabcn, 3);
  node.campaign();
  tell();
  assert.deepEqual(lines, [
    "raft.node: 1 elected leader 2 at term 2",
    "raft.node: 1 changed leader from 2 to abc at term 3",
    "raft.node: 1 lost leader abc at term 4",
  ]);
});

test("strangers are not heard: local messages, and answers of members nobody knows", () => {
  const { node } = leader([1n]);
  for (const type of [MESSAGE_TYPE.hup, MESSAGE_TYPE.checkQuorum, MESSAGE_TYPE.storageAppend]) {
    const refusal = node.step(message({ type, to: 1n, from: 2n }));
    assert.equal(refusal, "raft: cannot step raft local message");
  }
  for (const type of [MESSAGE_TYPE.appResp, MESSAGE_TYPE.heartbeatResp, MESSAGE_TYPE.voteResp]) {
    const refusal = node.step(message({ type, to: 1n, from: 2n, term: 9 }));
    assert.equal(refusal, "raft: cannot step as peer not found");
  }
  assert.equal(node.status().term, 2);
});

test("proposals are dropped without a leader, in a transfer, and when too many wait", () => {
  const DROPPED = "raft proposal dropped";
  assert.equal(member([1n, 2n]).node.propose([bytes("a")]), DROPPED);
  const busy = leader([1n, 2n], { uncommittedBytesMax: 10 });
  assert.equal(busy.node.propose([bytes("first, and larger than that")]), undefined);
  assert.equal(busy.node.propose([bytes("a")]), DROPPED);
  assert.equal(busy.node.propose([bytes("")]), undefined);
  const leaving = leader([1n, 2n]);
  leaving.node.transferLeader(2n);
  assert.equal(leaving.node.propose([bytes("a")]), DROPPED);
  for (let i = 0; i < 10; i++) leaving.node.tick();
  assert.equal(leaving.node.propose([bytes("a")]), undefined);
});

test("a configuration change that cannot be read is dropped", () => {
  const it = leader([1n]);
  const entry = { term: 0, index: 0, type: ENTRY_TYPE.confChange, data: Uint8Array.of(0xff) };
  const proposal = message({ type: MESSAGE_TYPE.prop, to: 1n, from: 1n, entries: [entry] });
  assert.equal(it.node.step(proposal), "raft proposal dropped");
});

test("a second configuration change waits until the first is applied", () => {
  const it = leader([1n]);
  it.node.proposeConfChange(addLearner(2n));
  it.node.proposeConfChange(addLearner(3n));
  const { entries } = turn(it);
  assert.deepEqual(
    entries.map(({ type }) => type),
    [ENTRY_TYPE.confChange, ENTRY_TYPE.normal],
  );
  settle(it);
  assert.deepEqual(it.node.status().configuration.learners, [2n]);
  it.node.proposeConfChange(addLearner(3n));
  settle(it);
  assert.deepEqual(it.node.status().configuration.learners, [2n, 3n]);
});

test("a single voter answers reads at once, with the context they came with", () => {
  const it = leader([1n]);
  it.node.readIndex(bytes("r1"));
  const { readStates } = turn(it);
  assert.deepEqual(readStates, [{ index: 2, context: bytes("r1") }]);
});

test("a leader of several answers reads when a quorum has answered its heartbeat", () => {
  const it = leader([1n, 2n, 3n]);
  it.node.readIndex(bytes("early"));
  assert.equal(it.node.ready().readStates.length, 0);
  it.node.advance();
  const acknowledge = { type: MESSAGE_TYPE.appResp, to: 1n, from: 2n, term: 2, index: 2 };
  it.node.step(message(acknowledge));
  const heartbeats = settle(it).filter(({ type }) => type === MESSAGE_TYPE.heartbeat);
  assert.deepEqual(
    heartbeats.map(({ context }) => context[0]),
    [1, 1],
  );
  const { context } = heartbeats[0]!;
  const answer = { type: MESSAGE_TYPE.heartbeatResp, to: 1n, from: 3n, term: 2, context };
  it.node.step(message(answer));
  assert.deepEqual(it.node.ready().readStates, [{ index: 2, context: bytes("early") }]);
});

test("a follower hands reads and proposals to the leader and takes the answers", () => {
  const it = member([1n, 2n]);
  it.node.step(message({ type: MESSAGE_TYPE.heartbeat, to: 1n, from: 2n, term: 1 }));
  settle(it);
  it.node.readIndex(bytes("r"));
  it.node.propose([bytes("p")]);
  const sent = settle(it);
  assert.deepEqual(
    sent.map(({ type, to, from, term }) => [type, to, from, term]),
    [
      [MESSAGE_TYPE.readIndex, 2n, 1n, 0],
      [MESSAGE_TYPE.prop, 2n, 1n, 0],
    ],
  );
  const { entries } = sent[0]!;
  const answer = { type: MESSAGE_TYPE.readIndexResp, to: 1n, from: 2n, term: 1, index: 7, entries };
  it.node.step(message(answer));
  assert.deepEqual(it.node.ready().readStates, [{ index: 7, context: bytes("r") }]);
});

test("the outcome of a snapshot decides where its receiver is probed next", () => {
  for (const [outcome, next] of [
    ["finished", 3],
    ["failed", 1],
  ] as const) {
    const it = leader([1n, 2n, 3n]);
    // Member 2 has nothing, and the log no longer begins at the beginning.
    it.storage.createSnapshot(2, undefined, bytes("state"));
    it.storage.compact(2);
    const refused = { type: MESSAGE_TYPE.appResp, to: 1n, from: 2n, term: 2, index: 1 };
    it.node.step(message({ ...refused, reject: true }));
    const snap = settle(it).find(({ type }) => type === MESSAGE_TYPE.snap);
    assert.deepEqual(snap?.snapshot?.meta.index, 2);
    const before = it.node.status().progress.get(2n)!;
    assert.deepEqual([before.state, before.isPaused], ["snapshot", true]);
    it.node.reportSnapshot(2n, outcome);
    const after = it.node.status().progress.get(2n)!;
    assert.deepEqual([after.state, after.next, after.isPaused], ["probe", next, true]);
  }
});

test("a lost message makes the leader probe before it sends more", () => {
  const it = leader([1n, 2n]);
  it.node.step(message({ type: MESSAGE_TYPE.appResp, to: 1n, from: 2n, term: 2, index: 2 }));
  assert.equal(it.node.status().progress.get(2n)!.state, "replicate");
  it.node.reportUnreachable(2n);
  assert.equal(it.node.status().progress.get(2n)!.state, "probe");
});

test("in asynchronous mode storage is told by messages and answers by messages", () => {
  const { node, storage } = member([1n], { asyncStorageWrites: true });
  node.campaign();
  const [vote] = node.ready().messages;
  assert.equal(vote?.type, MESSAGE_TYPE.storageAppend);
  for (const response of vote.responses) node.step(response);
  assert.equal(node.status().softState.role, "leader");
  const [append] = node.ready().messages;
  storage.append(append!.entries);
  for (const response of append!.responses) node.step(response);
  const types = node.ready().messages.map(({ type }) => type);
  assert.deepEqual(types, [MESSAGE_TYPE.storageAppend, MESSAGE_TYPE.storageApply]);
  assert.throws(() => node.advance(), /Advance must not be called/);
});

test("a configuration that cannot work is refused in words", () => {
  const storage = new MemoryStorage();
  const table: [Partial<RaftConfig>, RegExp][] = [
    [{ id: 0n }, /cannot use none as id/],
    [{ id: 0xffff_ffff_ffff_ffffn }, /cannot use local target as id/],
    [{ heartbeatTicks: 0 }, /heartbeat tick must be greater than 0/],
    [{ electionTicks: 1 }, /election tick must be greater than heartbeat tick/],
    [{ inflightMessagesMax: 0 }, /max inflight messages must be greater than 0/],
    [{ inflightBytesMax: 1 }, /max inflight bytes must be >= max message size/],
    [{ readOnly: "leaseBased" }, /CheckQuorum must be enabled/],
  ];
  for (const [options, problem] of table) {
    assert.throws(() => new RawNode(config(storage, options)), problem);
  }
});

test("a log that ends before what was said to be committed stops the member", () => {
  const storage = new MemoryStorage();
  storage.setHardState({ term: 2, vote: 0n, commit: 7 });
  assert.throws(() => new RawNode(config(storage)), /1 state.commit 7 is out of range \[0, 0\]/);
});
