/**
 * The Raft paper ("In Search of an Understandable Consensus Algorithm", extended version), one test
 * for each sentence that can be tried on one member. Member 1 is tried; messages play the others.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { RawNode, type Ready } from "./raw-node.ts";
import { EMPTY_CONF_STATE } from "./storage.ts";
import { type Entry, MESSAGE_TYPE, type Message, message, type Role } from "./types.ts";

const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 2;

interface Server {
  readonly node: RawNode;
  readonly storage: MemoryStorage;
}

function ids(count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => BigInt(i + 1));
}

/** A member of a group of `size` that restarts in `term` with a log of entries of these terms. */
function server(
  size: number,
  start: { term?: number; log?: readonly number[]; random?: (bound: number) => number } = {},
): Server {
  const { term = 1, log = [], random = () => 0 } = start;
  const storage = new MemoryStorage();
  const confState = { ...EMPTY_CONF_STATE, voters: ids(size) };
  storage.applySnapshot({ meta: { index: 0, term: 0, confState }, data: new Uint8Array(0) });
  storage.append(entries(1, log));
  storage.setHardState({ term, vote: 0n, commit: 0 });
  const ticks = { electionTicks: ELECTION_TICKS, heartbeatTicks: HEARTBEAT_TICKS };
  const limits = { messageBytesMax: Infinity, inflightMessagesMax: 256 };
  return { node: new RawNode({ id: 1n, storage, random, ...ticks, ...limits }), storage };
}

function entries(from: number, terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: 0, data: new Uint8Array(0) }));
}

function turn({ node, storage }: Server): Ready {
  const ready = node.ready();
  if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
  storage.append(ready.entries);
  node.advance();
  return ready;
}

/** Everything the member sends until it has nothing more to do. */
function sent(it: Server): Message[] {
  const messages: Message[] = [];
  while (it.node.hasReady) {
    const ready = turn(it);
    messages.push(...ready.messages, ...ready.messagesAfterAppend);
  }
  return messages;
}

/** Everything the member applies until it has nothing more to do. */
function applied(it: Server): string[] {
  const all: string[] = [];
  while (it.node.hasReady) all.push(...turn(it).committed.map(name));
  return all;
}

function name({ term, index }: Entry): string {
  return `${term}/${index}`;
}

function logOf({ storage }: Server): string[] {
  const { lastIndex } = storage;
  if (lastIndex === 0) return [];
  return (storage.entries({ from: 1, to: lastIndex + 1, bytesMax: Infinity }) ?? []).map(name);
}

function receive(it: Server, fields: Partial<Message> & Pick<Message, "type">): void {
  it.node.step(message({ to: 1n, from: 2n, term: term(it), ...fields }));
}

function term({ node }: Server): number {
  return node.status().term;
}

function role({ node }: Server): Role {
  return node.status().softState.role;
}

function tick(it: Server, ticks: number): void {
  for (let i = 0; i < ticks; i++) it.node.tick();
}

/** The same member as a candidate, in the next term. */
function candidate(size: number, start: { term?: number; log?: readonly number[] } = {}): Server {
  const it = server(size, start);
  it.node.campaign();
  sent(it);
  return it;
}

function leader(size: number, start: { term?: number; log?: readonly number[] } = {}): Server {
  const it = candidate(size, start);
  for (const from of ids(size).slice(1)) receive(it, { type: MESSAGE_TYPE.voteResp, from });
  sent(it);
  assert.equal(role(it), "leader");
  return it;
}

function beat(from: bigint, inTerm: number): Message {
  return message({ type: MESSAGE_TYPE.heartbeatResp, to: 1n, from, term: inTerm });
}

const anyone: readonly (() => Server)[] = [() => server(3), () => candidate(3), () => leader(3)];

test("a server whose current term is smaller than another's updates it (§5.1)", () => {
  for (const start of anyone) {
    const it = start();
    receive(it, { type: MESSAGE_TYPE.app, term: 7 });
    assert.deepEqual([term(it), role(it)], [7, "follower"]);
  }
});

test("a request with a stale term number is not taken (§5.1)", () => {
  for (const start of anyone) {
    const it = start();
    receive(it, { type: MESSAGE_TYPE.app, term: 7 });
    sent(it);
    receive(it, { type: MESSAGE_TYPE.app, term: 6, entries: entries(1, [6]) });
    sent(it);
    assert.deepEqual([term(it), logOf(it).includes("6/1")], [7, false]);
  }
});

test("servers begin as followers (§5.2)", () => {
  assert.equal(role(server(3)), "follower");
});

test("a leader sends periodic heartbeats to all followers (§5.2)", () => {
  const it = leader(3);
  tick(it, HEARTBEAT_TICKS - 1);
  assert.equal(it.node.hasReady, false);
  tick(it, 1);
  const heartbeats = sent(it);
  assert.deepEqual(
    heartbeats.map(({ type, to }) => [type, to]),
    [
      [MESSAGE_TYPE.heartbeat, 2n],
      [MESSAGE_TYPE.heartbeat, 3n],
    ],
  );
});

