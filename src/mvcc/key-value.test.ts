import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EMPTY_BYTES, textToBytes } from "../base/index.ts";
import { api, encodeMessage, ProtoError } from "../proto/index.ts";
import { bareKeyBytes, decodeKeyValue, encodeKeyValue, writeBareKey } from "./key-value.ts";

const counter = fc.oneof(fc.nat(300), fc.maxSafeNat());
const pairs = fc.record({
  key: fc.uint8Array({ maxLength: 200 }),
  createRevision: counter,
  modRevision: counter,
  version: counter,
  value: fc.uint8Array({ maxLength: 300 }),
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
});

test("a pair is encoded as the schema says, byte for byte, and read back", () => {
  fc.assert(
    fc.property(pairs, (pair) => {
      const bytes = encodeKeyValue(pair);
      assert.deepEqual(Array.from(bytes), Array.from(encodeMessage(api.KeyValue, pair)));
      const { key, value, ...numbers } = decodeKeyValue(bytes);
      assert.deepEqual(Array.from(key), Array.from(pair.key));
      assert.deepEqual(Array.from(value), Array.from(pair.value));
      const { key: _, value: __, ...expected } = pair;
      assert.deepEqual(numbers, expected);
    }),
  );
});

test("fields stand in ascending order and zeros are left out (HashKV runs over these bytes)", () => {
  const pair = { createRevision: 2, modRevision: 300, version: 0, value: EMPTY_BYTES, lease: 1n };
  assert.deepEqual(
    Array.from(encodeKeyValue({ key: textToBytes("k"), ...pair })),
    [0x0a, 1, 0x6b, 0x10, 2, 0x18, 0xac, 0x02, 0x30, 1],
  );
});

test("a tombstone's record is a pair with nothing but its key", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (key) => {
      const bytes = new Uint8Array(bareKeyBytes(key.length));
      writeBareKey(bytes, key);
      assert.deepEqual(Array.from(bytes), Array.from(encodeMessage(api.KeyValue, { key })));
    }),
  );
});

function decodesOrRefuses(bytes: Uint8Array): void {
  try {
    decodeKeyValue(bytes);
  } catch (error) {
    assert.ok(error instanceof ProtoError);
  }
}

test("any bytes are a pair or a ProtoError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), decodesOrRefuses));
});

test("a pair with bytes changed or cut off is a pair or a ProtoError", () => {
  fc.assert(
    fc.property(pairs, fc.nat(), fc.nat(255), fc.nat(), (pair, at, byte, length) => {
      const bytes = encodeKeyValue(pair);
      if (bytes.length === 0) return;
      bytes[at % bytes.length] = byte;
      decodesOrRefuses(bytes.subarray(0, length % (bytes.length + 1)));
    }),
  );
});
