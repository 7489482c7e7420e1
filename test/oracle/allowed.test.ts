import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LeaseTimeToLiveResponseSchema,
  RangeRequestSchema,
  RangeResponseSchema,
  TxnRequestSchema,
  TxnResponseSchema,
} from "../lib/api.ts";
import { forgive } from "./allowed.ts";
import { differences, plain } from "./plain.ts";

/** Keys, each with its version. */
type Kvs = readonly (readonly [key: string, version: bigint])[];

const range = (kvs: Kvs, more = false) =>
  create(RangeResponseSchema, {
    kvs: kvs.map(([key, version]) => ({ key: Buffer.from(key), version })),
    more,
    count: 9n,
  });

const BY_VERSION = create(RangeRequestSchema, { sortTarget: 1, limit: 2n });

function isForgiven(request: unknown, a: unknown, b: unknown): boolean {
  forgive(request, a, b);
  return differences(plain(a), plain(b)).length === 0;
}

const cases: readonly [claim: string, a: Kvs, b: Kvs, more: boolean, forgiven: boolean][] = [
  [
    "equal sort values in another order",
    [
      ["a", 1n],
      ["b", 1n],
    ],
    [
      ["b", 1n],
      ["a", 1n],
    ],
    false,
    true,
  ],
  [
    "another of the keys that a limit cuts",
    [
      ["a", 1n],
      ["b", 2n],
    ],
    [
      ["a", 1n],
      ["c", 2n],
    ],
    true,
    true,
  ],
  [
    "another key where nothing is cut",
    [
      ["a", 1n],
      ["b", 2n],
    ],
    [
      ["a", 1n],
      ["c", 2n],
    ],
    false,
    false,
  ],
  [
    "another key before the cut",
    [
      ["a", 1n],
      ["b", 2n],
    ],
    [
      ["c", 1n],
      ["b", 2n],
    ],
    true,
    false,
  ],
  [
    "another sort value",
    [
      ["a", 1n],
      ["b", 2n],
    ],
    [
      ["a", 1n],
      ["b", 3n],
    ],
    true,
    false,
  ],
  [
    "the wrong order",
    [
      ["a", 2n],
      ["b", 1n],
    ],
    [
      ["b", 1n],
      ["a", 2n],
    ],
    false,
    false,
  ],
];

for (const [claim, a, b, more, forgiven] of cases) {
  test(`${claim}: ${forgiven ? "forgiven" : "a difference"}`, () => {
    assert.equal(isForgiven(BY_VERSION, range(a, more), range(b, more)), forgiven);
  });
}

test("ties are found inside the branch that a transaction took", () => {
  const request = create(TxnRequestSchema, {
    success: [{ request: { case: "requestRange", value: BY_VERSION } }],
  });
  const answer = (kvs: Kvs) =>
    create(TxnResponseSchema, {
      succeeded: true,
      responses: [{ response: { case: "responseRange", value: range(kvs) } }],
    });
  const [ab, ba]: [Kvs, Kvs] = [
    [
      ["a", 1n],
      ["b", 1n],
    ],
    [
      ["b", 1n],
      ["a", 1n],
    ],
  ];
  assert(isForgiven(request, answer(ab), answer(ba)));
});

test("a lease that one side does not know is not a matter of seconds", () => {
  const left = (TTL: bigint) => create(LeaseTimeToLiveResponseSchema, { ID: 1n, TTL });
  assert(isForgiven(null, left(100n), left(98n)));
  assert(!isForgiven(null, left(100n), left(-1n)));
  assert(!isForgiven(null, left(100n), left(50n)));
});

test("a report names the field and shows where long texts part", () => {
  const a = { kvs: [{ value: "x".repeat(500) + "a" }] };
  const b = { kvs: [{ value: "x".repeat(500) + "b" }] };
  const [difference] = differences(plain(a), plain(b));
  assert.match(difference!, /^\.kvs\.0\.value: "x\{60\}a" \/ "x\{60\}b"$/);
});
