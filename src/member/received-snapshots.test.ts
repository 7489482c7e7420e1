import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGE_TYPE, type Snapshot } from "../proto/index.ts";
import { message } from "../raft/index.ts";
import { Meters } from "./meters.ts";
import { ReceivedSnapshots, type ReceivedSnapshotsOptions } from "./received-snapshots.ts";

const INDEX = 70;
const SNAPSHOT: Snapshot = {
  data: new Uint8Array(0),
  meta: {
    index: INDEX,
    term: 3,
    confState: {
      voters: [1n],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    },
  },
};
const HARD_STATE = { term: 3, vote: 0n, commit: INDEX };

/** Notes what is done, in order. `wants`: whether raft takes the snapshot. */
function newWorld({ wants = true, storedIndex = INDEX } = {}) {
  const done: string[] = [];
  const [meters, is] = [new Meters(), { now: 1000 }];
  const note = (what: string) => () => void done.push(what);
  const noteLater = (what: string) => async () => void done.push(what);
  const standby = {
    state: { storedIndex },
    db: {},
    adopt: noteLater("the file has the name"),
    use: note("reads come from the file"),
    close: noteLater("closed"),
  };
  const options = {
    received: {
      create: async () => ({
        write: async () => {
          is.now += 200;
          done.push("written");
        },
        finish: async () => {
          is.now += 3;
          done.push("received");
        },
        abort: noteLater("aborted"),
      }),
      open: async () => standby,
      discard: noteLater("discarded"),
    },
    log: { installSnapshot: noteLater("the log says so") },
    pageFile: { open: () => ({ close: note("the old file is closed") }) },
    time: { sleep: async () => {}, now: () => is.now },
    lines: { info: () => {} },
    meters,
    state: { appliedIndex: 5, become: () => (done.push("the state is it"), () => false) },
    db: { become: () => {} },
    storage: { applySnapshot: note("raft goes on from it") },
    pages: { flush: noteLater("the old file is written"), restart: () => {} },
    compactor: { restart: () => {} },
    logKeeper: { settled: noteLater("the old record is made"), restart: () => {} },
    applier: { alone: (work: () => Promise<void>) => work() },
    isStopped: () => false,
    step: () => wants,
    onInstalled: note("installed"),
    spawn: () => {},
  };
  const snapshots = new ReceivedSnapshots(options as unknown as ReceivedSnapshotsOptions);
  return { snapshots, done, meters };
}

async function receive(snapshots: ReceivedSnapshots): Promise<void> {
  const m = message({ type: MESSAGE_TYPE.snap, to: 1n, from: 2n, term: 3, snapshot: SNAPSHOT });
  const sink = snapshots.receive(m);
  assert.ok("finish" in sink);
  await sink.write(Uint8Array.of(1));
  await sink.finish();
}

test("a snapshot takes the place of the state in an order that a crash may end anywhere", async () => {
  const { snapshots, done } = newWorld();
  await receive(snapshots);
  await snapshots.install(SNAPSHOT, HARD_STATE);
  assert.deepEqual(done.slice(0, 10), [
    "written",
    "received",
    "the old file is written",
    "the old record is made",
    "the log says so",
    "the file has the name",
    "reads come from the file",
    "the state is it",
    "raft goes on from it",
    "installed",
  ]);
});

test("how long it took to save it, and to sync it, is measured", async () => {
  const { snapshots, meters } = newWorld();
  await receive(snapshots);
  const { snapshotDbSync, snapshotDbSave } = meters;
  assert.deepEqual([snapshotDbSync.count, snapshotDbSync.sum], [1, 0.003]);
  assert.deepEqual([snapshotDbSave.count, snapshotDbSave.sum], [1, 0.203]);
});

test("what raft does not want is discarded", async () => {
  const { snapshots, done } = newWorld({ wants: false });
  await receive(snapshots);
  assert.deepEqual(done, ["written", "received", "closed", "discarded"]);
});

test("a page file that ends before its snapshot is refused and discarded", async () => {
  const { snapshots, done } = newWorld({ storedIndex: INDEX - 1 });
  await assert.rejects(
    receive(snapshots),
    /the database ends at entry 69, before the snapshot at 70/,
  );
  assert.deepEqual(done.slice(-2), ["closed", "discarded"]);
});

test("while one is on its way into the state no other is taken", async () => {
  const { snapshots } = newWorld();
  await receive(snapshots);
  const m = message({ type: MESSAGE_TYPE.snap, to: 1n, from: 2n, term: 3, snapshot: SNAPSHOT });
  const refusal = snapshots.receive(m);
  assert.ok("message" in refusal && refusal.message === "etcdserver: too many requests");
});
