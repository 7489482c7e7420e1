import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { memoryMib } from "./memory.ts";

test("the memory of a process is read as Linux tells it", () => {
  const { rss, peak, anonymous } = memoryMib(process.pid);
  const own = process.memoryUsage.rss() / 1024 ** 2;
  assert.ok(Math.abs(rss - own) < own / 4, `${rss} MiB, and ${own} by Node's own account`);
  assert.ok(anonymous > 0 && anonymous < rss && rss <= peak, `${anonymous} ${rss} ${peak}`);
});

test("a process that is gone has no memory to tell of", () => {
  const { pid } = spawnSync("true");
  assert.throws(() => memoryMib(pid), /ENOENT/);
});
