import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText, textToBytes } from "../base/index.ts";
import { CONF_CHANGE_TYPE, type ConfChange } from "../proto/index.ts";
import {
  carryOut,
  idToHex,
  type Member,
  memberToJson,
  Members,
  promotionToJson,
  readChange,
  refusalOf,
} from "./index.ts";
import { member, newDb } from "./testing.ts";

const { addNode, addLearner, removeNode, updateNode } = CONF_CHANGE_TYPE;

function conf(type: number, nodeId: bigint, context = ""): ConfChange {
  return { id: 1n, type, nodeId, context: textToBytes(context) };
}

const adding = (added: Member) =>
  conf(added.isLearner ? addLearner : addNode, added.id, memberToJson(added, { withId: true }));
const promoting = (id: bigint) => conf(addNode, id, promotionToJson(id));
const removing = (id: bigint) => conf(removeNode, id);
const updating = (id: bigint, ...peerUrls: string[]) =>
  conf(updateNode, id, memberToJson(member(id, { peerUrls }), { withId: true }));

class Bench {
  readonly db = newDb();
  readonly members = new Members({ db: this.db });

  /** Takes changes in order; answers what came of the last one. */
  take(...changes: ConfChange[]): string {
    let outcome = "";
    for (const each of changes) {
      const change = readChange(each);
      const error = refusalOf(change, this.members, { learnersMax: 1 });
      if (error === undefined) carryOut(change, this.members);
      outcome = error ?? "done";
    }
    return outcome;
  }

  stored(bucket: string): string[] {
    const found: string[] = [];
    const cursor = this.db.bucket(bucket).cursor();
    for (let isRow = cursor.first(); isRow; isRow = cursor.next()) {
      found.push(`${bytesToText(cursor.key)} ${bytesToText(cursor.value)}`);
    }
    return found;
  }
}

const three = () => [adding(member(1n)), adding(member(2n)), adding(member(3n))];

test("a committed change is void for the reasons that etcd has, and in its order", () => {
  const learner = member(4n, { isLearner: true });
  const cases: readonly (readonly [string, ConfChange[]])[] = [
    ["memberExist", [adding(member(2n))]],
    ["peerUrlExist", [adding(member(9n, { peerUrls: ["http://n", "http://m2:2380"] }))]],
    ["done", [adding(learner)]],
    ["tooManyLearners", [adding(learner), adding(member(5n, { isLearner: true }))]],
    ["done", [adding(learner), promoting(4n)]],
    ["done", [adding(learner), promoting(4n), adding(member(5n, { isLearner: true }))]],
    ["memberNotFound", [promoting(4n)]],
    ["memberNotLearner", [promoting(2n)]],
    ["done", [removing(3n)]],
    ["memberNotFound", [removing(4n)]],
    ["memberNotFound", [removing(3n), removing(3n)]],
    ["memberNotFound", [removing(3n), adding(member(3n))]],
    ["done", [updating(3n, "http://x:1")]],
    ["done", [updating(3n, "http://m3:2380", "http://x:1")]],
    ["peerUrlExist", [updating(3n, "http://m2:2380")]],
    ["memberNotFound", [updating(9n, "http://x:1")]],
  ];
  for (const [outcome, changes] of cases) {
    assert.equal(new Bench().take(...three(), ...changes), outcome);
  }
});

test("members are stored in the bytes of etcd", () => {
  const bench = new Bench();
  const id = 0x8e9e05c52164694dn;
  bench.take(adding(member(id, { peerUrls: ["http://a:1?b=<&>"], isLearner: true })));
  const key = "8e9e05c52164694d";
  const urls = '"peerURLs":["http://a:1?b=\\u003c\\u0026\\u003e"]';
  assert.deepEqual(bench.stored("members"), [
    `${key} {"id":10276657743932975437,${urls},"isLearner":true}`,
  ]);
  bench.take(promoting(id));
  bench.members.setAttributes(id, { name: "n", clientUrls: ["http://c"] }, { store: true });
  const attributes = '"name":"n","clientURLs":["http://c"]';
  assert.deepEqual(bench.stored("members"), [
    `${key} {"id":10276657743932975437,${urls},${attributes}}`,
  ]);
  bench.take(updating(id));
  assert.deepEqual(bench.stored("members"), [
    `${key} {"id":10276657743932975437,"peerURLs":null,${attributes}}`,
  ]);
  bench.take(adding(member(2n)), removing(id));
  assert.deepEqual(bench.stored("members"), [`2 {"id":2,"peerURLs":["http://m2:2380"]}`]);
  assert.deepEqual(bench.stored("members_removed"), [`${key} removed`]);
});

test("a restart finds the members as they were", () => {
  const bench = new Bench();
  bench.take(...three(), adding(member(4n, { isLearner: true })), removing(2n));
  bench.members.setAttributes(1n, { name: "one", clientUrls: ["http://c"] }, { store: true });
  const again = new Members({ db: bench.db });
  again.restore();
  assert.deepEqual(again.list(), bench.members.list());
  assert.deepEqual(again.removedIds(), [2n]);
  assert.equal(again.isRemoved(2n), true);
});

test("those that a new member was told of are there until the log tells of them", () => {
  const { members } = new Bench();
  members.expect([member(1n, { name: "a" }), member(2n, { name: "b" })]);
  assert.deepEqual(
    members.list().map(({ name }) => name),
    ["a", "b"],
  );
  assert.deepEqual(members.allKnown(), []);
  members.add(member(2n, { name: "c" }));
  assert.deepEqual(
    members.list().map(({ name }) => name),
    ["a", "c"],
  );
  members.remove(1n);
  assert.deepEqual(
    members.list().map(({ id }) => idToHex(id)),
    ["2"],
  );
});
