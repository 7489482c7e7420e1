import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterId, memberId } from "./index.ts";

test("ids are those that etcd gives to the same URLs and token", () => {
  const member = memberId(["http://127.0.0.1:3380"], "tok2");
  assert.equal(member.toString(16), "55e9377384fe59c9");
  assert.equal(clusterId([member]).toString(16), "b54558d195c73daf");
});
