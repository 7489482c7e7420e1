/** A whole number too large for a `number`, which JSON writes as one: as logs have Go's `uint64`. */
export function jsonNumber(value: bigint): object {
  const json = JSON as typeof JSON & { rawJSON(text: string): object };
  return json.rawJSON(String(value));
}
