import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { completionScript, SHELLS } from "./completion-scripts.ts";
import {
  boolFlag,
  type Command,
  completionCommand,
  helpCommand,
  lazy,
  offering,
  type Program,
  required,
  runProgram,
  stringFlag,
  stringsFlag,
} from "./index.ts";

const put: Command<null> = {
  use: "put <key>",
  short: "Puts a key",
  flags: {
    form: offering(["plain", "fancy"], stringFlag("how to write it", "plain", "f")),
    quick: boolFlag("do it at once", false, "q"),
    tag: stringsFlag("tags of it", []),
  },
  run: () => {},
};

const move: Command<null> = {
  use: "move",
  short: "Moves files",
  flags: {
    from: offering("directories", required(stringFlag("where from"))),
    to: required(stringFlag("where to")),
    force: boolFlag("even so"),
  },
  run: () => {},
};

async function ask(...words: string[]): Promise<{ out: string[]; err: string; status: number }> {
  let [out, err] = ["", ""];
  const program: Program<null> = {
    root: {
      use: "tool",
      short: "",
      flags: {},
      persistentFlags: { verbose: boolFlag("say more", false, "v") },
      commands: [
        put,
        { use: "file", short: "Does things with files", flags: {}, commands: [move] },
        lazy("completion", "Prints a script", async () => completionCommand("tool", () => {})),
        helpCommand(() => program),
      ],
    },
    groups: [],
    rootFlagsShown: true,
    aboutShown: false,
    helpFooter: "",
    repeatsUsageErrors: false,
    context: () => null,
    out: (text) => (out += text),
    err: (text) => (err += text),
  };
  const status = await runProgram(program, words);
  return { out: out.split("\n").slice(0, -1), err, status };
}

const complete = async (...words: string[]) => (await ask("__complete", ...words)).out;

// Form and rules are cobra's, which its users' scripts rely on.
test("what may come next is offered with what it is for", async () => {
  const cases: readonly (readonly [words: string[], ...candidates: string[]])[] = [
    [["p"], "put\tPuts a key", ":4"],
    [["file", ""], "move\tMoves files", ":4"],
    [["put", "--q"], "--quick\tdo it at once", ":4"],
    [["put", "--quick", "--q"], ":4"],
    [["put", "--tag", "a", "--ta"], "--tag\ttags of it", ":4"],
    [["put", "--h"], "--help\thelp for put", ":4"],
    [
      ["-"],
      "--help\thelp for tool",
      "-h\thelp for tool",
      "--verbose\tsay more",
      "-v\tsay more",
      ":4",
    ],
    [["put", "-f", ""], "plain", "fancy", ":0"],
    [["put", "--form="], "plain", "fancy", ":0"],
    [["put", "-qf", ""], "plain", "fancy", ":0"],
    [["put", "-q", ""], ":0"],
    [["put", "key", ""], ":0"],
    [["put", "--", "-"], ":0"],
    [["put", "--help", ""], ":4"],
    [["file", "move", ""], "--from\twhere from", "--to\twhere to", ":0"],
    [["file", "move", "--from", "x", "--"], "--to\twhere to", ":4"],
    [["file", "move", "--from", "/"], ":16"],
    [["completion", ""], ...SHELLS, ":4"],
    [["completion", "bash", ""], ":4"],
    [["help", "f"], "file\tDoes things with files", ":4"],
    [["help", "file", ""], "move\tMoves files", ":4"],
  ];
  for (const [words, ...candidates] of cases) {
    assert.deepEqual(await complete(...words), candidates, words.join(" "));
  }
  assert.deepEqual((await ask("__completeNoDesc", "p")).out, ["put", ":4"]);
});

test("a line that makes no sense is completed with nothing, and the reason is told", async () => {
  const unknown = await ask("__complete", "nothing", "");
  assert.deepEqual([unknown.out, unknown.status], [[":0"], 0]);
  assert.match(
    unknown.err,
    /^\[Debug\] \[Error\] unable to find a command for arguments: \[nothing\]\n/,
  );
  assert.deepEqual(await complete("put", "--no-such-flag", "x", ""), [":0"]);
  assert.equal((await ask("__complete")).status, 1);
});

test("a command does not run without the flags that it must have", async () => {
  const run = await ask("file", "move", "--force");
  assert.match(run.err, /^Error: required flag\(s\) "from", "to" not set\nUsage:\n/);
});

test("bash completes words, flags and values behind an equals sign", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "completion-"));
  t.after(() => rmSync(directory, { recursive: true }));
  // Answers with the words that it was asked about, then with candidates.
  const tool = join(directory, "tool");
  writeFileSync(
    tool,
    `#!/bin/sh\necho "$*" >> ${directory}/asked\nprintf 'json\\tit\\njump\\nx\\n:4\\n'\n`,
  );
  chmodSync(tool, 0o755);
  const cases: readonly (readonly [words: string[], asked: string, replies: string])[] = [
    [["j"], "j", "json jump"],
    [["get", "js"], "get js", "json"],
    [["--form", "=", "js"], "--form=js", "json"],
    [["--at", "=", "a", ":", "1", "j"], "--at=a:1 j", "json jump"],
    [["--form", "="], "--form=", "json jump x"],
    [["get", ""], "get ", "json jump x"],
  ];
  for (const [words, asked, replies] of cases) {
    const script = `${completionScript("bash", "tool")}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
__tool_complete
echo "\${COMPREPLY[*]}"`;
    const run = spawnSync("bash", ["-c", script, "bash", tool, ...words], { encoding: "utf8" });
    assert.equal(run.stdout, `${replies}\n`, run.stderr);
    const heard = spawnSync("tail", ["-n1", join(directory, "asked")], { encoding: "utf8" }).stdout;
    assert.equal(heard, `__complete ${asked}\n`);
  }
});

test("every script asks the program that it is for", () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell, "tool");
    assert.match(script, /tool/);
    assert.match(script, /__complete/);
    assert.doesNotMatch(script, /PROGRAM/);
  }
});
