import { readFileSync } from "node:fs";
import { runeBytes } from "../base/index.ts";

/**
 * Arguments as bytes. Node decodes the command line as UTF-8 and loses what is none, but a key may
 * be any bytes. So such arguments are read again from the system, and a byte that is not text
 * becomes a lone surrogate, U+DC00 plus the byte, which `argBytes` turns back.
 */
export function rawArgs(argv: readonly string[]): readonly string[] {
  if (!argv.some((arg) => arg.includes("\ufffd"))) return argv;
  try {
    const whole = readFileSync("/proc/self/cmdline");
    const parts = whole.toString("latin1").split("\0").slice(0, -1).slice(-argv.length);
    return parts.map((part) => bytesAsText(Buffer.from(part, "latin1")));
  } catch {
    return argv;
  }
}

/** Bytes as an argument: text where they are text. */
export function bytesAsText(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const size = runeBytes(bytes, at);
    text +=
      size === 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : bytes.toString("utf8", at, at + size);
    at += Math.max(1, size);
  }
  return text;
}

/** The bytes that an argument stands for. */
export function argBytes(arg: string): Uint8Array {
  if (arg.isWellFormed()) return Buffer.from(arg);
  const parts = [...arg].map((character) => {
    const code = character.charCodeAt(0);
    const isByte = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    return isByte ? Buffer.of(code - 0xdc00) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}
