import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Arena } from "../base/index.ts";
import { encodeInternalRequest, InternalRequest, ProtoError, REQUEST } from "./index.ts";

const arena = new Arena();
const sequence = fc.nat({ max: 2 ** 48 - 1 });
const member = fc.nat({ max: 0xffff });
const field = fc.constantFrom(...Object.values(REQUEST).filter((f) => f !== REQUEST.header));

test("a request comes out of a log entry as it went in, with its exact id", () => {
  fc.assert(
    fc.property(
      field,
      fc.uint8Array(),
      member,
      sequence,
      (number, body, memberPart, sequencePart) => {
        const id = { member: memberPart, sequence: sequencePart };
        const entry = encodeInternalRequest(arena, number, body, id);
        const decoded = new InternalRequest().decode(entry);
        assert.equal(decoded.field, number);
        assert.deepEqual({ member: decoded.member, sequence: decoded.sequence }, id);
        const { bytes, at, end } = decoded.body;
        assert.deepEqual([...bytes.subarray(at, end)], [...body]);
      },
    ),
  );
});

test("bytes that are no entry are refused and nothing else happens", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        new InternalRequest().decode(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtoError);
      }
    }),
  );
});
