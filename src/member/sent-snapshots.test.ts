import assert from "node:assert/strict";
import { test } from "node:test";
import { type Commit, MemoryFile } from "../bolt/index.ts";
import { type ConfState, MESSAGE_TYPE, type Message } from "../proto/index.ts";
import { EMPTY_CONF_STATE, message } from "../raft/index.ts";
import type { Position } from "./page-keeper.ts";
import type { NetworkPort, PageFilePort, SnapshotImage, TimePort } from "./ports.ts";
import { SentSnapshots } from "./sent-snapshots.ts";

const SELF = 1n;
const OTHER = 2n;
const LEARNER = 3n;

const member = (id: bigint) => ({
  id,
  peerUrls: [],
  name: "",
  clientUrls: [],
  isLearner: id === LEARNER,
});

function sending(ids: readonly bigint[] = [SELF, OTHER, LEARNER]) {
  const file = new MemoryFile();
  const db = file.open();
  db.bucket("key").put(Uint8Array.of(1), Uint8Array.of(2));
  const commit = db.commit(Number.POSITIVE_INFINITY).next().value as Commit;
  file.write(commit);
  db.committed(commit.txid);
  const sent: { message: Message; image: SnapshotImage }[] = [];
  const failed: bigint[] = [];
  const sleeping: (() => void)[] = [];
  let opened = 0;
  const position: Position = { index: 40, term: 3, members: ids.map(member), version: "3.7.0" };
  const world = { isStopped: false, position };
  const snapshots = new SentSnapshots({
    db,
    pageFile: {
      open: () => {
        opened++;
        return { read: async () => {}, close: () => opened-- };
      },
    } as unknown as PageFilePort,
    network: {
      sendSnapshot: (message: Message, image: SnapshotImage) => sent.push({ message, image }),
    } as unknown as NetworkPort,
    time: { sleep: () => new Promise<void>((wake) => sleeping.push(wake)) } as unknown as TimePort,
    lines: { info: () => {}, warn: () => {} },
    snapshotData: (members, version) => Uint8Array.of(members.length, version.length),
    committed: async () => {},
    durable: () => world.position,
    isStopped: () => world.isStopped,
    failed: (to) => failed.push(to),
    spawn: (work) => void work.catch((error: unknown) => assert.fail(error as Error)),
  });
  const send = async (to: bigint) => {
    const meta = { index: world.position.index - 10, term: 2, confState: EMPTY_CONF_STATE };
    const snapshot = { meta, data: new Uint8Array(0) };
    snapshots.send(message({ type: MESSAGE_TYPE.snap, to, from: SELF, term: 9, snapshot }));
    await turn();
  };
  return { snapshots, db, sent, failed, sleeping, world, send, opened: () => opened };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a snapshot says which entry and which members its page file holds", async () => {
  const { sent, send } = sending();
  await send(LEARNER);
  const { term, snapshot } = sent[0]!.message;
  assert.equal(term, 9);
  const { index, confState } = snapshot!.meta;
  assert.deepEqual([index, snapshot!.meta.term], [40, 3]);
  const { voters, learners }: ConfState = confState;
  assert.deepEqual([voters, learners], [[SELF, OTHER], [LEARNER]]);
  assert.deepEqual([...snapshot!.data], [3, 5]);
});

test("nothing is sent to whom the page file does not know, and raft is told", async () => {
  const { snapshots, sent, failed, send } = sending([SELF, OTHER]);
  await send(LEARNER);
  assert.deepEqual([sent.length, failed], [0, [LEARNER]]);
  assert.equal(snapshots.heldIndex, Number.POSITIVE_INFINITY);
});

test("an image keeps its pages until it is closed", async () => {
  const { db, sent, send, opened } = sending();
  await send(OTHER);
  assert.deepEqual([db.pins, opened()], [1, 1]);
  sent[0]!.image.close();
  sent[0]!.image.close();
  assert.deepEqual([db.pins, opened()], [0, 0]);
});

test("entries behind raft's snapshot are held while one is sent, and 30 s after it went through", async () => {
  const { snapshots, world, sleeping, send } = sending();
  assert.equal(snapshots.heldIndex, Number.POSITIVE_INFINITY);
  await send(OTHER);
  world.position = { ...world.position, index: 70 };
  await send(LEARNER);
  assert.equal(snapshots.heldIndex, 30);
  snapshots.sent(OTHER, true);
  assert.equal(snapshots.heldIndex, 30);
  sleeping.shift()!();
  await turn();
  assert.equal(snapshots.heldIndex, 60);
  snapshots.sent(LEARNER, false);
  assert.equal(snapshots.heldIndex, Number.POSITIVE_INFINITY);
});

test("a member that is sent another snapshot soon is held for by that", async () => {
  const { snapshots, world, sleeping, send } = sending();
  await send(OTHER);
  snapshots.sent(OTHER, true);
  world.position = { ...world.position, index: 70 };
  await send(OTHER);
  sleeping.shift()!();
  await turn();
  assert.equal(snapshots.heldIndex, 60);
});

test("a member that stops sends nothing more", async () => {
  const { world, sent, send } = sending();
  world.isStopped = true;
  await send(OTHER);
  assert.equal(sent.length, 0);
});
