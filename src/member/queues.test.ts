import assert from "node:assert/strict";
import { test } from "node:test";
import type { Applied } from "../apply/index.ts";
import { textToBytes } from "../base/index.ts";
import { type Failure, InternalRequest, REQUEST } from "../proto/index.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";

const TIMEOUT_MS = 7000;

function newProposals(requestBytesMax = 1000): Proposals {
  return new Proposals({ member: 7, firstSequence: 100, requestBytesMax, timeoutMs: TIMEOUT_MS });
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
  const [entry] = proposals.takeGathered();
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
    taken.push(proposals.takeGathered().map((data) => Math.round(data.length / 100_000)));
  }
  assert.deepEqual(taken, [[15], [6], [30], [0]]);
});

test("an entry of another member settles nobody here", () => {
  const proposals = newProposals();
  const waiter = recorder();
  proposals.add(REQUEST.put, textToBytes("p"), waiter, 0);
  const { sequence } = new InternalRequest().decode(proposals.takeGathered()[0]!);
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
  const { member, sequence } = new InternalRequest().decode(proposals.takeGathered()[0]!);
  proposals.settle(member, sequence, APPLIED);
  assert.equal(refused(), undefined);
});

test("proposals time out in order of their arrival", () => {
  const proposals = newProposals();
  const [first, second] = [recorder(), recorder()];
  proposals.add(REQUEST.put, textToBytes("a"), first, 0);
  proposals.add(REQUEST.put, textToBytes("b"), second, 1000);
  proposals.expire(TIMEOUT_MS);
  assert.deepEqual(first.told, ["etcdserver: request timed out"]);
  assert.deepEqual(second.told, []);
  assert.equal(proposals.failed, 1);
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
  const round = reads.beginRound(0);
  reads.release(100);
  assert.deepEqual(reader.told, []);
  reads.confirm(round, 101);
  reads.release(100);
  assert.deepEqual(reader.told, []);
  reads.release(101);
  reads.release(101);
  assert.deepEqual(reader.told, ["ready"]);
});

test("rounds are released in order: a later one does not overtake an earlier one", () => {
  const reads = new Reads();
  const [early, late] = [recorder(), recorder()];
  reads.add(early);
  const first = reads.beginRound(0);
  reads.add(late);
  const second = reads.beginRound(0);
  reads.confirm(second, 5);
  reads.release(5);
  assert.deepEqual(late.told, []);
  reads.confirm(first, 5);
  reads.release(5);
  assert.deepEqual([early.told, late.told], [["ready"], ["ready"]]);
});

test("a round that raft dropped can be asked for again", () => {
  const reads = new Reads();
  reads.add(recorder());
  const round = reads.beginRound(0);
  assert.deepEqual(reads.unconfirmed(), [round]);
  reads.confirm(round, 1);
  assert.deepEqual(reads.unconfirmed(), []);
});

test("a reader that nobody confirms times out", () => {
  const reads = new Reads();
  const reader = recorder();
  reads.add(reader);
  reads.beginRound(10);
  reads.expire(TIMEOUT_MS, TIMEOUT_MS);
  assert.deepEqual(reader.told, []);
  reads.expire(TIMEOUT_MS + 10, TIMEOUT_MS);
  assert.deepEqual(reader.told, ["etcdserver: request timed out"]);
});

test("when the member stops everybody is told so", () => {
  const reads = new Reads();
  const [waiting, arriving] = [recorder(), recorder()];
  reads.add(waiting);
  reads.beginRound(0);
  reads.add(arriving);
  reads.failAll({ code: 14, message: "stopped" });
  assert.deepEqual([waiting.told, arriving.told], [["stopped"], ["stopped"]]);
});
