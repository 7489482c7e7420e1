/** Messages as plain values: comparable field by field, and readable in a report. */

export type Plain = null | boolean | number | string | Plain[] | { [field: string]: Plain };

/** Bytes as text, one character a byte, what is not printable escaped. */
export function bytesText(bytes: Uint8Array): string {
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  if (/^[\x20-\x5b\x5d-\x7e]*$/.test(latin1)) return latin1;
  let text = "";
  for (const byte of bytes) {
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}

/** A decoded message as plain values; fields without a value and type names are left out. */
export function plain(value: unknown): Plain {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return bytesText(value);
  if (typeof value === "bigint") return `${value}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object") return value as Plain;
  const fields: { [field: string]: Plain } = {};
  for (const [name, field] of Object.entries(value)) {
    if (name !== "$typeName" && field !== undefined) fields[name] = plain(field);
  }
  return fields;
}

/** The paths at which two plain values differ, with both values; at most a dozen. */
export function differences(a: Plain, b: Plain, path = "", found: string[] = []): string[] {
  if (found.length >= 12 || a === b) return found;
  const bothObjects = typeof a === "object" && typeof b === "object" && a !== null && b !== null;
  if (!bothObjects || Array.isArray(a) !== Array.isArray(b)) {
    const [left, right] = aroundDifference(a, b);
    found.push(`${path || "value"}: ${brief(left)} / ${brief(right)}`);
    return found;
  }
  const left = a as { [field: string]: Plain };
  const right = b as { [field: string]: Plain };
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
    differences(left[name] ?? null, right[name] ?? null, `${path}.${name}`, found);
  }
  return found;
}

/** Of two long texts only where they part. */
function aroundDifference(a: Plain, b: Plain): [Plain, Plain] {
  if (typeof a !== "string" || typeof b !== "string") return [a, b];
  let at = 0;
  while (at < Math.min(a.length, b.length) && a[at] === b[at]) at++;
  const from = Math.max(0, at - 60);
  return [a.slice(from), b.slice(from)];
}

/** A plain value in one bounded line, long runs of one character written short. */
export function brief(value: Plain, charsMax = 300): string {
  const runs = /([^\\])\1{30,}/g;
  const text = JSON.stringify(value).replaceAll(runs, (run, c) => `${c}{${run.length}}`);
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}... (${text.length} chars)`;
}
