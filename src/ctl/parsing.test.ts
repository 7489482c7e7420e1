import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { quoteBytes } from "../base/index.ts";
import { parseComparison, TxnSyntaxError } from "./comparison.ts";
import { readQuoted, splitArguments } from "./go-scan.ts";
import { argBytes, bytesAsText } from "./raw-args.ts";
import { splitWatchArgs, WatchArgsError } from "./watch-args.ts";

const refusal = (line: string): string => {
  try {
    parseComparison(line);
  } catch (error) {
    assert.ok(error instanceof TxnSyntaxError);
    return error.message;
  }
  return "";
};

// As etcdctl 3.7.3 answers them.
test("a line that is no comparison is refused with what was read of it", () => {
  const cases: readonly (readonly [line: string, text: string])[] = [
    ['foo("k") > "0"', 'malformed comparison: foo("k") > "0" (unknown target foo)'],
    ['mod"k" > "0"', 'malformed comparison: mod"k" > "0"'],
    ['mod("k") > 0', 'malformed comparison: mod("k") > 0; got mod("k") > ""'],
    ['mod("k")', 'malformed comparison: mod("k"); got mod("k")  ""'],
    ['mod("k"', 'malformed comparison: mod("k"; got mod("k")  ""'],
    ['mod("k) > "0"', 'malformed comparison: mod("k) > "0"; got mod("k) > ")  ""'],
    ['mod(k) = "x"', 'malformed comparison: mod(k) = "x"; got mod("")  ""'],
    ['val("k")="x"', 'malformed comparison: val("k")="x"; got val("k")  ""'],
    ['mod("k") > "x"', 'invalid txn compare request: mod("k") > "x"'],
    ['ver("k") = "0x1"', 'invalid txn compare request: ver("k") = "0x1"'],
    ['mod("k") >= "0"', 'malformed comparison: mod("k") >= "0" (unknown result op >=)'],
  ];
  for (const [line, text] of cases) assert.equal(refusal(line), text);
});

test("comparisons of all targets are read", () => {
  const key = Buffer.from("k");
  const cases: readonly (readonly [line: string, comparison: object])[] = [
    ['mod("k") > "7"', { key, target: 2, result: 1, modRevision: 7 }],
    ['c("k") != "0"', { key, target: 1, result: 3, createRevision: 0 }],
    ['version("k") < "2"', { key, target: 0, result: 2, version: 2 }],
    ['val("k") = "a\\tb"', { key, target: 3, result: 0, value: Buffer.from("a\tb") }],
    ['lease("k") = "2a"', { key, target: 4, result: 0, lease: 42n }],
    ["val(`k`)  =   `x` rest", { key, target: 3, result: 0, value: Buffer.from("x") }],
  ];
  for (const [line, comparison] of cases) assert.deepEqual(parseComparison(line), comparison);
});

test("any bytes survive being quoted and read, and being an argument", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const quoted = quoteBytes(bytes);
      const read = readQuoted(`x${quoted}y`, 1);
      assert.equal(read?.end, quoted.length + 1);
      assert.deepEqual([...argBytes(read!.value)], [...bytes]);
      assert.deepEqual([...argBytes(bytesAsText(Buffer.from(bytes)))], [...bytes]);
    }),
  );
});

test("a line is split at blanks, quotes holding together", () => {
  assert.deepEqual(splitArguments(`put "a b" 'c "d"' e\\f --x=1`), [
    "put",
    "a b",
    'c "d"',
    "e\\f",
    "--x=1",
  ]);
  assert.deepEqual(splitArguments(" \t"), []);
  assert.equal(splitArguments('put "a\\q"'), undefined);
});

test("only what Go's patterns call blank separates arguments", () => {
  assert.deepEqual(splitArguments("a\u00a0b\vc\td\re"), ["a\u00a0b\vc", "d", "e"]);
});

test("an escape that is no character is none", () => {
  for (const escape of ["\\ud800", "\\U00110000", "\\x4", "\\777", "\\8", "\\'"]) {
    assert.equal(readQuoted(`"${escape}"`, 0), undefined, escape);
  }
  assert.equal(readQuoted('"\\u00e9\\101\\x41\\U0001f600"', 0)?.value, "\u00e9AA\u{1f600}");
});

/** Letters that quoting, escaping and comparing give a meaning to, and some of any kind. */
const NOISE = fc.string({
  unit: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(..."\"'\\`() =<>!xk0u\t\n") },
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
});

test("noise is split or refused, nothing else", () => {
  fc.assert(
    fc.property(NOISE, fc.nat(4), (line, at) => {
      splitArguments(line);
      refusal(line);
      const quoted = readQuoted(line, at);
      if (quoted !== undefined) assert.ok(quoted.end > at + 1 && quoted.end <= line.length);
    }),
  );
});

test("a valid comparison with one letter changed is read or refused, nothing else", () => {
  const valid = ['mod("key") > "12"', 'val("k\\x00") = "a b"', "lease(`k`) != `ff`"];
  fc.assert(
    fc.property(fc.constantFrom(...valid), fc.nat(), NOISE, (line, place, noise) => {
      const at = place % line.length;
      refusal(line.slice(0, at) + noise + line.slice(at + 1));
    }),
  );
});

test("whatever the words, a range and a command come apart as they were put together", () => {
  const word = fc.constantFrom("k", "end", "echo", "watch", "x y", "");
  const flags = fc.constantFrom([], ["--rev", "1"], ["--prefix"]);
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 2 }),
      flags,
      fc.array(word, { minLength: 1, maxLength: 4 }),
      (range, given, command) => {
        const line = [...given, ...range, "--", ...command];
        const split = splitWatchArgs(line, [...range, ...command], []);
        assert.deepEqual(split, { range, command });
      },
    ),
  );
});

test("any words of a watch are split or refused, nothing else", () => {
  const word = fc.constantFrom("k", "--", "--rev", "-i", "");
  const words = fc.array(word, { maxLength: 5 });
  fc.assert(
    fc.property(words, words, fc.array(word, { maxLength: 2 }), (line, args, fixed) => {
      try {
        splitWatchArgs(line, args, fixed);
      } catch (error) {
        assert.ok(error instanceof WatchArgsError);
      }
    }),
  );
});

test("watch tells its range from the command behind the dashes", () => {
  type Case = readonly [line: string, args: string, fixed: string, result: object | string];
  const words = (text: string) => text.split(" ").filter((word) => word !== "");
  const cases: readonly Case[] = [
    ["k", "k", "", { range: ["k"], command: [] }],
    ["k l", "k l", "", { range: ["k", "l"], command: [] }],
    ["k -- echo hi", "k echo hi", "", { range: ["k"], command: ["echo", "hi"] }],
    ["k --rev 1 l -- k", "k l k", "", { range: ["k", "l"], command: ["k"] }],
    ["", "", "env", { range: ["env"], command: [] }],
    ["--rev 1 -- echo", "echo", "env end", { range: ["env", "end"], command: ["echo"] }],
    ["", "", "", "bad number of arguments"],
    ["k --", "k", "", "bad number of arguments (found separator --, but no commands)"],
    ["k", "k", "env", "bad number of arguments (found conflicting environment key)"],
    ["k -- e", "k e", "env", "bad number of arguments (found conflicting environment key)"],
  ];
  for (const [line, args, fixed, result] of cases) {
    const split = () => splitWatchArgs(words(line), words(args), words(fixed));
    if (typeof result === "string") assert.throws(split, new WatchArgsError(result), line);
    else assert.deepEqual(split(), result, line);
  }
});
