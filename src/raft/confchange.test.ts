import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Changer, ConfChangeError, restoreMembership } from "./confchange.ts";
import { EMPTY_MEMBERSHIP, type Membership, Tracker } from "./tracker.ts";
import { CONF_CHANGE_TYPE, type ConfChangeSingle, type ConfState } from "./types.ts";

const LIMITS = { messagesMax: 10, bytesMax: Infinity };
const LAST_INDEX = 10;
const FIRST = { type: CONF_CHANGE_TYPE.addNode, nodeId: 1n };

const founders = fc
  .array(fc.bigInt(1n, 5n), { maxLength: 5 })
  .map((ids) => [1n, ...ids].map((nodeId) => ({ type: CONF_CHANGE_TYPE.addNode, nodeId })));
// Member 1 always stays a voter, so that nothing is refused for want of voters.
const single = fc.record({
  type: fc.constantFrom(...Object.values(CONF_CHANGE_TYPE)),
  nodeId: fc.bigInt(2n, 10n),
});
const changes = fc.array(single, { minLength: 1, maxLength: 9 });

function changer(from: Membership): Changer {
  return new Changer(from, LAST_INDEX, LIMITS);
}

function oneByOne(from: Membership, steps: readonly ConfChangeSingle[]): Membership {
  return steps.reduce((membership, step) => changer(membership).simple([step]), from);
}

function confState(membership: Membership): ConfState {
  const tracker = new Tracker(LIMITS);
  tracker.use(membership);
  return tracker.confState();
}

test("changes one by one and all through a joint configuration end in the same place", () => {
  fc.assert(
    fc.property(founders, changes, fc.boolean(), (setup, steps, autoLeave) => {
      const start = oneByOne(EMPTY_MEMBERSHIP, setup);
      const joint = changer(start).enterJoint(steps, { autoLeave });
      const direct = oneByOne(start, steps);
      const left = changer(joint).leaveJoint();
      assert.deepEqual(left.configuration, direct.configuration);
      assert.deepEqual([...left.progress], [...direct.progress]);
    }),
  );
});

test("a configuration, joint or not, comes back from its description", () => {
  fc.assert(
    fc.property(founders, changes, fc.boolean(), (setup, steps, autoLeave) => {
      const start = oneByOne(EMPTY_MEMBERSHIP, setup);
      const joint = changer(start).enterJoint(steps, { autoLeave });
      for (const membership of [start, joint, changer(joint).leaveJoint()]) {
        const restored = restoreMembership(confState(membership), LAST_INDEX, LIMITS);
        assert.deepEqual(restored.configuration, membership.configuration);
        assert.deepEqual([...restored.progress.keys()], [...membership.progress.keys()]);
      }
    }),
  );
});

test("a refused change leaves the configuration as it was", () => {
  const start = oneByOne(EMPTY_MEMBERSHIP, [FIRST]);
  const before = JSON.stringify(confState(start), (_, value) => `${value}`);
  const remove = { type: CONF_CHANGE_TYPE.removeNode, nodeId: 1n };
  assert.throws(() => changer(start).simple([remove]), new ConfChangeError("removed all voters"));
  assert.equal(
    JSON.stringify(confState(start), (_, value) => `${value}`),
    before,
  );
  assert.equal(start.progress.get(1n)?.isLearner, false);
});

test("a description that nobody can have written is refused", () => {
  const twice = { voters: [1n, 2n], learners: [2n] };
  const nobody = { votersOutgoing: [], learnersNext: [], autoLeave: false };
  assert.throws(
    () => restoreMembership({ ...twice, ...nobody }, LAST_INDEX, LIMITS),
    /more than one voter changed|not equivalent/,
  );
  const repeated = { voters: [1n, 1n], learners: [] };
  assert.throws(
    () => restoreMembership({ ...repeated, ...nobody }, LAST_INDEX, LIMITS),
    /not equivalent/,
  );
});
