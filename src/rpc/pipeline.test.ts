import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, type ServerCall } from "../grpc/index.ts";
import { api, encodeMessage, type Failure, fail } from "../proto/index.ts";
import { METHODS } from "./methods.ts";
import { Pipeline } from "./pipeline.ts";
import type { Service } from "./service.ts";

/** A call that only keeps how it ended. */
class FakeCall implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly deadlineMs = undefined;
  readonly bufferedBytes = 0;
  context: unknown = undefined;
  onMessage: ServerCall["onMessage"] = () => {};
  onHalfClose: ServerCall["onHalfClose"] = () => {};
  onCancel: ServerCall["onCancel"] = () => {};
  onDrain: ServerCall["onDrain"] = () => {};
  ended: Failure | undefined;

  constructor(path: string, metadata: Record<string, string> = {}) {
    this.path = path;
    this.metadata = new Metadata(Object.entries(metadata));
  }

  get isOpen(): boolean {
    return this.ended === undefined;
  }

  reply(): void {
    this.ended = { code: 0, message: "" };
  }

  send(): boolean {
    return true;
  }

  end(status: Failure): void {
    this.ended ??= status;
  }
}

/** As much of a service as admission asks for; a request that gets through goes nowhere. */
function pipelineOf({ isLearner = false, hasLeader = true }) {
  const member = { hasLeader };
  const notHere = () => assert.fail("served");
  const watches = { serve: () => {} };
  const service = { isLearner, member, watches, linearizable: notHere } as unknown as Service;
  return { pipeline: new Pipeline(service), member };
}

const WATCH = "/etcdserverpb.Watch/Watch";
const RANGE = "/etcdserverpb.KV/Range";
const REFUSED = fail("notSupportedForLearner");

test("a learner serves its status, serializable ranges and snapshots, and nothing else", () => {
  const { pipeline } = pipelineOf({ isLearner: true });
  for (const [path, { kind }] of METHODS) {
    const call = new FakeCall(path);
    pipeline.serve(call);
    if (path.endsWith("Maintenance/Snapshot")) assert.equal(call.ended, undefined);
    else if (path === RANGE || path.endsWith("Maintenance/Status")) {
      assert.equal(call.ended, undefined);
    } else assert.equal(call.ended, REFUSED, `${kind} ${path}`);
  }
  const range = new FakeCall(RANGE);
  pipeline.serve(range);
  range.onMessage(encodeMessage(api.RangeRequest, { key: Uint8Array.of(1) }), range);
  assert.equal(range.ended, REFUSED);
});

test("who asks for a leader is refused while there is none, and nobody else", () => {
  const { pipeline } = pipelineOf({ hasLeader: false });
  for (const path of [WATCH, RANGE, "/v3lockpb.Lock/Lock"]) {
    const asking = new FakeCall(path, { hasleader: "true" });
    pipeline.serve(asking);
    assert.equal(asking.ended, fail("noLeader"));
    const other = new FakeCall(path, { hasleader: "yes" });
    pipeline.serve(other);
    assert.equal(other.ended, undefined);
  }
});

test("a stream that asks for a leader ends after three periods in a row without one", () => {
  const { pipeline, member } = pipelineOf({});
  const asking = new FakeCall(WATCH, { hasleader: "true" });
  const other = new FakeCall(WATCH);
  for (const call of [asking, other]) pipeline.serve(call);
  let canceled = 0;
  asking.onCancel = () => canceled++;
  const look = (hasLeader: boolean) => {
    member.hasLeader = hasLeader;
    pipeline.lookForLeader();
  };
  for (const hasLeader of [false, false, true, false, false]) look(hasLeader);
  assert.equal(asking.ended, undefined);
  look(false);
  assert.deepEqual([asking.ended, canceled], [fail("noLeader"), 1]);
  look(false);
  assert.deepEqual([other.ended, canceled], [undefined, 1]);
});
