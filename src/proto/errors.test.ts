import assert from "node:assert/strict";
import { test } from "node:test";
import { CODE, errorNames, fail } from "./index.ts";

test("a name always gives the same frozen refusal", () => {
  assert.equal(fail("compacted"), fail("compacted"));
  assert.ok(Object.isFrozen(fail("compacted")));
  assert.deepEqual(fail("compacted"), {
    code: CODE.outOfRange,
    message: "etcdserver: mvcc: required revision has been compacted",
  });
});

test("texts are unique, for clients tell refusals apart by them", () => {
  const messages = errorNames.map((name) => fail(name).message);
  assert.equal(new Set(messages).size, messages.length);
});

test("the two refusals that lose their code on the way are Unknown", () => {
  assert.equal(fail("tooManyRequests").code, CODE.unknown);
  assert.equal(fail("memberNotEnoughStarted").code, CODE.unknown);
});
