import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../../../src/base/index.ts";
import { hashAll } from "../../../src/mvcc/index.ts";
import { SLICE } from "../../../src/mvcc/slices.ts";
import { DIR, newDisk } from "../data-dir.ts";
import type { Fault } from "../disk-calls.ts";
import { checkPages } from "./examine.ts";
import { type Follower, follow, type Image } from "./follower.ts";
import { compact, put, remove } from "./requests.ts";

// What is sent to a member as a snapshot, and how it takes that.

const SEED = 5;

const [early, late] = await images();

async function images(): Promise<Image[]> {
  const made: Image[] = [];
  const work = async (member: Follower) => {
    for (const puts of [40, 20]) {
      for (let i = 0; i < puts; i++) await member.ask(put(`s${i % 30}`, "x".repeat(150)));
      made.push(await member.image());
    }
  };
  await follow({ disk: newDisk(), seed: 1, work });
  return made;
}

interface Arriving {
  readonly fault?: Fault;
  readonly work: (member: Follower) => Promise<void>;
}

/** Runs a member that lives on; answers the files of its snapshot directory. */
async function taking({ work, fault }: Arriving): Promise<string[]> {
  const disk = newDisk();
  await follow({ disk, seed: SEED, work, ...(fault && { fault }) });
  return disk.list(DIR.snap).filter((file) => /tmp|\.snap\.db$/.test(file));
}

const keysOf = ({ member }: Follower) => member.state.store.keyCount;

test("a snapshot that begins to arrive takes the place of one that has not arrived yet", async () => {
  const left = await taking({
    work: async (member) => {
      const first = member.open(early!);
      await first.write(early!.bytes.subarray(0, 5000));
      await member.sendSnapshot(late!);
      await assert.rejects(first.write(early!.bytes.subarray(5000)), /another snapshot arrives/);
      await assert.rejects(first.finish(), /another snapshot arrives/);
      await first.abort();
      await member.applied(late!.index);
      assert.equal(keysOf(member), 30);
    },
  });
  assert.deepEqual(left, []);
});

test("while a snapshot is being looked at or installed, no other is taken", async () => {
  await taking({
    work: async (member) => {
      const sink = member.open(early!);
      await sink.write(early!.bytes);
      const finished = sink.finish();
      while (member.member.state.appliedIndex < early!.index) {
        await member.time.sleep(1);
        const isOver = member.member.state.appliedIndex === early!.index;
        assert.ok(isOver || member.tryOpen(late!) === undefined);
      }
      await finished;
    },
  });
});

test("a second snapshot soon after the first is installed as well", async () => {
  const left = await taking({
    work: async (member) => {
      await member.sendSnapshot(early!);
      let sink = member.tryOpen(late!);
      for (; sink === undefined; sink = member.tryOpen(late!)) await member.time.sleep(1);
      await member.sendInto(sink, late!);
      await member.applied(late!.index);
      assert.ok(await told(member, late!.index));
    },
  });
  assert.deepEqual(left, []);
});

test("what the log has already is not installed, and leaves nothing", async () => {
  const left = await taking({
    work: async (member) => {
      await member.sendSnapshot(late!);
      await member.applied(late!.index);
      await member.time.sleep(20);
      await member.sendSnapshot(early!);
      await member.time.sleep(50);
      assert.equal(member.member.state.appliedIndex, late!.index);
    },
  });
  assert.deepEqual(left, []);
});

const broken: [string, (image: Image) => Image, RegExp][] = [
  ["is cut short", (image) => ({ ...image, bytes: image.bytes.subarray(0, 9000) }), /cut short/],
  ["is no database", (image) => ({ ...image, bytes: new Uint8Array(9000).fill(7) }), /meta/],
  ["is older than its message", (image) => ({ ...image, index: image.index + 5 }), /ends at entry/],
  ["is empty", (image) => ({ ...image, bytes: new Uint8Array(0) }), /ends at entry 0/],
];

