import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { tidy } from "./tidy.ts";

const root = join(import.meta.dirname, "..");

test("the tree keeps the house rules", () => {
  assert.deepEqual(tidy(root), []);
});

const breaches: { what: string; file: string; text: string; says: RegExp }[] = [
  {
    what: "an import that the table does not allow",
    file: "src/h2/planted.ts",
    text: 'import { Raft } from "../raft/index.ts";\nexport const x = Raft;\n',
    says: /h2 may not import raft/,
  },
  {
    what: "an import past a face",
    file: "src/bolt/planted.ts",
    text: 'import { Heap } from "../base/heap.ts";\nexport const x = Heap;\n',
    says: /past its face/,
  },
  {
    what: "a clock in a pure room",
    file: "src/lease/planted.ts",
    text: "export const now = () => Date.now();\n",
    says: /"Date" in a pure room/,
  },
  {
    what: "await in a pure room",
    file: "src/wal/planted.ts",
    text: "export async function f() {}\n",
    says: /"async" in a pure room/,
  },
  {
    what: "a file that nobody imports",
    file: "src/base/planted.ts",
    text: "export const x = 1;\n",
    says: /nothing imports this file/,
  },
  {
    what: "a name that a face shows to nobody",
    file: "src/keys/index.ts",
    text: 'export { type Shape, x } from "./x.ts";\n',
    says: /nobody outside uses x$/m,
  },
  {
    what: "a function that is too long",
    file: "src/base/planted.ts",
    text: `export function f() {\n${"  g();\n".repeat(80)}}\n`,
    says: /function of 82 lines/,
  },
];

for (const { what, file, text, says } of breaches) {
  test(`tidy finds ${what}`, () => {
    const copy = mkdtempSync(join(tmpdir(), "tidy-"));
    try {
      mkdirSync(join(copy, dirname(file)), { recursive: true });
      cpSync(join(root, "src/base"), join(copy, "src/base"), { recursive: true });
      writeFileSync(join(copy, file), text);
      assert.match(tidy(copy).join("\n"), says);
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
}
