import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToHex, textToBytes } from "../base/index.ts";
import {
  CONF_CHANGE_TYPE,
  decodeConfChange,
  decodeConfChangeV2,
  encodeConfChange,
  encodeConfChangeV2,
  ProtoError,
  TRANSITION,
} from "./index.ts";

const id = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const type = fc.constantFrom(...Object.values(CONF_CHANGE_TYPE));
const bytes = fc.uint8Array({ maxLength: 20 });
const change = fc.record({ id, type, nodeId: id, context: bytes });
const changeV2 = fc.record({
  transition: fc.constantFrom(...Object.values(TRANSITION)),
  changes: fc.array(fc.record({ type, nodeId: id }, { noNullPrototype: true }), { maxLength: 4 }),
  context: bytes,
});

test("the change that founds a group has its type and node, and no id", () => {
  const context = textToBytes("{}");
  const founding = { id: 0n, type: CONF_CHANGE_TYPE.addNode, nodeId: 5n, context };
  assert.equal(bytesToHex(encodeConfChange(founding)), "1000180522027b7d");
});

test("a configuration change comes back as it went in", () => {
  fc.assert(
    fc.property(change, (it) => {
      const back = decodeConfChange(encodeConfChange(it));
      assert.deepEqual(
        { ...back, context: [...back.context] },
        { ...it, context: [...it.context] },
      );
    }),
  );
  fc.assert(
    fc.property(changeV2, (it) => {
      const back = decodeConfChangeV2(encodeConfChangeV2(it));
      assert.deepEqual(
        { ...back, context: [...back.context] },
        { ...it, context: [...it.context] },
      );
    }),
  );
});

test("a change of nothing at all is no bytes, and no bytes are a change of nothing", () => {
  const nothing = decodeConfChangeV2(new Uint8Array(0));
  assert.deepEqual([nothing.transition, nothing.changes], [TRANSITION.auto, []]);
});

test("bytes that are no configuration change are refused and nothing else happens", () => {
  const mutated = fc.tuple(changeV2, fc.nat(), fc.nat(255)).map(([it, at, byte]) => {
    const encoded = encodeConfChangeV2(it);
    encoded[at % encoded.length] = byte;
    return encoded;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), mutated), (input) => {
      for (const decode of [decodeConfChange, decodeConfChangeV2]) {
        try {
          decode(input);
        } catch (error) {
          assert.ok(error instanceof ProtoError);
        }
      }
    }),
  );
});
