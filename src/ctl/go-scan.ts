import { bytesAsText } from "./raw-args.ts";

/** Reading Go's quoted strings, which transactions and interactive commands are written with. */

export interface Quoted {
  readonly value: string;
  /** Where the text goes on. */
  readonly end: number;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

/**
 * The quoted string that starts at `at`, in double quotes or back quotes. Bytes written as `\xff`
 * that are not text become lone surrogates, as in arguments. Undefined when there is none.
 */
export function readQuoted(text: string, at: number): Quoted | undefined {
  if (text[at] === "`") {
    const end = text.indexOf("`", at + 1);
    return end < 0 ? undefined : { value: text.slice(at + 1, end), end: end + 1 };
  }
  if (text[at] !== '"') return undefined;
  const bytes: (string | number)[] = [];
  for (let i = at + 1; i < text.length; ) {
    const character = text[i]!;
    if (character === '"') return { value: assemble(bytes), end: i + 1 };
    if (character === "\n") return undefined;
    if (character !== "\\") {
      bytes.push(character);
      i++;
      continue;
    }
    const escape = readEscape(text, i + 1);
    if (escape === undefined) return undefined;
    bytes.push(escape.value);
    i = escape.end;
  }
  return undefined;
}

/** A number is a byte, a string is text. */
function readEscape(
  text: string,
  at: number,
): { readonly value: string | number; readonly end: number } | undefined {
  const letter = text[at] ?? "";
  const simple = ESCAPES[letter];
  if (simple !== undefined) return { value: simple, end: at + 1 };
  const hex = { x: 2, u: 4, U: 8 }[letter];
  const digits = hex === undefined ? text.slice(at, at + 3) : text.slice(at + 1, at + 1 + hex);
  const pattern = hex === undefined ? /^[0-7]{3}$/ : /^[0-9a-fA-F]+$/;
  if (!pattern.test(digits) || (hex !== undefined && digits.length !== hex)) return undefined;
  const code = Number.parseInt(digits, hex === undefined ? 8 : 16);
  if (letter === "u" || letter === "U") {
    const isRune = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isRune ? { value: String.fromCodePoint(code), end: at + 1 + hex! } : undefined;
  }
  if (code > 0xff) return undefined;
  return { value: code, end: at + 3 };
}

function assemble(parts: readonly (string | number)[]): string {
  const bytes = Buffer.concat(
    parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part))),
  );
  return bytesAsText(bytes);
}

/** Go's `\\s` is these five characters, and no others that Unicode calls blank. */
const WORD = /"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\t\n\f\r ][^\t\n\f\r ]*[^'"\t\n\f\r ]?/g;

/** Splits a line into arguments, some of them in quotes. Undefined for a bad escape. */
export function splitArguments(line: string): string[] | undefined {
  const words = line.match(WORD) ?? [];
  const args = words.map((word) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    return word.startsWith('"') ? readQuoted(word, 0)?.value : word;
  });
  return args.every((arg) => arg !== undefined) ? args : undefined;
}
