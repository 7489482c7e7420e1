import assert from "node:assert/strict";
import { test } from "node:test";
import { Logger, type LogLevel } from "../observe/index.ts";
import { raftLog } from "./raft-log.ts";

function listen(level: LogLevel) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const sink = { write, flush: () => {}, onLost: () => {} };
  return { lines, raft: raftLog(new Logger({ level, sinks: [sink] })) };
}

test("raft speaks under its name, in the levels that are on", () => {
  const { lines, raft } = listen("info");
  raft.info?.("1 became leader at term 2");
  raft.warning?.("1 stepped down to follower since quorum is not active");
  const parts = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    parts.map(({ level, logger, msg }) => [level, logger, msg]),
    [
      ["info", "raft", "1 became leader at term 2"],
      ["warn", "raft", "1 stepped down to follower since quorum is not active"],
    ],
  );
});

test("raft builds no text for a level that is off: it is not there to be called", () => {
  const levels = (level: LogLevel) => Object.keys(listen(level).raft);
  assert.deepEqual(levels("debug"), ["debug", "routine", "info", "warning", "error"]);
  assert.deepEqual(levels("info"), ["info", "warning", "error"]);
  assert.deepEqual(levels("warn"), ["warning", "error"]);
  assert.deepEqual(levels("fatal"), []);
});
