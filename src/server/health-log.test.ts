import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "../http/index.ts";
import type { Member } from "../member/index.ts";
import type { Logger } from "../observe/index.ts";
import { api, type Failure, fail } from "../proto/index.ts";
import { Health } from "./health.ts";
import { Probes } from "./probes.ts";

/** A member's pages of health, and what its log says of them; nothing is wrong at first. */
function world() {
  const told: (readonly [level: string, message: string, fields: object | undefined])[] = [];
  const at = (level: string) => (message: string, fields?: object) =>
    told.push([level, message, fields]);
  const logger = { debug: () => {}, warn: at("warn"), error: at("error") } as unknown as Logger;
  const alarms: { memberID: bigint; alarm: number }[] = [];
  const is = {
    hasLeader: true,
    isStopped: false,
    failure: undefined as Failure | undefined,
    caughtUp: async () => is.failure,
    ids: { memberId: 1n },
    state: { alarms: { list: () => alarms }, members: { get: () => undefined } },
  };
  const member = is as unknown as Member;
  const [health, probes] = [new Health(member, logger), new Probes(member, logger)];
  const ask = async (url: string): Promise<Page> => {
    const [path, query] = url.split("?");
    const head = { path, query: new URLSearchParams(query) } as never;
    return path === "/health" ? health.page(head) : probes.find(path!)!.make(head);
  };
  return { is, alarms, told, ask };
}

const failed = (reason: string) => [
  "warn",
  "/health error",
  { output: `{"health":"false","reason":"${reason}"}`, "status-code": 503 },
];

test("a member that is well says nothing of it", async () => {
  const { told, ask } = world();
  for (const path of ["/health", "/livez", "/readyz", "/readyz/non_learner"]) await ask(path);
  assert.deepEqual(told, []);
});

test("the log says why /health is false", async () => {
  const { is, alarms, told, ask } = world();
  is.hasLeader = false;
  await ask("/health");
  assert.deepEqual(told.splice(0), [
    ["warn", "serving /health false; no leader", undefined],
    failed("RAFT NO LEADER"),
  ]);
  is.hasLeader = true;
  is.failure = fail("timeout");
  await ask("/health");
  assert.deepEqual(told.splice(0), [
    ["warn", "serving /health false; Range fails", { error: "etcdserver: request timed out" }],
    failed("RANGE ERROR:etcdserver: request timed out"),
  ]);
  alarms.push({ memberID: 18_446_744_073_709_551_615n, alarm: api.ALARM_TYPE.NOSPACE });
  await ask("/health");
  const alarm = "memberID:18446744073709551615  alarm:NOSPACE";
  assert.deepEqual(told, [
    ["warn", "serving /health false due to an alarm", { alarm }],
    failed("ALARM NOSPACE"),
  ]);
});

test("a check that fails is an error in the log, one that is not known a warning", async () => {
  const { is, told, ask } = world();
  is.failure = fail("timeout");
  await ask("/readyz/linearizable_read");
  await ask("/readyz?exclude=linearizable_read&exclude=some&exclude=other");
  assert.deepEqual(told, [
    [
      "error",
      "Health check error",
      {
        path: "/readyz/linearizable_read",
        reason: "[-]linearizable_read failed: etcdserver: request timed out\n",
        "status-code": 503,
      },
    ],
    [
      "warn",
      "some health checks cannot be excluded",
      { "missing-health-checks": '"some","other"' },
    ],
  ]);
});
