import { GoTextError, parseDurationMs } from "../cli/index.ts";

/** Types of Go that fields of a configuration have, by the names that error texts give them. */
export type GoType =
  | "string"
  | "bool"
  | "int"
  | "int64"
  | "uint"
  | "uint32"
  | "uint64"
  | "time.Duration"
  | "[]string";

const RANGES: Readonly<Partial<Record<GoType, readonly [bigint, bigint]>>> = {
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint: [0n, 2n ** 64n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  "time.Duration": [-(2n ** 63n), 2n ** 63n - 1n],
};

/**
 * A parsed value as the text that a command line would have for it. Throws GoTextError with the
 * text of Go's JSON decoder when the value is of another type; `path` names the field in it.
 */
export function textOfValue(value: unknown, type: GoType, path: string): string {
  const wrong = (literal = "", of: string = type): GoTextError =>
    new GoTextError(
      `json: cannot unmarshal ${kindOf(value)}${literal} into Go struct field ${path} of type ${of}`,
    );
  if (type === "[]string") {
    if (!Array.isArray(value)) throw wrong();
    return value.map((item) => textOfValue(item, "string", path)).join(",");
  }
  if (type === "string" || type === "bool") {
    if (typeof value === (type === "bool" ? "boolean" : "string")) return String(value);
    throw wrong();
  }
  if (type === "time.Duration" && typeof value === "string") return durationText(value, wrong);
  if (typeof value !== "bigint" && typeof value !== "number") throw wrong();
  const [least, most] = RANGES[type]!;
  if (!Number.isInteger(Number(value)) || value < least || value > most) throw wrong(` ${value}`);
  return type === "time.Duration" ? `${value}ns` : String(value);
}

/** `10m` is no number of nanoseconds, as etcd wants it, but nobody can mistake it. */
function durationText(text: string, wrong: () => GoTextError): string {
  try {
    parseDurationMs(text);
    return text;
  } catch {
    throw wrong();
  }
}

/** What Go's JSON decoder calls a value. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "number";
  return typeof value;
}

/** A JSON object, or anything that came out of a file as one. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
