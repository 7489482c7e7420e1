import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHistory } from "./index.ts";
import type { Answer, Change, History, Operation, Request, Watched } from "./index.ts";

let clock = 0;

/** One call after the other, as told. */
function call(request: Request, answer?: Answer, times: Partial<Operation> = {}): Operation {
  const calledAt = times.calledAt ?? ++clock;
  const ended = answer === undefined ? {} : { endedAt: times.endedAt ?? ++clock, answer };
  return { by: "c", request, ...times, calledAt, ...ended };
}

const put = (key: string, value: string, revision?: number) =>
  call({ kind: "put", key, value }, revision === undefined ? undefined : { revision });

function pair(key: string, value: string, revision: number, version = 1, lease?: string): Change {
  const createRevision = version === 1 ? revision : revision - version + 1;
  const attached = lease === undefined ? {} : { lease };
  const stored = { key, value, modRevision: revision, createRevision, version, ...attached };
  return { revision, key, pair: stored };
}

const gone = (key: string, revision: number): Change => ({ revision, key, pair: undefined });

function watch(...changes: (Change | number)[]): Watched {
  const messages = changes.map((change) =>
    typeof change === "number"
      ? { at: ++clock, changes: [], bookmark: change }
      : { at: ++clock, changes: [change] },
  );
  return { by: "w", key: "", end: "\uffff", from: 2, messages };
}

function violations(operations: readonly Operation[], ...watches: Watched[]): string {
  const history: History = { operations, watches };
  return checkHistory(history).join("\n");
}

test("a history of puts, reads, transactions and deletes in order has nothing wrong", () => {
  const stored = pair("a", "1", 2).pair!;
  const operations = [
    put("a", "1", 2),
    call({ kind: "range", key: "a" }, { revision: 2, pairs: [stored] }),
    call(
      {
        kind: "txn",
        compares: [{ key: "a", modRevision: 2 }],
        success: [
          { kind: "put", key: "b", value: "2" },
          { kind: "delete", key: "a" },
        ],
        failure: [],
      },
      { revision: 3, succeeded: true, deleted: 1 },
    ),
    call({ kind: "range", key: "a" }, { revision: 3, pairs: [] }),
    put("a", "3"),
    call({ kind: "delete", key: "a", end: "c" }, { revision: 5, deleted: 2 }),
  ];
  const log = watch(
    pair("a", "1", 2),
    { ...gone("a", 3) },
    pair("a", "3", 4),
    { ...gone("a", 5) },
    5,
  );
  const messages = [
    log.messages[0]!,
    { at: 9, changes: [gone("a", 3), pair("b", "2", 3)] },
    log.messages[2]!,
    { at: 12, changes: [gone("a", 5), gone("b", 5)] },
    log.messages[4]!,
  ];
  assert.equal(violations(operations, { ...log, messages }), "");
});

test("a put that was acknowledged and is nowhere is lost", () => {
  const operations = [put("a", "1", 2), put("a", "2", 3), put("a", "3", 4)];
  assert.match(violations(operations, watch(pair("a", "1", 2), pair("a", "2", 3, 2))), /lost/);
});

test("a read that misses a write that had ended is stale", () => {
  const operations = [
    put("a", "1", 2),
    put("a", "2", 3),
    call({ kind: "range", key: "a" }, { revision: 2, pairs: [pair("a", "1", 2).pair!] }),
  ];
  const log = watch(pair("a", "1", 2), pair("a", "2", 3, 2));
  assert.match(violations(operations, log), /stale/);
  const serializable = operations.with(
    2,
    call({ kind: "range", key: "a", isSerializable: true }, operations[2]!.answer),
  );
  assert.equal(violations(serializable, log), "");
});

test("a read of what was never there is told", () => {
  const operations = [
    put("a", "1", 2),
    call({ kind: "range", key: "a" }, { revision: 2, pairs: [pair("a", "x", 2).pair!] }),
  ];
  assert.match(violations(operations, watch(pair("a", "1", 2))), /at that revision it was/);
});

