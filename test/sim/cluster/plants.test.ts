import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FOCUS, PLANTS, TOLD_BY } from "./plants.ts";

const ROOT = join(import.meta.dirname, "../../..");

test("each planted bug has one place in the sources, as these are today", () => {
  for (const { name, edits } of PLANTS) {
    for (const { file, find, replace } of edits) {
      const source = readFileSync(join(ROOT, "src", file), "utf8");
      assert.equal(source.split(find).length, 2, `${name} in src/${file}`);
      assert.notEqual(find, replace);
    }
  }
});

test("the page on reliability tells of each planted bug, and of the test that finds it", () => {
  const page = readFileSync(join(ROOT, "docs/reliability.md"), "utf8");
  const [, section] = /^## Planted bugs$(.*?)^## /ms.exec(page)!;
  const rows = section!.match(/^\| `.*$/gm)!.map((row) => row.replaceAll(/ +\|/g, " |"));
  const told = PLANTS.map(({ name, what }) => {
    const test = TOLD_BY[name];
    return `| \`${name}\` | ${what} |${test === undefined ? "" : ` ${test} |`}`;
  });
  assert.deepEqual(rows.toSorted(), told.toSorted());
});

test("faults and tests are named for bugs that there are", () => {
  const names = new Set(PLANTS.map(({ name }) => name));
  assert.equal(names.size, PLANTS.length);
  for (const name of [...Object.keys(FOCUS), ...Object.keys(TOLD_BY)]) assert.ok(names.has(name));
  for (const name of Object.keys(FOCUS)) assert.ok(!(name in TOLD_BY), `${name} has a test`);
  for (const file of Object.values(TOLD_BY)) assert.ok(existsSync(join(ROOT, file)), file);
});
