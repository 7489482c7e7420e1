import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText } from "../base/index.ts";
import { api, decodeMessage, ENTRY_TYPE, type Entry, fail, REQUEST } from "../proto/index.ts";
import { MemoryStorage } from "../raft/index.ts";
import { VersionMonitor, type VersionMonitorOptions } from "./version-monitor.ts";

interface World {
  readonly servers: Map<bigint, string>;
  readonly proposed: string[];
  readonly said: string[];
  readonly members: {
    version: string;
    storageVersion: string;
    downgrade: { enabled: boolean; target: string };
  };
  readonly storage: MemoryStorage;
  readonly monitor: VersionMonitor;
  /** The two looks that are due every so often, to their ends. */
  look(): Promise<void>;
}

/** A member that leads two others, of a cluster whose log applies at once. */
function world({ isOwn = true } = {}): World {
  const servers = new Map([
    [2n, "3.7.3"],
    [3n, "3.7.0"],
  ]);
  const [proposed, said]: string[][] = [[], []];
  const members = {
    version: "",
    storageVersion: "3.6.0",
    downgrade: { enabled: false, target: "" },
    list: () => [1n, 2n, 3n].map((id) => ({ id })),
    get storageVersionDue() {
      return members.version === members.storageVersion ? undefined : members.version;
    },
    setStorageVersion: (version: string) => (members.storageVersion = version),
  };
  const storage = new MemoryStorage();
  const works: (() => void)[] = [];
  const running: Promise<unknown>[] = [];
  const options = {
    memberId: 1n,
    state: { members },
    storage,
    leadership: { isOwn },
    network: {
      version: async (id: bigint) => {
        const server = servers.get(id);
        return server === undefined
          ? { kind: "unreached", reason: "gone" }
          : { kind: "value", value: { server, cluster: "", storage: "" } };
      },
    },
    time: { nextTurn: async () => {} },
    lines: {
      info: () => {},
      warn: (text: string) => said!.push(text),
      error: (text: string) => said!.push(text),
    },
    downgradeCheckMs: 1,
    snapshotIndex: () => 0,
    caughtUp: async () => undefined,
    propose: async (field: number, request: Uint8Array) => {
      if (field === REQUEST.clusterVersionSet) {
        members.version = decodeMessage(api.ClusterVersionSetRequest, request).ver;
        proposed!.push(members.version);
      } else {
        const { enabled, ver: target } = decodeMessage(api.DowngradeInfoSetRequest, request);
        members.downgrade = { enabled, target };
        proposed!.push(`${enabled ? "down to" : "no"} ${target}`.trim());
      }
      return undefined;
    },
    change: async (work: () => void) => work(),
    spawn: (work: Promise<unknown>) => running.push(work),
    every: (_ms: number, work: () => void) => works.push(work),
  };
  const monitor = new VersionMonitor(options as unknown as VersionMonitorOptions);
  monitor.start();
  const look = async () => {
    for (const work of works) work();
    while (running.length > 0) await running.shift();
  };
  return { servers, proposed: proposed!, said: said!, members, storage, monitor, look };
}

test("the first version is the lowest that all members run, or the oldest there is", async () => {
  const one = world();
  await one.look();
  assert.deepEqual(one.proposed, ["3.7.0"]);
  one.monitor.applied();
  await one.monitor.known();
  const other = world();
  other.servers.delete(3n);
  await other.look();
  assert.deepEqual(other.proposed, ["3.0.0"]);
  other.servers.set(3n, "3.6.1");
  await other.look();
  other.servers.set(3n, "3.7.1");
  await other.look();
  assert.deepEqual(other.proposed, ["3.0.0", "3.6.0", "3.7.0"]);
  assert.ok(other.said.includes("failed to get version"));
});

test("a follower sets no version, and brings its storage to the cluster's", async () => {
  const { members, proposed, look } = world({ isOwn: false });
  await look();
  members.version = "3.7.0";
  await look();
  assert.deepEqual(proposed, []);
  assert.equal(members.storageVersion, "3.7.0");
});

test("a downgrade is asked for, lowers the version and ends when all members are down", async () => {
  const { servers, members, proposed, monitor, look } = world();
  assert.equal(await monitor.enableDowngrade("3.6"), fail("clusterVersionUnavailable"));
  await look();
  assert.equal(await monitor.refusalToDowngrade("new"), fail("wrongDowngradeVersionFormat"));
  assert.equal(await monitor.refusalToDowngrade("3.5"), fail("invalidDowngradeTargetVersion"));
  assert.equal(await monitor.refusalToDowngrade("3.6.9"), undefined);
  assert.equal(await monitor.enableDowngrade("3.6"), undefined);
  assert.equal(await monitor.enableDowngrade("3.6"), fail("downgradeInProcess"));
  await look();
  await look();
  assert.deepEqual(proposed, ["3.7.0", "down to 3.6.0", "3.6.0"]);
  assert.equal(members.storageVersion, "3.6.0");
  for (const id of servers.keys()) servers.set(id, "3.6.16");
  await look();
  assert.equal(members.downgrade.enabled, true, "this member runs 3.7 still");
  await monitor.cancelDowngrade();
  assert.equal(members.downgrade.enabled, false);
});

test("storage does not go below what the log needs to be read", async () => {
  const { members, storage, said, look } = world({ isOwn: false });
  // A request that names the version which can read it: field 9900, of 3.7.0.
  const data = Uint8Array.of(0xe2, 0xea, 0x04, 7, 0x0a, 5, ...new TextEncoder().encode("3.7.0"));
  const entry: Entry = { term: 1, index: 1, type: ENTRY_TYPE.normal, data };
  assert.equal(bytesToText(data.subarray(6)), "3.7.0");
  storage.append([entry]);
  members.storageVersion = "3.7.0";
  members.version = "3.6.0";
  await look();
  assert.equal(members.storageVersion, "3.7.0");
  assert.ok(said.includes("failed to update storage version"));
});
