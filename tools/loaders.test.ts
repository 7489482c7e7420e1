import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { serverLoader, toolLoader } from "./loaders.ts";

const dir = mkdtempSync(join(tmpdir(), "quord-loaders-"));
after(() => rmSync(dir, { recursive: true }));

const BUNDLE = `function twice(text) { return text + text; }
console.log(twice(process.argv[2]), process.argv[1] === __filename, typeof require("node:fs"));`;

function run(loader: string): string {
  writeFileSync(join(dir, "tool.main.cjs"), BUNDLE);
  writeFileSync(join(dir, "tool.cjs"), loader);
  return execFileSync(process.execPath, [join(dir, "tool.cjs"), "ab"], { encoding: "utf8" });
}

const SHOWN = "abab true object\n";

test("a tool's bundle runs, is kept compiled by its digest, and runs from what is kept", () => {
  assert.equal(run(toolLoader("tool", "one")), SHOWN);
  const kept = `tool-one-${process.version}-${process.arch}`;
  assert.deepEqual(readdirSync(join(dir, "cache")), [kept]);
  assert.equal(run(toolLoader("tool", "one")), SHOWN);
  assert.equal(run(toolLoader("tool", "two")), SHOWN);
  assert.equal(readdirSync(join(dir, "cache")).length, 2);
});

test("what is kept may be damaged, or not writable: the tool runs all the same", () => {
  const kept = join(dir, "cache", `tool-bad-${process.version}-${process.arch}`);
  run(toolLoader("tool", "bad"));
  writeFileSync(kept, "no such code");
  assert.equal(run(toolLoader("tool", "bad")), SHOWN);
  rmSync(join(dir, "cache"), { recursive: true });
  writeFileSync(join(dir, "cache"), "a file where the folder should be");
  assert.equal(run(toolLoader("tool", "one")), SHOWN);
  rmSync(join(dir, "cache"));
});

test("the server's bundle runs", () => {
  assert.equal(run(serverLoader("tool")), SHOWN);
  assert.ok(existsSync(join(dir, "cache")));
});
