import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Member,
  refusalOfLearner,
  refusalToAdd,
  refusalToPromote,
  refusalToRemove,
  type Standing,
} from "./index.ts";
import { member } from "./testing.ts";

/**
 * Members 1 (the own one), 2, 3, … as one letter each: `s` started and connected, `d` started and
 * down, `n` not started, `f` started and back for a moment, `l` a learner.
 */
function standing(letters: string): Standing {
  const members: Member[] = [...letters].map((letter, i) =>
    member(BigInt(i + 1), {
      name: letter === "n" || letter === "l" ? "" : "x",
      isLearner: letter === "l",
    }),
  );
  const is = (id: bigint, which: string) => which.includes(letters[Number(id) - 1]!);
  return {
    members,
    self: 1n,
    isConnected: (id) => is(id, "s"),
    isActive: (id) => is(id, "sf"),
  };
}

const voter = { isLearner: false };
const learner = { isLearner: true };

test("a voter is added when enough have started and are connected to make a quorum with it", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["s", undefined],
    ["n", "memberNotEnoughStarted"],
    ["ss", undefined],
    ["sn", "memberNotEnoughStarted"],
    ["sd", "unhealthy"],
    ["sf", "unhealthy"],
    ["sss", undefined],
    ["ssd", "unhealthy"],
    ["ssn", "memberNotEnoughStarted"],
    ["ssss", undefined],
    ["sssd", undefined],
    ["sssn", undefined],
    ["ssdd", "unhealthy"],
    ["ssnn", "memberNotEnoughStarted"],
    ["sl", undefined],
  ];
  for (const [letters, error] of cases) {
    assert.equal(refusalToAdd(standing(letters), voter), error, letters);
  }
});

test("a learner may join those who have not all started", () => {
  assert.equal(refusalToAdd(standing("sn"), learner), "unhealthy");
  assert.equal(refusalToAdd(standing("ssn"), learner), "unhealthy");
  assert.equal(refusalToAdd(standing("sss"), learner), undefined);
  assert.equal(refusalToAdd(standing("n"), learner), undefined);
});

test("a voter is removed when those left are a quorum of themselves", () => {
  const cases: readonly (readonly [string, bigint, string | undefined])[] = [
    ["s", 1n, "memberNotEnoughStarted"],
    ["ss", 2n, undefined],
    ["sd", 2n, undefined],
    ["sn", 1n, "memberNotEnoughStarted"],
    ["sss", 3n, undefined],
    ["sss", 1n, undefined],
    ["ssd", 3n, undefined],
    ["ssd", 2n, "unhealthy"],
    ["ssf", 3n, "unhealthy"],
    ["ssn", 2n, "memberNotEnoughStarted"],
    ["snl", 3n, undefined],
    ["sss", 9n, undefined],
    ["s", 9n, undefined],
  ];
  for (const [letters, id, error] of cases) {
    assert.equal(refusalToRemove(standing(letters), id), error, `${letters} ${id}`);
  }
});

test("a learner is promoted when enough others have started", () => {
  assert.equal(refusalToPromote(standing("sl")), undefined);
  assert.equal(refusalToPromote(standing("snl")), undefined);
  assert.equal(refusalToPromote(standing("snnl")), "memberNotEnoughStarted");
});

test("a learner is promoted by the leader when it has nine tenths of the log", () => {
  const matches = new Map([
    [1n, 100],
    [2n, 90],
    [3n, 89],
  ]);
  const of = (learner: bigint) => refusalOfLearner(matches, { learner, leader: 1n });
  assert.equal(of(2n), undefined);
  assert.equal(of(3n), "learnerNotReady");
  assert.equal(of(4n), "memberNotFound");
  assert.equal(refusalOfLearner(undefined, { learner: 2n, leader: 1n }), "notLeader");
});
