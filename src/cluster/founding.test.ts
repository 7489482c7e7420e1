import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clusterText,
  foundCluster,
  hasDuplicateUrl,
  nameMembers,
  parseSize,
  parseUrlsMap,
  Registry,
  registryKeys,
  unmatchedText,
  urlsMapText,
} from "./index.ts";
import { member } from "./testing.ts";

const hashing = {
  memberId: (urls: readonly string[]) => BigInt(urls.join("").replace(/\D/g, "")),
  clusterId: (ids: readonly bigint[]) => ids.reduce((sum, id) => sum + id, 0n),
};

test("a cluster is founded by its members in the order of their ids", () => {
  const names = parseUrlsMap("b=http://x:9,a=http://x:1,a=http://x:0,c=http://x:5");
  assert.equal(urlsMapText(names), "a=http://x:0,a=http://x:1,b=http://x:9,c=http://x:5");
  const founding = foundCluster(names, "", hashing);
  assert.ok(typeof founding !== "string");
  assert.deepEqual(
    founding.members.map(({ name }) => name),
    ["a", "c", "b"],
  );
  assert.equal(founding.clusterId, 15n);
});

test("two members with one id, or an id of 0, found nothing", () => {
  assert.match(
    foundCluster(parseUrlsMap("a=http://x:1,b=http://y:1"), "", hashing) as string,
    /^member exists with identical ID &\{1 \{\[http:\/\/y:1\] false\} \{b \[\]\}\}$/,
  );
  assert.match(foundCluster(parseUrlsMap("a=http://x:0"), "", hashing) as string, /member id$/);
  assert.equal(hasDuplicateUrl(parseUrlsMap("a=u,b=u")), true);
  assert.equal(hasDuplicateUrl(parseUrlsMap("a=u,a=u")), true);
  assert.equal(hasDuplicateUrl(parseUrlsMap("a=u,b=v")), false);
});

test("a joining member takes the ids of the running cluster by the peer URLs", () => {
  const running = [member(7n, { peerUrls: ["u"], name: "seven" }), member(8n, { peerUrls: ["v"] })];
  const given = [member(1n, { peerUrls: ["v"], name: "b" }), member(2n, { peerUrls: ["u"] })];
  const isSame = (a: readonly string[], b: readonly string[]) => a.join() === b.join();
  const named = nameMembers(running, given, isSame);
  assert.ok(Array.isArray(named));
  assert.deepEqual(
    named.map(({ id, name }) => [id, name]),
    [
      [7n, ""],
      [8n, "b"],
    ],
  );
  const stranger = nameMembers([member(9n)], given, isSame);
  assert.ok(!Array.isArray(stranger));
  assert.equal(
    unmatchedText(stranger.unmatched, "why"),
    "PeerURLs: no match found for existing member (9, [http://m9:2380]), last resolver error (why)",
  );
  assert.equal(
    clusterText(255n, running.slice(0, 1)),
    "{ClusterID:ff Members:[&{ID:7 RaftAttributes:{PeerURLs:[u] IsLearner:false} " +
      "Attributes:{Name:seven ClientURLs:[]}}] RemovedMemberIDs:[]}",
  );
});

test("the first to register are the cluster, and others are told that it is full", () => {
  const { member: keyOf, size } = registryKeys("t/../t//x");
  assert.equal(size, "/_etcd/registry/t/x/_config/size");
  const registry = new Registry("t/x");
  assert.equal(registry.isFullFor(keyOf("c"), 2), false);
  const add = (id: string, createRevision: number) =>
    registry.add({ key: keyOf(id), urls: `${id}=u${id}`, createRevision });
  assert.equal(add("c", 9), undefined);
  assert.equal(add("a", 5), undefined);
  assert.equal(add("b", 7), undefined);
  assert.equal(add("b", 8), "found duplicate peer from discovery service");
  const odd = { key: keyOf("z"), urls: "z", createRevision: 1 };
  assert.equal(registry.add(odd), "invalid peer info returned from discovery service");
  assert.equal(registry.add({ ...odd, key: "/z" }), "invalid peer registry key");
  assert.equal(registry.initialCluster(2), "a=ua,b=ub");
  assert.equal(registry.isFullFor(keyOf("b"), 2), false);
  assert.equal(registry.isFullFor(keyOf("c"), 2), true);
  assert.equal(registry.isFullFor(keyOf("d"), 3), true);
  assert.equal(registry.isFullFor(keyOf("d"), 4), false);
});

test("the size of a cluster to be is a positive number", () => {
  assert.equal(parseSize("3"), 3);
  assert.equal(parseSize("+3"), 3);
  for (const text of ["0", "-1", "3x", "", "3.0", " 3"]) assert.equal(parseSize(text), undefined);
});
