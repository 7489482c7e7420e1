import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Logger } from "../observe/index.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { serve } from "./serve.ts";

const folder = mkdtempSync(join(tmpdir(), "log-lines-"));
after(() => rmSync(folder, { recursive: true }));

type Line = Readonly<Record<string, unknown>>;

/** What a member alone in its cluster writes from its start until it serves and has written `last`. */
async function start(last: string): Promise<Line[]> {
  const lines: Line[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const logger = new Logger({
    level: "info",
    sinks: [{ write, flush: () => {}, onLost: () => {} }],
  });
  const urls = ["client", "peer"].map(
    (what) => `--listen-${what}-urls=unix://${join(folder, `${what}.sock`)}`,
  );
  const flags = [`--data-dir=${join(folder, "data")}`, "--snapshot-count=2", ...urls];
  const config = makeConfig(parseFlags([...flags, "--advertise-client-urls=http://x:2379"], {}));
  const running = await serve(config, logger, (error) => assert.fail(error as Error));
  await running.ready;
  while (!lines.some(({ msg }) => msg === last)) await sleep(10);
  await running.stop();
  return lines;
}

/** `logger: message`, the ids taken out. */
const textOf = ({ logger, msg }: Line): string =>
  (logger === undefined ? "" : `${logger}: `) + String(msg).replaceAll(/\b[0-9a-f]{8,16}\b/g, "ID");

/** Those of the texts that the log has, in its order. */
const among = (lines: readonly Line[], texts: readonly string[]): string[] =>
  lines.map(textOf).filter((text) => texts.includes(text));

const TOLD = "a member's log tells of its election and of its cluster, as etcd's does";

test(TOLD, { timeout: 30_000 }, async () => {
  const first = await start("saved snapshot to disk");
  const founded = [
    "raft: newRaft ID [peers: [], term: 0, commit: 0, applied: 0, lastindex: 0, lastterm: 0]",
    "raft: ID switched to configuration voters=(ID)",
    "starting etcd server",
    "now serving peer/client/metrics",
    "added member",
    "raft: ID became leader at term 2",
    "raft: raft.node: ID elected leader ID at term 2",
    "published local member to cluster through raft",
    "set initial cluster version",
    "enabled capabilities for version",
    "updated storage version",
    "saved snapshot to disk",
    "serving client traffic insecurely; this is strongly discouraged!",
  ];
  const told = among(first, founded);
  assert.deepEqual(
    founded.filter((text) => !told.includes(text)),
    [],
  );
  const again = await start("ready to serve client requests");
  assert.deepEqual(
    among(again, [
      "recovered/added member from store",
      "set cluster version from store",
      "raft: ID became leader at term 3",
    ]),
    [
      "recovered/added member from store",
      "set cluster version from store",
      "raft: ID became leader at term 3",
    ],
  );
  assert.deepEqual(among(again, ["added member", "set initial cluster version"]), []);
});