test("without word from a leader a server starts an election, in a new term (§5.2)", () => {
  for (const start of [() => server(3), () => candidate(3)]) {
    const it = start();
    const before = term(it);
    tick(it, ELECTION_TICKS);
    const requests = sent(it);
    assert.deepEqual([term(it), role(it)], [before + 1, "candidate"]);
    assert.equal(it.node.status().vote, 1n);
    assert.deepEqual(
      requests.map(({ type, to, term }) => [type, to, term]),
      [
        [MESSAGE_TYPE.vote, 2n, before + 1],
        [MESSAGE_TYPE.vote, 3n, before + 1],
      ],
    );
  }
});

test("word from the leader puts an election off (§5.2)", () => {
  const it = server(3);
  for (let i = 0; i < 5; i++) {
    tick(it, ELECTION_TICKS - 1);
    receive(it, { type: MESSAGE_TYPE.heartbeat });
  }
  assert.equal(role(it), "follower");
});

test("a candidate wins with a majority, and loses when it cannot get one (§5.2)", () => {
  // size, granted, refused -> role
  const table: [number, number, number, Role][] = [
    [1, 0, 0, "leader"],
    [3, 1, 0, "leader"],
    [3, 2, 0, "leader"],
    [5, 2, 0, "leader"],
    [5, 2, 2, "leader"],
    [3, 0, 2, "follower"],
    [5, 0, 3, "follower"],
    [5, 1, 3, "follower"],
    [3, 0, 0, "candidate"],
    [5, 1, 0, "candidate"],
    [5, 1, 2, "candidate"],
  ];
  for (const [size, granted, refused, expected] of table) {
    const it = candidate(size);
    for (let i = 0; i < granted + refused; i++) {
      const answer = { from: BigInt(i + 2), reject: i >= granted };
      receive(it, { type: MESSAGE_TYPE.voteResp, ...answer });
    }
    assert.equal(role(it), expected, `${size}: ${granted}, ${refused}`);
  }
});

test("one member's vote counts once, however often it comes (§5.2)", () => {
  const it = candidate(5);
  for (let i = 0; i < 5; i++) receive(it, { type: MESSAGE_TYPE.voteResp });
  assert.equal(role(it), "candidate");
});

test("a server votes for at most one candidate in a term, first come first served (§5.2)", () => {
  const it = server(3);
  const ask = (from: bigint) => {
    receive(it, { type: MESSAGE_TYPE.vote, from, term: 5 });
    return sent(it).map(({ to, reject }) => [to, reject]);
  };
  assert.deepEqual(ask(2n), [[2n, false]]);
  assert.deepEqual(ask(3n), [[3n, true]]);
  assert.deepEqual(ask(2n), [[2n, false]]);
});

test("a vote is remembered over a restart (§5.2)", () => {
  const it = server(3);
  receive(it, { type: MESSAGE_TYPE.vote, from: 2n, term: 5 });
  sent(it);
  const { hardState } = it.storage.initialState();
  assert.deepEqual(hardState, { term: 5, vote: 2n, commit: 0 });
});

test("a candidate that hears of a leader of its term or a later one follows it (§5.2)", () => {
  for (const ahead of [0, 1]) {
    const it = candidate(3);
    receive(it, { type: MESSAGE_TYPE.app, term: term(it) + ahead });
    assert.deepEqual([role(it), it.node.status().softState.lead], ["follower", 2n]);
  }
});

test("election timeouts are spread over a fixed interval (§5.2)", () => {
  const prng = new Prng(1);
  const seen = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const it = server(3, { random: (bound) => prng.below(bound) });
    let ticks = 0;
    for (; role(it) === "follower"; ticks++) it.node.tick();
    seen.add(ticks);
  }
  const expected = Array.from({ length: ELECTION_TICKS }, (_, i) => ELECTION_TICKS + i);
  assert.deepEqual(
    [...seen].toSorted((a, b) => a - b),
    expected,
  );
});

test("a leader appends a command and sends it to all others (§5.3)", () => {
  const it = leader(3);
  for (const from of [2n, 3n]) receive(it, { type: MESSAGE_TYPE.appResp, from, index: 1 });
  sent(it);
  it.node.propose([Uint8Array.of(1)]);
  const appends = sent(it).filter(({ type }) => type === MESSAGE_TYPE.app);
  assert.deepEqual(logOf(it), ["2/1", "2/2"]);
  const seen = appends.map((m) => [m.to, m.index, m.logTerm, m.commit, m.entries.map(name)]);
  assert.deepEqual(seen, [
    [2n, 1, 2, 1, ["2/2"]],
    [3n, 1, 2, 1, ["2/2"]],
  ]);
});

