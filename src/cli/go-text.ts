import { quoteText } from "../base/index.ts";

/**
 * Numbers, truth values and durations as Go's standard library reads and writes them, with its
 * error texts: they end up in front of users, and in scripts.
 */

/** Text that is not the value it should be; the message is Go's. */
export class GoTextError extends Error {}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** `strconv.ParseInt(text, base, 64)`. Base 0 goes by the prefix and allows underscores. */
export function parseInt64(text: string, base: 0 | 10 | 16): bigint {
  const match = /^([+-]?)(.+)$/s.exec(text);
  const digits = match === null ? undefined : toLiteral(match[2]!, base);
  if (match === null || digits === undefined) fail("ParseInt", text, "invalid syntax");
  const value = match[1] === "-" ? -BigInt(digits) : BigInt(digits);
  if (value > INT64_MAX || value < INT64_MIN) fail("ParseInt", text, "value out of range");
  return value;
}

/** `strconv.ParseUint(text, base, 64)`. */
export function parseUint64(text: string, base: 0 | 10 | 16): bigint {
  const digits = toLiteral(text, base);
  if (digits === undefined) fail("ParseUint", text, "invalid syntax");
  const value = BigInt(digits);
  if (value >= 2n ** 64n) fail("ParseUint", text, "value out of range");
  return value;
}

/** The digits as a literal that BigInt understands. */
function toLiteral(digits: string, base: 0 | 10 | 16): string | undefined {
  if (base === 10) return /^[0-9]+$/.test(digits) ? digits : undefined;
  if (base === 16) return /^[0-9a-fA-F]+$/.test(digits) ? `0x${digits}` : undefined;
  const plain = digits.replace(/(?<=[0-9a-fA-FxXoObB])_(?=[0-9a-fA-F])/g, "").toLowerCase();
  if (/^0[0-7]+$/.test(plain)) return `0o${plain.slice(1)}`;
  return /^(0|[1-9][0-9]*|0x[0-9a-f]+|0o[0-7]+|0b[01]+)$/.test(plain) ? plain : undefined;
}

/** `strconv.ParseBool`. */
export function parseBool(text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  fail("ParseBool", text, "invalid syntax");
}

function fail(reader: string, text: string, why: string): never {
  throw new GoTextError(`strconv.${reader}: parsing ${quoteText(text)}: ${why}`);
}

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `time.ParseDuration`, in milliseconds. */
export function parseDurationMs(text: string): number {
  const body = text.replace(/^[+-]/, "");
  const sign = text.startsWith("-") ? -1 : 1;
  if (body === "0") return 0;
  if (body === "") throw new GoTextError(`time: invalid duration ${quoteText(text)}`);
  let ns = 0;
  for (let rest = body; rest !== ""; ) {
    const part = /^([0-9]*\.?[0-9]*)([^0-9.]*)/.exec(rest)!;
    const number = part[1]!;
    if (number === "" || number === ".") {
      throw new GoTextError(`time: invalid duration ${quoteText(text)}`);
    }
    ns += Number(number) * unitNs(part[2]!, text);
    rest = rest.slice(part[0].length);
  }
  return (sign * ns) / 1e6;
}

function unitNs(unit: string, text: string): number {
  if (unit === "") throw new GoTextError(`time: missing unit in duration ${quoteText(text)}`);
  const ns = UNIT_NS[unit];
  if (ns !== undefined) return ns;
  throw new GoTextError(`time: unknown unit ${quoteText(unit)} in duration ${quoteText(text)}`);
}

/** A number of bytes as people say it, in powers of 1000: `20 kB`, `2.1 GB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const exponent = Math.floor(Math.log(bytes) / Math.log(1000));
  const value = Math.floor((bytes / 1000 ** exponent) * 10 + 0.5) / 10;
  const unit = ["B", "kB", "MB", "GB", "TB", "PB", "EB"][exponent]!;
  return `${value < 10 ? value.toFixed(1) : roundToEven(value)} ${unit}`;
}

/** To the next whole number; from the middle to the even one, as Go prints it. */
function roundToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
