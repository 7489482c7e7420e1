import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ascending, committedIndex, type Majority, voteResult } from "./quorum.ts";

const majority = fc.uniqueArray(fc.bigInt(1n, 9n), { maxLength: 7 }).map(ascending);
const voters = fc.record({ incoming: majority, outgoing: majority });
const id = fc.bigInt(1n, 9n);
const acks = fc.array(fc.tuple(id, fc.nat(5))).map((pairs) => new Map(pairs));
const votes = fc.array(fc.tuple(id, fc.boolean())).map((pairs) => new Map(pairs));

function holds(voting: Majority, agrees: (id: bigint) => boolean): boolean {
  return voting.length === 0 || voting.filter(agrees).length * 2 > voting.length;
}

test("an index is committed exactly when both majorities have acknowledged it", () => {
  fc.assert(
    fc.property(voters, acks, ({ incoming, outgoing }, acked) => {
      const committed = committedIndex({ incoming, outgoing }, (one) => acked.get(one));
      for (let index = 0; index <= 6; index++) {
        const has = (one: bigint) => (acked.get(one) ?? 0) >= index;
        const isCommitted = holds(incoming, has) && holds(outgoing, has);
        assert.equal(index <= committed, isCommitted);
      }
    }),
  );
});

test("a vote is won or lost exactly when the votes still missing cannot change it", () => {
  fc.assert(
    fc.property(voters, votes, ({ incoming, outgoing }, cast) => {
      const castOr = (missing: boolean) => (one: bigint) => cast.get(one) ?? missing;
      const isWonWith = (missing: boolean) =>
        holds(incoming, castOr(missing)) && holds(outgoing, castOr(missing));
      const expected = isWonWith(false) ? "won" : isWonWith(true) ? "pending" : "lost";
      assert.equal(voteResult({ incoming, outgoing }, cast), expected);
    }),
  );
});

test("ids are ordered as unsigned 64-bit numbers", () => {
  const ids = [0xffff_ffff_ffff_fffdn, 1n, 0x8000_0000_0000_0000n, 2n];
  assert.deepEqual(ascending(ids), [1n, 2n, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_fffdn]);
});
