import assert from "node:assert/strict";
import { test } from "node:test";
import type { Applied } from "../apply/index.ts";
import { textToBytes } from "../base/index.ts";
import { type Failure, fail, InternalRequest, REQUEST } from "../proto/index.ts";
import type { Refusal } from "../raft/index.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";

const TIMEOUT_MS = 7000;

function newProposals(requestBytesMax = 1000): Proposals {
  return new Proposals({
    member: 7,
    firstSequence: 100,
    requestBytesMax,
    timeoutMs: TIMEOUT_MS,
    timeoutOf: () => fail("timeoutDueToLeaderFail"),
  });
}

/** What is offered to raft at once, by the leader of a term or by a follower. */
function take(proposals: Proposals, leadsIn: number | undefined = 2): Uint8Array[] {
  let taken: Uint8Array[] = [];
  proposals.offer(leadsIn, (datas) => {
    taken = datas;
    return undefined;
  });
  return taken;
}

/** A waiter that writes down what it is told. */
function recorder() {
  const told: string[] = [];
  return {
    told,
    settle: (applied: Applied) => told.push(`settled ${applied.error ?? "well"}`),
    fail: (failure: Failure) => told.push(failure.message),
    ready: () => told.push("ready"),
  };
}

const APPLIED: Applied = { error: undefined, message: textToBytes("reply") };

test("a proposal is answered by the id in its entry, once", () => {
  const proposals = newProposals();
  const waiter = recorder();
  assert.equal(proposals.add(REQUEST.put, textToBytes("p"), waiter, 0), undefined);
  const [entry] = take(proposals);
  const { member, sequence } = new InternalRequest().decode(entry!);
  assert.ok(proposals.has(member, sequence));
  proposals.settle(member, sequence, APPLIED);
  proposals.settle(member, sequence, APPLIED);
  assert.deepEqual(waiter.told, ["settled well"]);
  assert.equal(proposals.pendingCount, 0);
});

test("of very much that has gathered a part is taken at a time, in order", () => {
  const proposals = newProposals(4_000_000);
  for (const size of [1_500_000, 600_000, 3_000_000, 10]) {
    assert.equal(proposals.add(REQUEST.put, new Uint8Array(size), undefined, 0), undefined);
  }
  const taken: number[][] = [];
  while (proposals.hasGathered) {
    taken.push(take(proposals).map((data) => Math.round(data.length / 100_000)));
  }
  assert.deepEqual(taken, [[15], [6], [30], [0]]);
});

test("an entry of another member settles nobody here", () => {
  const proposals = newProposals();
  const waiter = recorder();
  proposals.add(REQUEST.put, textToBytes("p"), waiter, 0);
  const { sequence } = new InternalRequest().decode(take(proposals)[0]!);
  assert.ok(!proposals.has(8, sequence));
  proposals.settle(8, sequence, APPLIED);
  assert.deepEqual(waiter.told, []);
});

test("a request above the size limit is refused before it is proposed", () => {
  const proposals = newProposals(50);
  const refusal = proposals.add(REQUEST.put, new Uint8Array(51), recorder(), 0);
  assert.equal(refusal?.message, "etcdserver: request is too large");
  assert.ok(!proposals.hasGathered);
});

test("the 20,001st waiting proposal is refused, and room comes back with answers", () => {
  const proposals = newProposals();
  const request = textToBytes("p");
  for (let i = 0; i < 20_000; i++) proposals.add(REQUEST.put, request, recorder(), 0);
  const refused = () => proposals.add(REQUEST.put, request, recorder(), 0)?.message;
  assert.equal(refused(), "etcdserver: too many requests");
  const { member, sequence } = new InternalRequest().decode(take(proposals)[0]!);
  proposals.settle(member, sequence, APPLIED);
  assert.equal(refused(), undefined);
});

test("proposals time out in order of their arrival, and hear why", () => {
  const proposals = newProposals();
  const [first, second] = [recorder(), recorder()];
  proposals.add(REQUEST.put, textToBytes("a"), first, 0);
  proposals.add(REQUEST.put, textToBytes("b"), second, 1000);
  take(proposals);
  proposals.expire(TIMEOUT_MS);
  assert.deepEqual(first.told, [fail("timeoutDueToLeaderFail").message]);
  assert.deepEqual(second.told, []);
  assert.equal(proposals.failed, 1);
});

test("what waited for a leader in vain fails as etcd's library does, and is never proposed", () => {
  const proposals = newProposals();
  const [first, second] = [recorder(), recorder()];
  proposals.add(REQUEST.put, textToBytes("a"), first, 0);
  proposals.add(REQUEST.put, textToBytes("b"), second, 1000);
  proposals.expire(TIMEOUT_MS);
  assert.deepEqual(first.told, ["context deadline exceeded"]);
  assert.equal(take(proposals).length, 1);
  assert.deepEqual(second.told, []);
});

