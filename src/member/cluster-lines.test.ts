import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberChange } from "../apply/index.ts";
import { Db } from "../bolt/index.ts";
import { type Change, Members } from "../cluster/index.ts";
import { fail } from "../proto/index.ts";
import { ClusterLines } from "./cluster-lines.ts";

const learner = {
  id: 0xabn,
  peerUrls: ["http://x:1"],
  isLearner: true,
  name: "",
  clientUrls: [],
};

/** Member 1 of cluster c1, its log, and a list of members that the test changes. */
function world() {
  const db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  const members = new Members({ db });
  const told: (readonly [level: string, message: string, fields: object])[] = [];
  const at = (level: string) => (message: string, fields: object) =>
    told.push([level, message, fields]);
  const lines = { info: at("info"), warn: at("warn"), error: at("error") };
  const ids = { clusterId: 0xc1n, memberId: 1n };
  const cluster = new ClusterLines({ ids, members, lines } as never);
  const changed = (change: Change, more: Partial<MemberChange> = {}) => {
    const nothing = { error: undefined, set: undefined, removed: undefined };
    cluster.changed({ id: 7n, change, isReplayed: false, ...nothing, ...more });
  };
  return { cluster, changed, members, told };
}

const OWN = { "cluster-id": "c1", "local-member-id": "1" };
const { id, peerUrls } = learner;

test("each member's log tells who comes, changes and goes", () => {
  const { changed, told } = world();
  changed({ kind: "add", id, member: learner }, { set: learner });
  const voter = { ...learner, isLearner: false };
  changed({ kind: "promote", id }, { set: voter });
  const moved = { ...voter, peerUrls: ["http://y:1"] };
  changed({ kind: "update", id, peerUrls: moved.peerUrls }, { set: moved });
  changed({ kind: "remove", id }, { removed: moved });
  assert.deepEqual(told, [
    [
      "info",
      "added member",
      {
        ...OWN,
        "added-peer-id": "ab",
        "added-peer-peer-urls": ["http://x:1"],
        "added-peer-is-learner": true,
      },
    ],
    ["info", "promote member", { ...OWN, "promoted-member-id": "ab" }],
    [
      "info",
      "updated member",
      {
        ...OWN,
        "updated-remote-peer-id": "ab",
        "updated-remote-peer-urls": ["http://y:1"],
        "updated-remote-peer-is-learner": false,
      },
    ],
    [
      "info",
      "removed member",
      {
        ...OWN,
        "removed-remote-peer-id": "ab",
        "removed-remote-peer-urls": ["http://y:1"],
        "removed-remote-peer-is-learner": false,
      },
    ],
  ]);
});

test("a change that is void is an error with etcd's reason, not one that was carried out", () => {
  const { changed, members, told } = world();
  changed({ kind: "add", id, member: learner }, { error: "tooManyLearners" });
  changed({ kind: "add", id, member: learner }, { error: "peerUrlExist" });
  changed({ kind: "add", id, member: learner }, { error: "memberExist" });
  changed({ kind: "remove", id }, { error: "memberNotFound" });
  changed({ kind: "promote", id }, { error: "memberNotLearner" });
  members.add(learner);
  members.remove(id);
  changed({ kind: "remove", id }, { error: "memberNotFound" });
  const reasons = [
    "too many learner members in cluster",
    "peerURL exists",
    "ID exists",
    "ID not found",
    "can only promote a learner member",
    "ID removed",
  ];
  assert.deepEqual(
    told,
    reasons.map((reason) => [
      "error",
      "Validation on configuration change failed",
      { shouldApplyV3: true, error: `membership: ${reason}` },
    ]),
  );
});

test("what the page file has already is told as that when the log is gone through again", () => {
  const { changed, members, told } = world();
  members.add(learner);
  const isReplayed = true;
  changed({ kind: "add", id, member: learner }, { isReplayed });
  changed({ kind: "promote", id }, { isReplayed });
  changed({ kind: "update", id, peerUrls }, { isReplayed });
  changed({ kind: "remove", id }, { isReplayed });
  assert.deepEqual(
    told.map(([, message]) => message),
    [
      "ignore already added member",
      "ignore already promoted member",
      "ignored already updated member",
      "ignore already removed member",
    ],
  );
  assert.deepEqual(told[1]![2], OWN);
  told.splice(0);
  members.remove(id);
  changed({ kind: "update", id, peerUrls }, { isReplayed });
  const update = {
    "updated-remote-peer-id": "ab",
    "updated-remote-peer-urls": ["http://x:1"],
    "updated-remote-peer-is-learner": false,
  };
  const fields = { ...OWN, ...update, "should-apply-v3": false };
  const skipped = ["info", "Skipped updating non-existent member in v2store", fields];
  assert.deepEqual(told, [skipped]);
});

test("the cluster's version is told once, and how the storage follows it", () => {
  const { cluster, members, told } = world();
  cluster.recovered();
  cluster.applied();
  assert.deepEqual(told, []);
  members.setVersion("3.7.0", { store: true });
  cluster.applied();
  cluster.applied();
  assert.deepEqual(told.splice(0), [
    ["info", "set initial cluster version", { ...OWN, "cluster-version": "3.7" }],
    ["info", "enabled capabilities for version", { "cluster-version": "3.7" }],
    [
      "info",
      "cluster version differs from storage version.",
      { "cluster-version": "3.7.0", "storage-version": "3.5.0" },
    ],
    ["info", "updated storage version", { "new-storage-version": "3.6.0" }],
    ["info", "updated storage version", { "new-storage-version": "3.7.0" }],
  ]);
  members.setVersion("3.6.0", { store: true });
  cluster.applied();
  assert.deepEqual(told, [
    ["info", "updated cluster version", { ...OWN, from: "3.7", to: "3.6" }],
    ["info", "enabled capabilities for version", { "cluster-version": "3.6" }],
  ]);
});

test("a start, and a snapshot, tell of what the page file says", () => {
  const { cluster, members, told } = world();
  members.add(learner);
  members.setVersion("3.7.0", { store: true });
  cluster.recovered();
  assert.deepEqual(told, [
    ["info", "enabled capabilities for version", { "cluster-version": "3.7" }],
    [
      "info",
      "recovered/added member from store",
      {
        ...OWN,
        "recovered-remote-peer-id": "ab",
        "recovered-remote-peer-urls": ["http://x:1"],
        "recovered-remote-peer-is-learner": true,
      },
    ],
    ["info", "set cluster version from store", { "cluster-version": "3.7" }],
  ]);
  told.splice(0);
  cluster.applied();
  assert.deepEqual(told, []);
});

test("a member says that it has told the cluster of itself, or why it could not", () => {
  const { cluster, told } = world();
  const attributes = { name: "m1", clientUrls: ["http://a", "http://b"] };
  cluster.published({ attributes, timeout: "7s" }, fail("timeout"));
  cluster.published({ attributes, timeout: "7s" }, undefined);
  const who = {
    "local-member-id": "1",
    "local-member-attributes": "{Name:m1 ClientURLs:[http://a http://b]}",
  };
  const timeout = { "publish-timeout": "7s" };
  assert.deepEqual(told, [
    [
      "warn",
      "failed to publish local member to cluster through raft",
      { ...who, ...timeout, error: "etcdserver: request timed out" },
    ],
    [
      "info",
      "published local member to cluster through raft",
      { ...who, "cluster-id": "c1", ...timeout },
    ],
  ]);
});
