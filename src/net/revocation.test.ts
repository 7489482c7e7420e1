import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalSerial, revokedSerials } from "./revocation.ts";
import { CERTIFICATES, REVOKED_SERIAL } from "./testing.ts";

const LIST = CERTIFICATES["crl.der"];

test("a revocation list names the serial numbers that it revokes", () => {
  assert.deepEqual([...revokedSerials(LIST)], [REVOKED_SERIAL]);
  assert.equal(normalSerial("00AB0"), "ab0");
});

test("what is no revocation list is refused, whatever it is", () => {
  const isRefused = (bytes: Uint8Array): void => {
    try {
      revokedSerials(bytes);
    } catch (error) {
      assert.equal((error as Error).message, "not a revocation list");
    }
  };
  for (let end = 0; end < 130; end++) {
    assert.throws(() => revokedSerials(LIST.subarray(0, end)), /not a revocation list/);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), isRefused));
  const changed = fc.tuple(fc.nat(LIST.length - 1), fc.nat(255)).map(([at, byte]) => {
    const bytes = Uint8Array.from(LIST);
    bytes[at] = byte;
    return bytes;
  });
  fc.assert(fc.property(changed, isRefused));
});
