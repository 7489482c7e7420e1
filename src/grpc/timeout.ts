import { quote } from "./status.ts";

/** Milliseconds of each unit of `grpc-timeout`. */
export const TIMEOUT_UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** A `grpc-timeout` in milliseconds, or why it is none (grpc-go's text). */
export function parseTimeout(text: string): number | string {
  if (text.length < 2) return `transport: timeout string is too short: ${quote(text)}`;
  if (text.length > 9) return `transport: timeout string is too long: ${quote(text)}`;
  const unit = TIMEOUT_UNIT_MS[text.at(-1)!];
  if (unit === undefined) return `transport: timeout unit is not recognized: ${quote(text)}`;
  const digits = text.slice(0, -1);
  if (!/^\d+$/.test(digits)) return `strconv.ParseUint: parsing ${quote(digits)}: invalid syntax`;
  return Number(digits) * unit;
}

/** The `grpc-timeout` for so many milliseconds: the finest unit that needs at most 8 digits. */
export function formatTimeout(ms: number): string {
  for (const unit of ["n", "u", "m", "S", "M", "H"]) {
    const count = Math.ceil(Math.max(ms, 0) / TIMEOUT_UNIT_MS[unit]!);
    if (count < 1e8) return `${count}${unit}`;
  }
  return "99999999H";
}
