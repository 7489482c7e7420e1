/** docs/compatibility.md names everything that is there, in the state that it is in. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { main as ctl } from "../../src/ctl/main.ts";
import { METHODS } from "../../src/rpc/index.ts";
import { FLAGS, type Flag } from "../../src/server/flag-table.ts";
import { main as utl } from "../../src/utl/main.ts";
import { ROOT } from "../lib/binaries.ts";

type Main = typeof ctl;

const STATES = new Set(["done", "later", "different"]);

interface Row {
  readonly section: string;
  /** What stands in backticks in the first cell. */
  readonly names: readonly string[];
  readonly state: string;
  /** What shows it, or why. */
  readonly reason: string;
  readonly line: string;
}

const ROWS: readonly Row[] = readRows();

function readRows(): Row[] {
  const rows: Row[] = [];
  let section = "";
  for (const line of readFileSync(join(ROOT, "docs/compatibility.md"), "utf8").split("\n")) {
    if (line.startsWith("## ")) section = line.slice(3);
    if (!line.startsWith("| ") || line.startsWith("| --")) continue;
    const cells = line.split("|").map((cell) => cell.trim());
    if (cells[2] === "state") continue;
    const names = [...cells[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
    rows.push({ section, names, state: cells[2]!, reason: cells[3] ?? "", line });
  }
  return rows;
}

function stateOf(name: string, section: string): string | undefined {
  return ROWS.find((row) => row.section === section && row.names.includes(name))?.state;
}

test("each row says what it is, and why or what shows it", () => {
  for (const { state, reason, line } of ROWS) {
    assert(STATES.has(state), line);
    assert.notEqual(reason, "", line);
  }
});

test("every method of the API is there, and those to come are said to come", () => {
  for (const [path, { kind }] of METHODS) {
    const state = stateOf(path.slice(1), "gRPC");
    assert(state !== undefined, `${path} is missing`);
    assert.equal(state === "later", kind === "later", path);
  }
});

test("every flag of the server is there, and one without effect is not called done", () => {
  for (const [name, flag] of Object.entries<Flag>(FLAGS)) {
    const state = stateOf(`--${name}`, "Flags of the server");
    assert(state !== undefined, `--${name} is missing`);
    if (flag.later !== undefined) assert.notEqual(state, "done", `--${name}`);
    else assert.notEqual(state, "later", `--${name}`);
    if (flag.later === "refuse") assert.equal(state, "later", `--${name}`);
  }
});

/** What the shell would be offered as the next word. */
async function offered(main: Main, ...words: readonly string[]): Promise<string[]> {
  let text = "";
  const stdout = { isTTY: false, write: (chunk: unknown) => ((text += String(chunk)), true) };
  const io = { stdin: Readable.from([]), stdout, stderr: { ...stdout, write: () => true } };
  await main(["__complete", ...words, ""], {}, io as unknown as Parameters<Main>[2]);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith(":"));
  return lines.map((line) => line.split("\t")[0]!);
}

for (const [program, main] of [
  ["quordctl", ctl],
  ["quordutl", utl],
] as const) {
  test(`every command of ${program} is there`, async () => {
    for (const name of await offered(main)) {
      if (name === "help") continue;
      const words = name === "completion" ? [] : await offered(main, name);
      const inner = words.filter((word) => !word.startsWith("-"));
      const commands = inner.length === 0 ? [name] : inner.map((sub) => `${name} ${sub}`);
      for (const command of commands) {
        assert(stateOf(command, program) === "done", `${program} ${command} is missing`);
      }
    }
  });
}
