import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToHex, compareBytes } from "../base/index.ts";
import {
  checkRevision,
  isTombstone,
  RevisionError,
  readMain,
  readSub,
  revisionKey,
  tombstoneKey,
} from "./revision.ts";

test("a revision key is main, '_' and sub, big-endian; a tombstone's ends in 't'", () => {
  assert.equal(bytesToHex(revisionKey(258, 3)), "00000000000001025f0000000000000003");
  assert.equal(bytesToHex(tombstoneKey(258, 3)), "00000000000001025f000000000000000374");
  assert.equal(
    bytesToHex(revisionKey(Number.MAX_SAFE_INTEGER, 2 ** 32)),
    "001fffffffffffff5f0000000100000000",
  );
});

const revisions = fc.record({ main: fc.maxSafeNat(), sub: fc.nat(), dead: fc.boolean() });

function keyOf({ main, sub, dead }: { main: number; sub: number; dead: boolean }): Uint8Array {
  return dead ? tombstoneKey(main, sub) : revisionKey(main, sub);
}

test("revision keys are read back, and sort as revisions do", () => {
  fc.assert(
    fc.property(revisions, revisions, (a, b) => {
      const key = keyOf(a);
      checkRevision(key);
      assert.deepEqual([readMain(key), readSub(key), isTombstone(key)], [a.main, a.sub, a.dead]);
      const order = a.main - b.main || a.sub - b.sub || Number(a.dead) - Number(b.dead);
      assert.equal(Math.sign(compareBytes(key, keyOf(b))), Math.sign(order));
    }),
  );
});

test("any bytes are a revision key or a RevisionError", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.uint8Array({ minLength: 17, maxLength: 18 }).map((key) => {
      key[8] = 0x5f;
      return key;
    }),
  );
  fc.assert(
    fc.property(bytes, (key) => {
      try {
        checkRevision(key);
        assert.ok(key.length === 17 || key.length === 18);
      } catch (error) {
        assert.ok(error instanceof RevisionError);
      }
    }),
  );
});
