import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../src/base/index.ts";
import { drawSurvival, newDisk } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import type { Fault } from "../disk-calls.ts";
import { checkPages } from "./examine.ts";
import { contentOf, type Follower, follow, type Image, type Promises } from "./follower.ts";
import { grant, put } from "./requests.ts";

// A member gets a snapshot from a leader, and entries behind it, and its end comes in its n-th file
// call, for every n from the first that has to do with it.

const SEED = 3;
const OWN_PUTS = 30;
const LATER = 4;

/** What the leader has: more than the member, and all of it other. */
const image = await leaderImage();

async function leaderImage(): Promise<Image> {
  let made: Image | undefined;
  await follow({
    disk: newDisk(),
    seed: 1,
    work: async (member) => {
      await member.ask(grant(7n, 600));
      for (let i = 0; i < 90; i++) await member.ask(put(`s${i % 40}`, "x".repeat(200), 7n));
      made = await member.image();
    },
  });
  return made!;
}

/** The life that is cut short. */
async function script(member: Follower): Promise<void> {
  const asked = Array.from({ length: OWN_PUTS }, (_, i) => member.ask(put(`f${i}`, "own")));
  await Promise.all(asked.slice(0, 10));
  await member.sendSnapshot(image);
  await member.applied(image.index);
  member.append(image, LATER);
  await member.applied(image.index + LATER);
  await member.time.sleep(150);
}

/** What it comes to when nothing happens, with so many of the later entries. */
const expected = new Map<number, ReturnType<typeof contentOf>>();
for (let count = 0; count <= LATER; count++) {
  const disk = newDisk();
  const work = async (member: Follower) => {
    await member.sendSnapshot(image);
    await member.applied(image.index);
    if (count > 0) member.append(image, count);
    await member.applied(image.index + count);
    expected.set(image.index + count, contentOf(member.member));
  };
  await follow({ disk, seed: SEED, work });
}

/** The next life: it has everything that was promised, nothing else, and goes on. */
async function examine(disk: Disk, promises: Promises, fault?: Fault): Promise<void> {
  const work = async (life: Follower) => {
    const { member, time } = life;
    while (!member.hasLeader || member.state.appliedIndex < member.committedIndex) {
      await time.sleep(1);
    }
    await member.caughtUp();
    const { keys, hash } = contentOf(member);
    // Its own election and name come behind the log that it had.
    const index = [...expected].find(([, content]) => content.hash === hash)?.[0];
    if (index === undefined) {
      assert.ok(promises.acknowledged < image.index, "the snapshot was acknowledged and is gone");
      assert.ok(keys.every((key) => key.startsWith("f")));
      assert.ok(keys.length >= promises.puts, "puts were acknowledged and are gone");
    } else {
      assert.ok(index >= promises.acknowledged, "entries were acknowledged and are gone");
      assert.deepEqual(keys, expected.get(index)!.keys);
    }
    if (fault !== undefined) return;
    assert.ok(await life.ask(put("alive", "yes")));
    await member.committed();
    checkPages(life);
  };
  await follow({ disk, seed: SEED + 1, work, ...(fault && { fault }) });
}

const whole = await follow({ disk: newDisk(), seed: SEED, work: script });
const first = whole.trace.findIndex((call) => /^create .*\/tmp/.test(call)) + 1;

async function cutShort(nth: number, how: Fault["how"]): Promise<void> {
  const disk = newDisk();
  const promises = { acknowledged: 0, puts: 0 };
  await follow({ disk, seed: SEED, fault: { nth, how }, promises, work: script });
  if (how !== "cut") return examine(disk, promises);
  const random = new Prng(nth);
  const left = disk.afterPowerLoss(drawSurvival(random));
  if (nth % 4 > 0) return examine(left, promises);
  // And once more, while it starts.
  await examine(left, promises, { nth: 1 + random.below(50), how: "cut" });
  await examine(left.afterPowerLoss(drawSurvival(random)), promises);
}

for (const [how, step] of [
  ["cut", 2],
  ["killed", 5],
  ["EIO", 5],
  ["full", 5],
] as const) {
  const broken: string[] = [];
  for (let nth = first; nth <= whole.trace.length; nth += step) {
    const note = (error: Error) => {
      broken.push(`call ${nth}, ${whole.trace[nth - 1]}: ${error.stack}`);
    };
    await cutShort(nth, how).catch(note);
  }
  test(`a snapshot is installed whole or not at all: ${how} at any moment`, () => {
    assert.deepEqual(broken, []);
  });
}
