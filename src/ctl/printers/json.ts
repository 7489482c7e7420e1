import { goJson, RawJson } from "../../cli/index.ts";
import type { Schema } from "../../proto/index.ts";

/**
 * A message as etcd's client shows it: fields by their proto names, those that are zero left out,
 * and numbers as numbers, which the gateway's JSON does differently.
 */
export function messageJson<T>(schema: Schema<T>, message: T): RawJson {
  const entries: [string, unknown][] = [];
  for (const field of schema.fields) {
    const value = (message as Record<string, unknown>)[field.name];
    if (isZero(value)) continue;
    const convert = (item: unknown) =>
      field.of === undefined ? item : messageJson(field.of(), item as object);
    entries.push([field.protoName, Array.isArray(value) ? value.map(convert) : convert(value)]);
  }
  return new RawJson(goJson(Object.fromEntries(entries)));
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  return value === undefined || value === 0 || value === 0n || value === "" || value === false;
}
