import { EMPTY_BYTES, endOfPrefix } from "../base/index.ts";
import { badArgs } from "./define.ts";
import { argBytes } from "./raw-args.ts";

export interface RangeFlags {
  readonly prefix: boolean;
  readonly "from-key": boolean;
}

export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** The lowest key; as an end it means that there is none. */
const ZERO = Uint8Array.of(0);

/** The keys that `<key> [range_end]`, `--prefix` and `--from-key` name. Throws `Exit`. */
export function keyRange(args: readonly string[], flags: RangeFlags): KeyRange {
  if (flags.prefix && flags["from-key"]) {
    badArgs("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  const open = flags.prefix || flags["from-key"];
  if (args.length > 1 && open) {
    badArgs("too many arguments, only accept one argument when `--prefix` or `--from-key` is set");
  }
  const key = argBytes(args[0]!);
  if (!open) return { key, rangeEnd: args.length > 1 ? argBytes(args[1]!) : EMPTY_BYTES };
  if (flags.prefix) return prefixRange(key);
  return { key: key.length === 0 ? ZERO : key, rangeEnd: ZERO };
}

/** All keys with this beginning; with an empty one, all keys. */
export function prefixRange(key: Uint8Array): KeyRange {
  if (key.length === 0) return { key: ZERO, rangeEnd: ZERO };
  return { key, rangeEnd: endOfPrefix(key) ?? ZERO };
}
