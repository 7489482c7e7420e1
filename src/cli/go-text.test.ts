import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration } from "../base/index.ts";
import {
  formatBytes,
  GoTextError,
  parseBool,
  parseDurationMs,
  parseInt64,
  parseUint64,
} from "./index.ts";

const message = (read: () => unknown): string => {
  try {
    return String(read());
  } catch (error) {
    assert.ok(error instanceof GoTextError, String(error));
    return error.message;
  }
};

test("numbers are read as strconv reads them", () => {
  const cases: readonly (readonly [text: string, base: 0 | 10 | 16, result: string])[] = [
    ["12", 10, "12"],
    ["-5", 10, "-5"],
    ["+5", 10, "5"],
    ["0x10", 0, "16"],
    ["010", 0, "8"],
    ["1_000", 0, "1000"],
    ["ff", 16, "255"],
    ["9223372036854775807", 10, "9223372036854775807"],
    ["9223372036854775808", 10, out("9223372036854775808")],
    ["", 10, bad("")],
    ["x", 10, bad("x")],
    ["1_000", 10, bad("1_000")],
    ["0x1", 10, bad("0x1")],
    ["zz", 16, bad("zz")],
    ["-", 10, bad("-")],
    ['"', 10, 'strconv.ParseInt: parsing "\\"": invalid syntax'],
  ];
  for (const [text, base, result] of cases) {
    assert.equal(
      message(() => parseInt64(text, base)),
      result,
      text,
    );
  }
  assert.equal(
    message(() => parseUint64("18446744073709551615", 10)),
    "18446744073709551615",
  );
  const negative = 'strconv.ParseUint: parsing "-1": invalid syntax';
  assert.equal(
    message(() => parseUint64("-1", 10)),
    negative,
  );
});

const bad = (text: string) => `strconv.ParseInt: parsing "${text}": invalid syntax`;
const out = (text: string) => `strconv.ParseInt: parsing "${text}": value out of range`;

test("truth values are Go's twelve words", () => {
  for (const word of ["1", "t", "T", "TRUE", "true", "True"]) assert.equal(parseBool(word), true);
  for (const word of ["0", "f", "F", "FALSE", "false", "False"]) {
    assert.equal(parseBool(word), false);
  }
  const refused = 'strconv.ParseBool: parsing "yes": invalid syntax';
  assert.equal(
    message(() => parseBool("yes")),
    refused,
  );
});

test("durations are read and written as Go does", () => {
  const cases: readonly (readonly [text: string, result: string])[] = [
    ["5s", "5000"],
    ["1m30s", "90000"],
    ["1.5h", "5400000"],
    ["-10ms", "-10"],
    ["0", "0"],
    ["10", 'time: missing unit in duration "10"'],
    ["1x", 'time: unknown unit "x" in duration "1x"'],
    ["", 'time: invalid duration ""'],
    [".s", 'time: invalid duration ".s"'],
  ];
  for (const [text, result] of cases)
    assert.equal(
      message(() => parseDurationMs(text)),
      result,
    );

  const written: readonly (readonly [ms: number, text: string])[] = [
    [0, "0s"],
    [0.000_5, "500ns"],
    [0.312_5, "312.5µs"],
    [2.694_703, "2.694703ms"],
    [5_000, "5s"],
    [90_000, "1m30s"],
    [3_600_000, "1h0m0s"],
    [-1_500, "-1.5s"],
  ];
  for (const [ms, text] of written) assert.equal(formatDuration(ms), text);
});

test("a written duration is read back", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000_000_000), (microseconds) => {
      const ms = microseconds / 1_000;
      assert.ok(Math.abs(parseDurationMs(formatDuration(ms)) - ms) < 0.001);
    }),
  );
});

test("sizes are short", () => {
  const cases: readonly (readonly [bytes: number, text: string])[] = [
    [0, "0 B"],
    [9, "9 B"],
    [999, "999 B"],
    [16_384, "16 kB"],
    [1_500, "1.5 kB"],
    [20_480, "20 kB"],
    [417_792, "418 kB"],
    [2_147_483_648, "2.1 GB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});
