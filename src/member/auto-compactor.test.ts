import assert from "node:assert/strict";
import { test } from "node:test";
import { type Failure, fail } from "../proto/index.ts";
import { AutoCompactor, type AutoCompactorOptions } from "./auto-compactor.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type Setting = Pick<AutoCompactorOptions, "mode" | "retention">;

/** A compactor in a time that passes only as it sleeps. */
class Play {
  now = 0;
  revision = 1;
  leads = true;
  refusal: Failure | undefined;
  readonly compacted: { minute: number; revision: number }[] = [];
  readonly lines: string[] = [];

  /** Lets it look so often, with `revisions` new ones between two looks. */
  async run(setting: Setting, looks: number, revisions = 1, before?: (look: number) => void) {
    let left = looks;
    const write = (text: string, fields?: object) =>
      this.lines.push(`${text} ${JSON.stringify(fields)}`);
    await new AutoCompactor({
      ...setting,
      now: () => this.now,
      sleep: async (ms) => {
        this.now += ms;
        this.revision += revisions;
        before?.(looks - left);
        left--;
      },
      revision: () => this.revision,
      state: () => (left < 0 ? "stopped" : this.leads ? "leading" : "following"),
      compact: async (revision) => {
        this.compacted.push({ minute: this.now / MINUTE_MS, revision });
        return this.refusal;
      },
      lines: { info: write, warn: write },
      text: { duration: (ms) => `${ms}ms`, bytes: String },
    }).run();
  }
}

test("a period of an hour: noted every six minutes, compacted after the first hour, then hourly", async () => {
  const play = new Play();
  await play.run({ mode: "periodic", retention: HOUR_MS }, 31);
  // What goes is older than the look an hour before, and newer than the one before that.
  assert.deepEqual(play.compacted, [
    { minute: 60, revision: 1 },
    { minute: 120, revision: 10 },
    { minute: 180, revision: 20 },
  ]);
});

test("a period of a day: nothing on the first day, then hourly", async () => {
  const play = new Play();
  await play.run({ mode: "periodic", retention: 24 * HOUR_MS }, 260);
  assert.deepEqual(
    play.compacted.map(({ minute }) => minute),
    [24 * 60, 25 * 60, 26 * 60],
  );
  assert.equal(play.compacted[2]!.revision - play.compacted[1]!.revision, 10);
});

test("a period of five minutes: noted every half minute, compacted every five", async () => {
  const play = new Play();
  await play.run({ mode: "periodic", retention: 5 * MINUTE_MS }, 30);
  assert.deepEqual(
    play.compacted.map(({ minute }) => minute),
    [5, 10, 15],
  );
});

test("nothing new, nothing compacted", async () => {
  const play = new Play();
  await play.run({ mode: "periodic", retention: HOUR_MS }, 60, 0);
  assert.equal(play.compacted.length, 1);
});

test("after a failure it is tried again at the next look", async () => {
  const play = new Play();
  play.refusal = fail("timeout");
  await play.run({ mode: "periodic", retention: HOUR_MS }, 12);
  assert.deepEqual(
    play.compacted.map(({ minute }) => minute),
    [60, 66, 72],
  );
});

test("what somebody else has compacted already counts as done", async () => {
  const play = new Play();
  play.refusal = fail("compacted");
  await play.run({ mode: "periodic", retention: HOUR_MS }, 12);
  assert.equal(play.compacted.length, 1);
});

test("only a leader compacts by itself", async () => {
  const play = new Play();
  play.leads = false;
  await play.run({ mode: "periodic", retention: HOUR_MS }, 12, 1, (look) => {
    if (look === 11) play.leads = true;
  });
  assert.deepEqual(
    play.compacted.map(({ minute }) => minute),
    [72],
  );
});

test("by revision: every five minutes all but the newest so many go", async () => {
  const play = new Play();
  await play.run({ mode: "revision", retention: 250 }, 4, 100);
  assert.deepEqual(play.compacted, [
    { minute: 15, revision: 51 },
    { minute: 20, revision: 151 },
  ]);
});

test("the log says what etcd's says", async () => {
  const play = new Play();
  await play.run({ mode: "periodic", retention: HOUR_MS }, 10);
  play.refusal = fail("timeout");
  await play.run({ mode: "revision", retention: 1 }, 1);
  assert.deepEqual(play.lines, [
    'starting auto periodic compaction {"revision":1,"compact-period":"3600000ms"}',
    'completed auto periodic compaction {"revision":1,"compact-period":"3600000ms","took":"0ms"}',
    'starting auto revision compaction {"revision":12,"revision-compaction-retention":1}',
    'failed auto revision compaction {"revision":12,"revision-compaction-retention":1,' +
      '"retry-interval":"300000ms","error":"etcdserver: request timed out"}',
  ]);
});
