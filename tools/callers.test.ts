import assert from "node:assert/strict";
import { test } from "node:test";
import { markCallers } from "./callers.ts";

test("calls of the log learn where they stand, and nothing else changes", () => {
  const cases: readonly (readonly [source: string, marked: string])[] = [
    ['this.#ports.lines.info("a");', 'logPlace(this.#ports.lines, "room/f.ts:1").info("a");'],
    ["(text) => logger.warn(text);", '(text) => logPlace(logger, "room/f.ts:1").warn(text);'],
    ["else this.#lines.warn(x);", 'else logPlace(this.#lines, "room/f.ts:1").warn(x);'],
    ["this.#lines[level](x);", 'logPlace(this.#lines, "room/f.ts:1")[level](x);'],
    ["f(\n  lines.error(x))", 'f(\n  logPlace(lines, "room/f.ts:2").error(x))'],
  ];
  for (const [source, marked] of cases) {
    const start = 'import { at as logPlace } from "/observe.ts"; ';
    assert.equal(markCallers(source, "/src/room/f.ts", "/observe.ts"), start + marked);
  }
  for (const source of ['log.info("b");', "headlines.warn(x);", "f().lines.warn(x);"])
    assert.equal(markCallers(source, "/src/room/f.ts", "/observe.ts"), source);
});
