import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { textToBytes } from "../base/index.ts";
import { nodeFileIo, prepareDataDir } from "../disk/index.ts";
import { Logger } from "../observe/index.ts";
import { api, encodeMessage, REQUEST } from "../proto/index.ts";
import { bootIn } from "./boot.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { machine } from "./host.ts";

/** Writes take a turn at least, so that reads can come while one is under way. */
const { writeSync: _, ...io } = nodeFileIo;
const HOST = { ...machine(), io, lock: async () => {} };

async function start(dataDir: string) {
  const dir = await prepareDataDir({ dataDir, walDir: "", warn: () => {} });
  const fatal = (error: unknown) => assert.fail(error as Error);
  const options = {
    config: makeConfig(parseFlags([`--data-dir=${dataDir}`], {})),
    logger: new Logger({ level: "fatal" }),
    onRevision: () => {},
    flush: () => {},
    onFatal: fatal,
  };
  const { member } = await bootIn(dir, options, HOST);
  member.start();
  return member;
}

type Member = Awaited<ReturnType<typeof start>>;

const PUT = encodeMessage(api.PutRequest, { key: textToBytes("k"), value: textToBytes("v") });

function put(member: Member): Promise<void> {
  return new Promise((acknowledged) =>
    member.propose(REQUEST.put, PUT, {
      settle: () => acknowledged(),
      fail: ({ message }) => assert.fail(message),
    }),
  );
}

/** Runs a test in a directory of its own. */
async function inDirectory(run: (parent: string) => Promise<void>): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), "restart-"));
  try {
    await run(parent);
  } finally {
    rmSync(parent, { recursive: true });
  }
}

test("reads right after a restart see what was acknowledged before it", () =>
  inDirectory(async (parent) => {
    const first = await start(join(parent, "before"));
    await first.publish({ name: "default", clientUrls: [] });
    for (let i = 0; i < 20; i++) await put(first);
    const { currentRevision } = first.state.store;
    // As a kill leaves it: nothing that was not synced yet.
    cpSync(join(parent, "before"), join(parent, "after"), { recursive: true });
    const second = await start(join(parent, "after"));
    // Asked from the election on: the new leader has not committed an entry of its own yet.
    const revisions: number[] = [];
    for (let turn = 0; turn < 10_000 && revisions.length === 0; turn++) {
      if (second.hasLeader)
        void second.caughtUp().then(() => revisions.push(second.state.store.currentRevision));
      await new Promise(setImmediate);
    }
    assert.equal(revisions[0], currentRevision);
    await first.stop();
    await second.stop();
  }));

test("a member that must apply a long log again tells of itself when that is done", () =>
  inDirectory(async (parent) => {
    const first = await start(join(parent, "data"));
    await first.publish({ name: "default", clientUrls: [] });
    // More than may wait to be applied before requests are refused.
    for (let i = 0; i < 6; i++) await Promise.all(Array.from({ length: 1_000 }, () => put(first)));
    const { currentRevision } = first.state.store;
    await first.stop();
    const second = await start(join(parent, "data"));
    await second.publish({ name: "again", clientUrls: [] });
    assert.equal(second.state.members.get(second.ids.memberId)?.name, "again");
    assert.equal(second.state.store.currentRevision, currentRevision);
    await second.stop();
  }));

test("what a newer version has written is refused, in etcd's words", () =>
  inDirectory(async (parent) => {
    const cases: readonly (readonly [(member: Member) => void, string])[] = [
      [({ state }) => state.members.setStorageVersion("3.8.0"), 'version "3.8.0" is not supported'],
      [
        ({ state }) => state.members.setVersion("3.8.0", { store: true }),
        "invalid downgrade; server version is lower than determined cluster version: 3.8.0",
      ],
    ];
    for (const [at, [age, text]] of cases.entries()) {
      const dataDir = join(parent, String(at));
      const first = await start(dataDir);
      await first.publish({ name: "default", clientUrls: [] });
      await first.versionKnown();
      age(first);
      if (at === 1) first.state.members.setStorageVersion("3.7.0");
      await first.stop();
      await assert.rejects(start(dataDir), { message: text });
    }
  }));

/** Runs the server on a directory until it serves, and stops it. False when it ended before. */
function serves(dataDir: string): Promise<boolean> {
  const program = join(import.meta.dirname, "../../bin/quord");
  const url = "http://127.0.0.1:0";
  const flags = [`--data-dir=${dataDir}`, `--listen-client-urls=${url}`];
  flags.push(`--advertise-client-urls=${url}`, `--listen-peer-urls=${url}`);
  const child = spawn(program, flags, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  let isServing = false;
  for (const output of [child.stdout, child.stderr]) {
    output.on("data", (chunk) => {
      log += String(chunk);
      if (isServing || !log.includes("ready to serve client requests")) return;
      isServing = true;
      child.kill();
    });
  }
  return new Promise((resolve) => child.once("close", () => resolve(isServing)));
}

test("a process does not end while its member waits for a long log to be applied again", () =>
  inDirectory(async (parent) => {
    const dataDir = join(parent, "data");
    const first = await start(dataDir);
    await first.publish({ name: "default", clientUrls: [] });
    // A little more than may wait: applied again before what was refused is said once more.
    for (let i = 0; i < 52; i++) await Promise.all(Array.from({ length: 100 }, () => put(first)));
    await first.stop();
    for (let life = 0; life < 8; life++) assert.ok(await serves(dataDir), `life ${life}`);
  }));
