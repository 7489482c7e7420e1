import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReadQueue } from "./read-index.ts";
import { MESSAGE_TYPE, message } from "./types.ts";

const VOTERS = { incoming: [1n, 2n, 3n], outgoing: [] };
const request = message({ type: MESSAGE_TYPE.readIndex, to: 0n });

function taken(queue: ReadQueue): number[] {
  return queue.takeConfirmed(VOTERS).map(({ index }) => index);
}

test("the context of a heartbeat is the number of the latest read, 8 bytes little endian", () => {
  const queue = new ReadQueue();
  assert.equal(queue.heartbeatContext().length, 0);
  queue.add(request, 7);
  queue.add(request, 7);
  assert.deepEqual([...queue.heartbeatContext()], [2, 0, 0, 0, 0, 0, 0, 0]);
});

test("one answer confirms its read and all before it, once a quorum has answered", () => {
  const queue = new ReadQueue();
  queue.add(request, 5);
  const first = queue.heartbeatContext();
  queue.add(request, 6);
  const second = queue.heartbeatContext();
  queue.add(request, 7);
  queue.acknowledge(1n, queue.heartbeatContext());
  assert.deepEqual(taken(queue), []);
  queue.acknowledge(2n, second);
  assert.deepEqual(taken(queue), [5, 6]);
  queue.acknowledge(3n, first);
  assert.deepEqual(taken(queue), []);
  queue.acknowledge(3n, queue.heartbeatContext());
  assert.deepEqual(taken(queue), [7]);
  assert.equal(queue.heartbeatContext().length, 0);
});

test("whatever context comes back, only reads that exist are confirmed", () => {
  const context = fc.oneof(fc.uint8Array({ maxLength: 9 }), fc.constant(Uint8Array.of(1, 0, 0, 0)));
  fc.assert(
    fc.property(fc.array(context), fc.nat(3), (contexts, reads) => {
      const queue = new ReadQueue();
      for (let i = 0; i < reads; i++) queue.add(request, i);
      for (const one of contexts) {
        queue.acknowledge(1n, one);
        queue.acknowledge(2n, one);
      }
      assert.ok(taken(queue).length <= reads);
    }),
  );
});