test("a read of the past shows what was there then", () => {
  const log = watch(pair("a", "1", 2), pair("a", "2", 3, 2));
  const readAt = (value: string, modRevision: number, version: number) =>
    call(
      { kind: "range", key: "a", revision: 2 },
      { revision: 3, pairs: [pair("a", value, modRevision, version).pair!] },
    );
  const puts = [put("a", "1", 2), put("a", "2", 3)];
  assert.equal(violations([...puts, readAt("1", 2, 1)], log), "");
  assert.match(violations([...puts, readAt("2", 3, 2)], log), /at that revision it was/);
});

test("a write carried out twice is told, answered or not", () => {
  const log = watch(pair("a", "1", 2), pair("a", "1", 3, 2));
  assert.match(violations([put("a", "1", 2)], log), /carried out again/);
  assert.match(violations([put("a", "1")], log), /carried out twice/);
});

test("a change that nobody asked for is told", () => {
  assert.match(violations([], watch(pair("a", "1", 2))), /nobody asked/);
});

test("a write that was refused for certain may not show", () => {
  const operations = [{ ...put("a", "1"), isVoid: true }];
  assert.match(violations(operations, watch(pair("a", "1", 2))), /refused/);
});

test("a transaction that took the wrong branch is told", () => {
  const wrong = call(
    {
      kind: "txn",
      compares: [{ key: "a", modRevision: 7 }],
      success: [{ kind: "put", key: "a", value: "2" }],
      failure: [],
    },
    { revision: 3, succeeded: true },
  );
  const log = watch(pair("a", "1", 2), pair("a", "2", 3, 2));
  assert.match(violations([put("a", "1", 2), wrong], log), /asked was/);
});

test("a watch that leaves out, repeats, reorders or splits a revision is told", () => {
  const operations = [put("a", "1", 2), put("a", "2", 3), put("a", "3", 4)];
  const all = [pair("a", "1", 2), pair("a", "2", 3, 2), pair("a", "3", 4, 3)] as const;
  const check = (...changes: (Change | number)[]) =>
    violations(operations, watch(...all), watch(...changes));
  assert.equal(check(...all), "");
  assert.match(check(all[0], all[2]), /revision 3 was left out/);
  assert.match(check(all[0], all[1], all[1], all[2]), /came after/);
  assert.match(check(all[1], all[0], all[2]), /left out|came after/);
  assert.match(check(all[0], 4, all[2]), /overtook/);
});

test("a lease ends neither early nor in parts", () => {
  const grant = call({ kind: "grant", lease: "7", ttlSeconds: 5 }, { revision: 1, ttlSeconds: 5 });
  const writes = ["a", "b"].map((key, i) =>
    call({ kind: "put", key, value: key, lease: "7" }, { revision: 2 + i }),
  );
  const told = (at: number, ...changes: Change[]): Watched => ({
    by: "w",
    key: "",
    end: "\uffff",
    from: 2,
    messages: [
      { at: clock, changes: [pair("a", "a", 2, 1, "7"), pair("b", "b", 3, 1, "7")] },
      { at, changes },
    ],
  });
  const both = [gone("a", 4), gone("b", 4)];
  const onTime = grant.calledAt + 5_000;
  assert.equal(violations([grant, ...writes], told(onTime, ...both)), "");
  assert.match(violations([grant, ...writes], told(onTime - 1_000, ...both)), /1000 ms early/);
  assert.match(violations([grant, ...writes], told(onTime, gone("a", 4))), /nobody asked/);
  const revoke = call({ kind: "revoke", lease: "7" }, { revision: 4 });
  assert.equal(violations([grant, ...writes, revoke], told(++clock, ...both)), "");
  assert.match(violations([grant, ...writes, revoke], told(++clock)), /still there/);
});