for (const [what, damage, message] of broken) {
  test(`a page file that ${what} is refused, and the member goes on`, async () => {
    const left = await taking({
      work: async (member) => {
        assert.ok(await member.ask(put("before", "own")));
        await assert.rejects(member.sendSnapshot(damage(early!)), message);
        assert.ok(await member.ask(put("after", "own")));
        await member.sendSnapshot(late!);
        await member.applied(late!.index);
      },
    });
    assert.deepEqual(left, []);
  });
}

test("a sender that goes away leaves nothing", async () => {
  const left = await taking({
    work: async (member) => {
      const sink = member.open(early!);
      await sink.write(early!.bytes.subarray(0, 5000));
      await sink.abort();
    },
  });
  assert.deepEqual(left, []);
});

test("a disk that is full while a snapshot arrives is the sender's trouble alone", async () => {
  const left = await taking({
    fault: { nth: 2, how: "ENOSPC", of: /^write .*\/tmp/ },
    work: async (member) => {
      await assert.rejects(member.sendSnapshot(late!), /ENOSPC/);
      await member.sendSnapshot(late!);
      await member.applied(late!.index);
    },
  });
  assert.deepEqual(left, []);
});

test("reads that are under way end in the old state, and watches hear of the new one", async () => {
  let restored = 0;
  SLICE.nanoseconds = 5000;
  const work = async (follower: Follower) => {
    const { member } = follower;
    for (let i = 0; i < 20; i++) await follower.ask(put(`f${i}`, "own".repeat(2000)));
    const range = member.state.store.range({
      key: Uint8Array.of(0),
      rangeEnd: Uint8Array.of(0),
    });
    const hash = hashAll(member.db);
    assert.ok(range.next().done !== true && hash.next().done !== true);
    await follower.sendSnapshot(late!);
    await follower.applied(late!.index);
    await follower.time.sleep(1000);
    const found = await member.slicer.run(range);
    assert.ok(typeof found !== "string");
    assert.equal(found.count, 20);
    // The old file is closed by now.
    await follower.time.sleep(1000);
    await member.slicer.run(hash);
  };
  await follow({ disk: newDisk(), seed: SEED, work, onRestored: () => restored++ });
  assert.equal(restored, 1);
});

test("a file that is being made smaller, and an image that is being read, bear an exchange", async () => {
  const taken: Image[] = [];
  const work = async (follower: Follower) => {
    const { member } = follower;
    for (let i = 0; i < 20; i++) await follower.ask(put(`f${i}`, "own".repeat(2000)));
    await follower.ask(remove("f", "g"));
    await follower.ask(compact(member.state.store.currentRevision));
    await member.compacted(member.state.store.currentRevision);
    const before = await follower.image();
    const image = await member.openSnapshot();
    const half = image.sizeBytes / 2;
    const first = new Uint8Array(await image.read(half));
    const defragmented = member.defragment();
    await follower.sendSnapshot(late!);
    await follower.applied(late!.index);
    await defragmented;
    follower.append(late!, 3);
    await follower.applied(late!.index + 3);
    await member.committed();
    checkPages(follower);
    const rest = await image.read(half);
    image.close();
    assert.deepEqual(concatBytes([first, rest]).subarray(8192), before.bytes.subarray(8192));
    taken.push(await follower.image());
  };
  await follow({ disk: newDisk(), seed: SEED, work });
  // What it has by then is a snapshot as good as any.
  const again = async (follower: Follower) => {
    await follower.sendSnapshot(taken[0]!);
    await follower.applied(taken[0]!.index);
    assert.equal(keysOf(follower), 33);
  };
  await follow({ disk: newDisk(), seed: SEED, work: again });
});

async function told(member: Follower, index: number): Promise<boolean> {
  for (let tries = 0; tries < 1000; tries++) {
    if (member.promises.acknowledged >= index) return true;
    await member.time.sleep(1);
  }
  return false;
}