test("what raft drops has failed", () => {
  const proposals = newProposals();
  const waiter = recorder();
  proposals.add(REQUEST.put, textToBytes("a"), waiter, 0);
  proposals.offer(2, () => "proposal dropped" as Refusal);
  assert.deepEqual(waiter.told, ["raft proposal dropped"]);
  assert.equal(proposals.pendingCount, 0);
});

test("what a leader proposes by its own knowledge is not handed to another, nor kept for later", () => {
  for (const leadsIn of [undefined, 4]) {
    const proposals = newProposals();
    const [revoke, put] = [recorder(), recorder()];
    proposals.add(REQUEST.leaseRevoke, textToBytes("r"), revoke, 0, 2);
    proposals.add(REQUEST.put, textToBytes("p"), put, 0);
    let taken = 0;
    proposals.offer(leadsIn, (datas) => {
      taken = datas.length;
      return undefined;
    });
    assert.equal(taken, 1);
    assert.deepEqual(revoke.told, [fail("notLeader").message]);
    assert.deepEqual(put.told, []);
  }
});

test("ids are the member's part and a counter (etcd pkg/idutil)", () => {
  const proposals = newProposals();
  assert.equal(proposals.nextId(), (7n << 48n) | 101n);
  assert.equal(proposals.nextId(), (7n << 48n) | 102n);
});

test("a reader waits until the index of its round is applied", () => {
  const reads = new Reads();
  const reader = recorder();
  reads.add(reader);
  reads.begin(1n, 0);
  reads.release(100);
  assert.deepEqual(reader.told, []);
  assert.ok(reads.confirm(1n, 101));
  reads.release(100);
  assert.deepEqual(reader.told, []);
  reads.release(101);
  reads.release(101);
  assert.deepEqual(reader.told, ["ready"]);
});

test("one round at a time waits for raft, and whoever comes meanwhile shares the next", () => {
  const reads = new Reads();
  const [early, late] = [recorder(), recorder()];
  reads.add(early);
  reads.begin(1n, 0);
  reads.add(late);
  assert.ok(!reads.mayBegin);
  reads.confirm(1n, 5);
  assert.ok(reads.mayBegin);
  reads.begin(2n, 0);
  reads.confirm(2n, 6);
  reads.release(5);
  assert.deepEqual([early.told, late.told], [["ready"], []]);
  reads.release(6);
  assert.deepEqual(late.told, ["ready"]);
});

test("a round that raft dropped is asked for again, and either answer counts", () => {
  const reads = new Reads();
  const reader = recorder();
  reads.add(reader);
  reads.begin(1n, 0);
  reads.askAgain(2n);
  assert.ok(!reads.confirm(3n, 1), "an answer from another life");
  assert.ok(reads.confirm(1n, 1));
  assert.ok(!reads.isAsking);
  assert.ok(!reads.confirm(2n, 1));
  reads.release(1);
  assert.deepEqual(reader.told, ["ready"]);
});

test("a change of leaders fails the round that asks, and no other", () => {
  const reads = new Reads();
  const [confirmed, asking, arriving] = [recorder(), recorder(), recorder()];
  reads.add(confirmed);
  reads.begin(1n, 0);
  reads.confirm(1n, 7);
  reads.add(asking);
  reads.begin(2n, 0);
  reads.add(arriving);
  assert.ok(reads.failAsking(fail("leaderChanged")));
  assert.ok(!reads.failAsking(fail("leaderChanged")));
  reads.release(7);
  assert.deepEqual(confirmed.told, ["ready"]);
  assert.deepEqual(asking.told, ["etcdserver: leader changed"]);
  assert.deepEqual(arriving.told, []);
});

test("a reader that nobody confirms times out", () => {
  const reads = new Reads();
  const reader = recorder();
  reads.add(reader);
  reads.begin(1n, 10);
  reads.expire(TIMEOUT_MS, TIMEOUT_MS);
  assert.deepEqual(reader.told, []);
  reads.expire(TIMEOUT_MS + 10, TIMEOUT_MS);
  assert.deepEqual(reader.told, ["etcdserver: request timed out"]);
});

test("when the member stops everybody is told so", () => {
  const reads = new Reads();
  const [waiting, arriving] = [recorder(), recorder()];
  reads.add(waiting);
  reads.begin(1n, 0);
  reads.add(arriving);
  reads.failAll({ code: 14, message: "stopped" });
  assert.deepEqual([waiting.told, arriving.told], [["stopped"], ["stopped"]]);
});

test("rounds of other members share the leader's, and hear the index when it is confirmed", () => {
  const reads = new Reads();
  const heard: number[] = [];
  reads.addOther((index) => heard.push(index));
  assert.ok(reads.mayBegin);
  reads.begin(1n, 0);
  // It came too late for the round that asks: its index could be older than what it may read.
  reads.addOther((index) => heard.push(-index));
  assert.ok(!reads.mayBegin);
  assert.ok(reads.confirm(1n, 7));
  assert.deepEqual(heard, [7]);
  assert.ok(reads.mayBegin);
  reads.begin(2n, 0);
  reads.failAsking(fail("leaderChanged"));
  assert.deepEqual(heard, [7]);
});
