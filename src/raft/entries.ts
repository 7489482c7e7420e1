import { type Entry, entryBytes } from "./types.ts";

/** Bytes that the entries take in a message, without their length prefixes. */
export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Bytes of data alone: an entry without data counts as nothing. */
export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/** The longest prefix within `bytesMax`, but at least one entry if there is any. */
export function limitEntries(entries: Entry[], bytesMax: number): Entry[] {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += entryBytes(entries[i]!);
    if (bytes > bytesMax && i > 0) return entries.slice(0, i);
  }
  return entries;
}
