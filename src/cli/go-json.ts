import { bytesToBase64 } from "../base/index.ts";

/**
 * JSON as Go's `encoding/json` writes structures: 64-bit numbers as numbers, bytes as
 * base64, and what HTML could misread escaped.
 */

/** JSON that is text already, to be put into a bigger value. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Any value; members that are undefined are left out, null stays. */
export function goJson(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (value instanceof Uint8Array) return `"${bytesToBase64(value)}"`;
  if (typeof value === "string") return quote(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(goJson).join(",")}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${quote(name)}:${goJson(member)}`).join(",")}}`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
