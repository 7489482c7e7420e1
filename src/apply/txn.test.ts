import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToKey, textToBytes } from "../base/index.ts";
import { toEnd } from "../base/testing.ts";
import { Db } from "../bolt/index.ts";
import { Lessor } from "../lease/index.ts";
import { Store } from "../mvcc/index.ts";
import type { PutRequest, RequestOp } from "../proto/index.ts";
import { Transaction } from "./txn.ts";

const NO_BYTES = new Uint8Array(0);

function newRooms() {
  const db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  const store = new Store({ key: db.bucket("key"), meta: db.bucket("meta") });
  toEnd(store.restore(() => {}));
  const lessor = new Lessor({ bucket: db.bucket("lease"), ttlSecondsMin: 2 });
  return { store, lessor, transaction: new Transaction(store, lessor) };
}

const put = (name: string, lease: bigint): RequestOp => {
  const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
  const request: PutRequest = { key: textToBytes(name), value: NO_BYTES, lease, ...flags };
  return { kind: "put", put: request };
};

/** Of everything from a key on: the one range that may cover what the same txn puts. */
const removeFrom = (name: string): RequestOp => ({
  kind: "delete",
  delete: { key: textToBytes(name), rangeEnd: Uint8Array.of(0), prevKv: false },
});

const cases: readonly [claim: string, ops: RequestOp[], one: string[], two: string[]][] = [
  ["a key leaves its lease when it is deleted", [removeFrom("a")], [], []],
  [
    "a key that is put again after it was deleted joins the lease of that put",
    [removeFrom("a"), put("a", 2n)],
    [],
    ["a"],
  ],
  [
    "a key that is deleted after it was put has no lease left",
    [put("a", 2n), removeFrom("a")],
    [],
    [],
  ],
  ["a key that is put again without a lease has none", [removeFrom("a"), put("a", 0n)], [], []],
];

for (const [claim, success, one, two] of cases) {
  test(claim, () => {
    const { store, lessor, transaction } = newRooms();
    for (const id of [1n, 2n]) lessor.grant(id, 60, 0);
    const run = (ops: RequestOp[]) => {
      const plan = toEnd(transaction.plan({ compare: [], success: ops, failure: [] }));
      assert.equal(toEnd(transaction.check(plan)), undefined);
      const txn = store.begin();
      toEnd(transaction.execute(plan, txn, undefined));
      txn.end();
    };
    run([put("a", 1n), put("b", 1n)]);
    run(success);
    const keysOf = (id: bigint) => [...lessor.get(id)!.keys].map(String).sort();
    const names = (keys: string[]) => keys.map((key) => bytesToKey(textToBytes(key)));
    assert.deepEqual([keysOf(1n), keysOf(2n)], [names(one), names(two)]);
  });
}