test("an entry is committed once a majority has it, with all before it (§5.3)", () => {
  // size, members that acknowledge -> is it committed
  const table: [number, number, boolean][] = [
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [5, 1, false],
    [5, 2, true],
    [5, 4, true],
  ];
  for (const [size, acknowledging, isCommitted] of table) {
    const it = leader(size, { term: 2, log: [1, 2] });
    for (let i = 0; i < acknowledging; i++) {
      receive(it, { type: MESSAGE_TYPE.appResp, from: BigInt(i + 2), index: 3 });
    }
    // With one voter the entry was committed, and applied, before.
    const { commit } = it.node.status();
    assert.equal(commit, isCommitted ? 3 : 0, `${size}: ${acknowledging}`);
    if (size > 1) assert.deepEqual(applied(it), isCommitted ? ["1/1", "2/2", "3/3"] : []);
  }
});

test("a follower applies, in order, what it learns to be committed (§5.3)", () => {
  const it = server(3);
  receive(it, { type: MESSAGE_TYPE.app, entries: entries(1, [1, 1, 1]), commit: 2 });
  assert.deepEqual(applied(it), ["1/1", "1/2"]);
  receive(it, { type: MESSAGE_TYPE.heartbeat, commit: 3 });
  assert.deepEqual(applied(it), ["1/3"]);
});

test("a follower refuses entries when it has not the one before them (§5.3)", () => {
  // term/index of the entry before -> refused, hint
  const table: [number, number, boolean, number][] = [
    [0, 0, false, 0],
    [1, 1, false, 0],
    [2, 2, false, 0],
    [1, 2, true, 1],
    [3, 3, true, 2],
  ];
  for (const [logTerm, index, reject, hint] of table) {
    const it = server(3, { term: 2, log: [1, 2] });
    receive(it, { type: MESSAGE_TYPE.app, logTerm, index });
    const [answer] = sent(it);
    assert.deepEqual([answer!.index, answer!.reject, answer!.rejectHint], [index, reject, hint]);
  }
});

test("the follower's conflicting entries give way to the leader's (§5.3)", () => {
  // previous term/index, offered terms -> log
  const table: [number, number, number[], string[]][] = [
    [2, 2, [3], ["1/1", "2/2", "3/3"]],
    [1, 1, [3, 4], ["1/1", "3/2", "4/3"]],
    [0, 0, [1], ["1/1", "2/2"]],
    [0, 0, [3], ["3/1"]],
  ];
  for (const [logTerm, index, offered, log] of table) {
    const it = server(3, { term: 4, log: [1, 2] });
    receive(it, { type: MESSAGE_TYPE.app, logTerm, index, entries: entries(index + 1, offered) });
    sent(it);
    assert.deepEqual(logOf(it), log);
  }
});

test("the leader makes every follower of figure 7 a copy of itself (§5.3)", () => {
  const leading = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const following = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ];
  for (const log of following) {
    const lead = leader(3, { term: 7, log: leading });
    const follower = server(3, { term: 7, log });
    // The follower plays member 2; what it sends comes from there.
    let toFollower = sent(lead);
    for (const from of [2n, 3n]) lead.node.step(beat(from, term(lead)));
    for (let round = 0; round < 10; round++) {
      toFollower = [...toFollower, ...sent(lead)].filter(({ to }) => to === 2n);
      for (const m of toFollower) follower.node.step({ ...m, to: 1n, from: 2n });
      toFollower = [];
      for (const m of sent(follower)) lead.node.step({ ...m, to: 1n, from: 2n });
    }
    assert.deepEqual(logOf(follower), logOf(lead));
  }
});

test("a request for votes tells how far the candidate's log goes (§5.4.1)", () => {
  const it = server(3, { term: 2, log: [1, 2] });
  it.node.campaign();
  const requests = sent(it).map(({ to, index, logTerm, term }) => [to, index, logTerm, term]);
  assert.deepEqual(requests, [
    [2n, 2, 2, 3],
    [3n, 2, 2, 3],
  ]);
});

test("a voter refuses a candidate whose log is less up to date than its own (§5.4.1)", () => {
  // own log, candidate's last term/index -> refused
  const table: [number[], number, number, boolean][] = [
    [[1], 1, 1, false],
    [[1], 1, 2, false],
    [[1, 1], 1, 1, true],
    [[1], 2, 1, false],
    [[1], 2, 2, false],
    [[1, 1], 2, 1, false],
    [[2], 1, 1, true],
    [[2], 1, 2, true],
    [[2, 1], 1, 1, true],
  ];
  for (const [log, logTerm, index, reject] of table) {
    const it = server(3, { term: 2, log });
    receive(it, { type: MESSAGE_TYPE.vote, term: 3, logTerm, index });
    assert.equal(sent(it)[0]!.reject, reject, `${log}: ${logTerm}/${index}`);
  }
});

test("only entries of the leader's own term are committed by counting copies (§5.4.2)", () => {
  for (const [index, commit] of [
    [1, 0],
    [2, 0],
    [3, 3],
  ] as const) {
    const it = leader(3, { term: 2, log: [1, 2] });
    receive(it, { type: MESSAGE_TYPE.appResp, index });
    assert.equal(it.node.status().commit, commit);
  }
});

test("a new leader begins its term with an entry without content (§8)", () => {
  const it = leader(3, { term: 2, log: [1, 2] });
  assert.deepEqual(logOf(it), ["1/1", "2/2", "3/3"]);
});
