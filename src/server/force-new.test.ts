import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { prepareDataDir } from "../disk/index.ts";
import { Logger } from "../observe/index.ts";
import { bootIn } from "./boot.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { machine } from "./host.ts";

const NAMES = ["a", "b", "c"].map((name, i) => `${name}=http://127.0.0.1:${i + 1}`).join(",");
const FLAGS = ["--name=a", `--initial-cluster=${NAMES}`];
FLAGS.push("--initial-advertise-peer-urls=http://127.0.0.1:1");

async function start(dataDir: string, ...flags: string[]) {
  const dir = await prepareDataDir({ dataDir, walDir: "", warn: () => {} });
  const options = {
    config: makeConfig(parseFlags([...FLAGS, `--data-dir=${dataDir}`, ...flags], {})),
    logger: new Logger({ level: "fatal" }),
    onRevision: () => {},
    flush: () => {},
    onFatal: (error: unknown) => assert.fail(error as Error),
  };
  const { member } = await bootIn(dir, options, { ...machine(), lock: async () => {} });
  member.start();
  return member;
}

test("a member whose fellows are lost goes on alone when it is forced to, and stays so", async () => {
  const parent = mkdtempSync(join(tmpdir(), "force-"));
  // The timers of members hold no process.
  const hold = setInterval(() => {}, 1000);
  try {
    const lonely = await start(parent);
    const { memberId } = lonely.ids;
    while (lonely.state.members.allKnown().length < 3) await new Promise(setImmediate);
    assert.equal(lonely.hasLeader, false);
    await lonely.stop();
    const forced = await start(parent, "--force-new-cluster");
    await forced.publish({ name: "a", clientUrls: [] });
    await forced.versionKnown();
    assert.deepEqual(forced.ids, lonely.ids);
    assert.deepEqual(
      forced.state.members.list().map(({ id }) => id),
      [memberId],
    );
    assert.equal(forced.state.members.removedIds().length, 2);
    await forced.stop();
    const again = await start(parent);
    await again.publish({ name: "again", clientUrls: [] });
    assert.equal(again.state.members.get(memberId)?.name, "again");
    await again.stop();
  } finally {
    clearInterval(hold);
    rmSync(parent, { recursive: true });
  }
});
