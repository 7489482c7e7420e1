/**
 * Groups under random schedules: messages are lost, doubled and overtaken, members crash between
 * any two steps and come back from what their storage kept. Whatever happens, the safety properties
 * of figure 3 of the paper must hold after every step; and when the trouble ends, all agree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { RawNode, type Ready } from "./raw-node.ts";
import { EMPTY_CONF_STATE } from "./storage.ts";
import type { Entry, Message } from "./types.ts";

const STEPS = 1500;
const CATCH_UP_ENTRIES = 5;

interface Member {
  readonly id: bigint;
  readonly storage: MemoryStorage;
  node: RawNode;
  /** The Ready being carried out, between its begin and its end. */
  ready: Ready | undefined;
}

/** What is true of the group as a whole. */
class World {
  readonly #prng: Prng;
  readonly #members: Member[];
  readonly #preVote: boolean;
  #network: Message[] = [];
  /** Term to its only leader. */
  readonly #leaders = new Map<number, bigint>();
  /** "term/index" to the content of that entry and the name of the one before. */
  readonly #entries = new Map<string, string>();
  /** What was applied at each index, from 1 on. */
  readonly #applied: string[] = [];
  /** Reads under way: by context, what had been applied anywhere when they were asked. */
  readonly #reads = new Map<number, number>();
  #counter = 0;

