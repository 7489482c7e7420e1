import assert from "node:assert/strict";
import { test } from "node:test";
import { textToBytes } from "../base/index.ts";
import { Arena } from "../base/index.ts";
import { encodeInternalRequest, ENTRY_TYPE, REQUEST, Writer } from "../proto/index.ts";
import {
  decideClusterVersion,
  downgradeTarget,
  findMisfit,
  isDowngraded,
  Members,
  refusalOfClusterVersion,
  refusalOfDowngrade,
  refusalOfStorageVersion,
  versionForEntry,
} from "./index.ts";
import { newDb } from "./testing.ts";

function decide(cluster: string, servers: (string | undefined)[], downgrade?: string): string {
  const decision = decideClusterVersion({ cluster, servers, downgrade });
  if (decision.kind === "set") return decision.version;
  return decision.kind === "keep" ? "keep" : `impossible for ${decision.of}`;
}

test("the leader sets the least version of all members, and never lower than it was", () => {
  assert.equal(decide("", ["3.7.3", "3.6.8", "3.7.0"]), "3.6.0");
  assert.equal(decide("", ["3.7.3", undefined]), "3.0.0");
  assert.equal(decide("", ["3.7.3", "next"]), "3.0.0");
  assert.equal(decide("3.0.0", ["3.7.3", "3.7.0"]), "3.7.0");
  assert.equal(decide("3.6.0", ["3.7.3", "3.7.0"]), "3.7.0");
  assert.equal(decide("3.6.0", ["3.7.3", "3.6.8"]), "keep");
  assert.equal(decide("3.6.0", ["3.7.3", undefined]), "keep");
  assert.equal(decide("3.7.0", ["3.7.3", "3.6.8"]), "keep");
  assert.equal(decide("3.7.0", ["4.0.0"]), "keep");
});

test("a downgrade lowers it by one minor version, when all members are that far above", () => {
  assert.equal(decide("3.7.0", ["3.7.3", "3.7.0"], "3.6.0"), "3.6.0");
  assert.equal(decide("3.6.0", ["3.7.3", "3.6.0"], "3.6.0"), "keep");
  assert.equal(decide("3.7.0", ["3.7.3", undefined], "3.6.0"), "keep");
  assert.equal(decide("3.7.0", ["3.7.3"], "3.5.0"), "impossible for cluster-version");
  assert.equal(
    decide("3.7.0", ["3.7.3", "3.6.1"], "3.6.0"),
    "impossible for minimal-server-version",
  );
  assert.equal(isDowngraded("3.6.0", ["3.6.1", "3.6.9"]), true);
  assert.equal(isDowngraded("3.6.0", ["3.6.1", "3.7.3"]), false);
  assert.equal(isDowngraded("3.6.0", ["3.6.1", undefined]), false);
});

test("a downgrade is asked for by minor version, with or without a patch", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["3.6", "3.6.0"],
    ["3.6.9", "3.6.0"],
    ["3.6.0-rc.1+x", "3.6.0"],
    ["3", undefined],
    ["v3.6", undefined],
    ["3.6.0.1", undefined],
    ["", undefined],
    ["a.b.c", undefined],
  ];
  for (const [text, target] of cases) assert.equal(downgradeTarget(text), target, text);
  const now = { cluster: "3.7.0", isDowngrading: false };
  assert.equal(refusalOfDowngrade("3.6.0", now), undefined);
  assert.equal(refusalOfDowngrade("3.5.0", now), "invalidDowngradeTargetVersion");
  assert.equal(refusalOfDowngrade("3.7.0", now), "invalidDowngradeTargetVersion");
  const during = { cluster: "3.7.0", isDowngrading: true };
  assert.equal(refusalOfDowngrade("3.6.0", during), "downgradeInProcess");
  assert.equal(refusalOfDowngrade("3.5.0", during), "invalidDowngradeTargetVersion");
});

test("a server joins clusters of its own version and older ones", () => {
  const fit = (versions: string[], isDowngrading = false) =>
    findMisfit(new Map(versions.map((version, i) => [BigInt(i), version])), { isDowngrading })
      ?.kind;
  assert.equal(fit(["3.7.0"]), undefined);
  assert.equal(fit(["3.0.0"]), undefined);
  assert.equal(fit(["not_decided", "3.6.0"]), undefined);
  assert.equal(fit(["not_decided"]), "unknown");
  assert.equal(fit([]), "unknown");
  assert.equal(fit(["3.7.0", "3.8.0"]), "too high");
  assert.equal(fit(["2.3.0"]), "too low");
  assert.equal(fit(["3.8.0"], true), undefined);
  assert.equal(fit(["3.7.0"], true), "too low");
  assert.equal(refusalOfClusterVersion("3.7.0"), undefined);
  assert.match(refusalOfClusterVersion("3.8.0")!, /^invalid downgrade; server version is lower/);
});

test("a page file of a version that is not known is refused", () => {
  assert.equal(refusalOfStorageVersion(""), undefined);
  for (const version of ["3.5.0", "3.6.0", "3.7.0"]) {
    assert.equal(refusalOfStorageVersion(version), undefined);
  }
  assert.equal(refusalOfStorageVersion("3.8.0"), 'version "3.8.0" is not supported');
  assert.match(refusalOfStorageVersion("4.0.0")!, /^changing major storage version/);
});

test("the storage version follows the cluster's up at once, and down when it is told to", () => {
  const db = newDb();
  const members = new Members({ db });
  members.setVersion("3.0.0", { store: true });
  assert.equal(members.storageVersion, "");
  members.setVersion("3.7.0", { store: true });
  assert.equal(members.storageVersion, "3.7.0");
  assert.equal(members.storageVersionDue, undefined);
  members.setVersion("3.6.0", { store: true });
  assert.equal(members.storageVersion, "3.7.0");
  assert.equal(members.storageVersionDue, "3.6.0");
  members.setStorageVersion("3.6.0");
  const again = new Members({ db });
  again.restore();
  assert.deepEqual([again.version, again.storageVersion], ["3.6.0", "3.6.0"]);
  again.setStorageVersion("3.5.0");
  assert.equal(db.bucket("meta").get(textToBytes("storageVersion")), undefined);
});

test("what only newer versions can read keeps the storage from going down", () => {
  const entry = (data: Uint8Array) => versionForEntry({ type: ENTRY_TYPE.normal, data });
  const id = { member: 1, sequence: 1 };
  const put = encodeInternalRequest(new Arena(), REQUEST.put, new Uint8Array(0), id);
  assert.equal(entry(put), undefined);
  const probe = (version: string) => {
    const named = new Writer(16);
    named.bytesField(1, textToBytes(version));
    return encodeInternalRequest(new Arena(), 9900, named.view(), id);
  };
  assert.equal(entry(probe("3.7.0")), 3007);
  assert.equal(entry(probe("3.1.0")), 3006);
  assert.equal(entry(Uint8Array.of(255)), undefined);
  assert.equal(versionForEntry({ type: ENTRY_TYPE.confChange, data: probe("3.7.0") }), undefined);
});
