/**
 * Text in double quotes as Go's `%q` writes it: users meet it in messages and in command output,
 * and scripts compare it.
 */

const SHORT = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** Within a function, because to build such a set takes longer than most programs need it. */
const isPrintable = (rune: number) =>
  /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(String.fromCodePoint(rune));

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");

function escapeRune(rune: number): string {
  const short = SHORT.get(rune);
  if (short !== undefined) return short;
  if (rune >= 0x20 && rune < 0x7f) return String.fromCharCode(rune);
  if (rune < 0x80) return `\\x${hex(rune, 2)}`;
  if (isPrintable(rune)) return String.fromCodePoint(rune);
  return rune < 0x10000 ? `\\u${hex(rune, 4)}` : `\\U${hex(rune, 8)}`;
}

/** Bytes that are not UTF-8 are written as `\xNN`, one by one. */
export function quoteBytes(bytes: Uint8Array): string {
  let quoted = '"';
  for (let at = 0; at < bytes.length; ) {
    const size = runeBytes(bytes, at);
    quoted += size === 0 ? `\\x${hex(bytes[at]!, 2)}` : escapeRune(runeAt(bytes, at, size));
    at += Math.max(size, 1);
  }
  return `${quoted}"`;
}

export function quoteText(text: string): string {
  let quoted = '"';
  for (const character of text) quoted += escapeRune(character.codePointAt(0)!);
  return `${quoted}"`;
}

/** Bytes of the UTF-8 sequence at `at`, 0 when it is none. */
export function runeBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > bytes.length) return 0;
  for (let i = 1; i < size; i++) {
    if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  }
  const rune = runeAt(bytes, at, size);
  const overlong = rune < (size === 4 ? 0x10000 : size === 3 ? 0x800 : 0x80);
  const surrogate = rune >= 0xd800 && rune <= 0xdfff;
  return overlong || surrogate || rune > 0x10ffff ? 0 : size;
}

function runeAt(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) return bytes[at]!;
  let rune = bytes[at]! & (0x7f >> size);
  for (let i = 1; i < size; i++) rune = (rune << 6) | (bytes[at + i]! & 0x3f);
  return rune;
}