  constructor(seed: number, size: number) {
    this.#prng = new Prng(seed);
    this.#preVote = this.#prng.oneIn(2);
    const voters = Array.from({ length: size }, (_, i) => BigInt(i + 1));
    this.#members = voters.map((id) => {
      const storage = new MemoryStorage();
      const confState = { ...EMPTY_CONF_STATE, voters };
      storage.applySnapshot({ meta: { index: 0, term: 0, confState }, data: new Uint8Array(0) });
      return { id, storage, node: this.#start(id, storage, 0), ready: undefined };
    });
  }

  get appliedCount(): number {
    return this.#applied.length;
  }

  #start(id: bigint, storage: MemoryStorage, applied: number): RawNode {
    return new RawNode({
      id,
      storage,
      applied,
      random: (bound) => this.#prng.below(bound),
      electionTicks: 5,
      heartbeatTicks: 1,
      messageBytesMax: 64,
      inflightMessagesMax: 4,
      checkQuorum: this.#preVote,
      preVote: this.#preVote,
    });
  }

  step(): void {
    const member = this.#pick(this.#members);
    const dice = this.#prng.below(100);
    if (dice < 40) this.#deliver();
    else if (dice < 70) this.#work(member);
    else if (dice < 85) member.node.tick();
    else if (dice < 93) this.#propose(member);
    else if (dice < 96) this.#read(member);
    else if (dice < 98) this.#compact(member);
    else if (this.#prng.oneIn(3)) this.#crash(member);
    for (const each of this.#members) this.#checkLeader(each);
  }

  /** No more trouble: within a bounded time all have applied everything. */
  settle(): void {
    for (let round = 0; round < 400; round++) {
      for (const member of this.#members) {
        member.node.tick();
        while (member.ready !== undefined || member.node.hasReady) this.#work(member);
      }
      const messages = this.#network;
      this.#network = [];
      for (const m of messages) {
        this.#member(m.to).node.step(m);
        if (m.snapshot !== undefined) this.#report(m, "finished");
      }
      if (round === 200) for (const member of this.#members) this.#propose(member);
    }
    for (const { node } of this.#members) {
      assert.equal(node.status().applied, this.#applied.length, "a member is behind");
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#prng.below(from.length)]!;
  }

  #member(id: bigint): Member {
    return this.#members[Number(id) - 1]!;
  }

  /** Any message under way arrives, is lost, or arrives and stays under way. */
  #deliver(): void {
    if (this.#network.length === 0) return;
    const at = this.#prng.below(this.#network.length);
    const m = this.#network[at]!;
    if (!this.#prng.oneIn(10)) this.#network.splice(at, 1);
    const isLost = this.#prng.oneIn(10);
    if (!isLost) this.#member(m.to).node.step(m);
    if (m.snapshot !== undefined) this.#report(m, isLost ? "failed" : "finished");
  }

  /** A leader waits for the end of every snapshot it sent, so it must be told. */
  #report({ from, to }: Message, outcome: "failed" | "finished"): void {
    this.#member(from).node.reportSnapshot(to, outcome);
  }

  /** Begins a Ready, or carries out what was begun. */
  #work(member: Member): void {
    if (member.ready !== undefined) {
      this.#finish(member, member.ready);
    } else if (member.node.hasReady) {
      member.ready = member.node.ready();
      this.#network.push(...member.ready.messages);
    }
  }

  #finish(member: Member, ready: Ready): void {
    member.ready = undefined;
    this.#save(member, ready);
    this.#network.push(...ready.messagesAfterAppend);
    for (const entry of ready.committed) this.#apply(entry);
    for (const { index, context } of ready.readStates) {
      assert.ok(index >= this.#reads.get(context[0]! * 256 + context[1]!)!, "a read is too old");
    }
    member.node.advance();
  }

  #save({ storage }: Member, ready: Ready): void {
    if (ready.snapshot !== undefined) storage.applySnapshot(ready.snapshot);
    storage.append(ready.entries);
    if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
    for (const entry of ready.entries) this.#checkEntry(storage, entry);
  }

  /** Log matching: an entry of one term and index has one content and one predecessor. */
  #checkEntry(storage: MemoryStorage, { term, index, data }: Entry): void {
    const name = `${term}/${index}`;
    const content = `${data.join()} after ${storage.term(index - 1)}`;
    const known = this.#entries.get(name) ?? content;
    assert.equal(content, known, "the logs do not match");
    this.#entries.set(name, known);
  }

  /** State machine safety: no two members apply different entries at one index. */
  #apply({ term, index, data }: Entry): void {
    const content = `${term}: ${data.join()}`;
    const known = this.#applied[index - 1] ?? content;
    assert.equal(content, known, "the state machines differ");
    this.#applied[index - 1] = known;
  }

  /** Election safety, and of leader completeness that the new leader's log is long enough. */
  #checkLeader({ id, node }: Member): void {
    const { softState, term, progress } = node.status();
    if (softState.role !== "leader") return;
    const leader = this.#leaders.get(term);
    if (leader !== undefined) {
      assert.equal(leader, id, "two leaders in one term");
      return;
    }
    this.#leaders.set(term, id);
    const { next } = progress.get(id)!;
    assert.ok(next > this.#applied.length, "the leader lacks an entry that was applied");
  }

  #propose({ node }: Member): void {
    const counter = ++this.#counter;
    node.propose([Uint8Array.of(counter >> 8, counter & 0xff)]);
  }

  #read({ node }: Member): void {
    const counter = ++this.#counter;
    this.#reads.set(counter, this.#applied.length);
    node.readIndex(Uint8Array.of(counter >> 8, counter & 0xff));
  }

  #compact({ storage, node }: Member): void {
    const { applied } = node.status();
    const index = applied - CATCH_UP_ENTRIES;
    if (
      index < storage.firstIndex ||
      storage.createSnapshot(applied, undefined, new Uint8Array(0)) === undefined
    )
      return;
    storage.compact(index);
  }

  /** What was begun is done or not; what was only in memory is gone. */
  #crash(member: Member): void {
    const { storage, ready } = member;
    if (ready !== undefined && this.#prng.oneIn(2)) this.#save(member, ready);
    member.ready = undefined;
    const from = Math.max(storage.snapshot().meta.index, storage.firstIndex - 1);
    const to = storage.initialState().hardState?.commit ?? 0;
    const applied = from + this.#prng.below(Math.max(1, to - from + 1));
    member.node = this.#start(member.id, storage, applied);
  }
}

for (const size of [1, 3, 5]) {
  test(`${size} members stay safe under random schedules and agree in the end`, () => {
    let applied = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const world = new World(seed * 100 + size, size);
      try {
        for (let i = 0; i < STEPS; i++) world.step();
        world.settle();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      applied += world.appliedCount;
    }
    assert.ok(applied > 12 * 10, "the schedules let nothing happen");
  });
}
