import { HeaderField } from "./headers.ts";

/** The static table of RFC 7541, appendix A; entry 0 is not used. */
// biome-ignore format: one entry a line
const ENTRIES: readonly (readonly [string, string?])[] = [
  [""],
  [":authority"],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset"],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language"],
  ["accept-ranges"],
  ["accept"],
  ["access-control-allow-origin"],
  ["age"],
  ["allow"],
  ["authorization"],
  ["cache-control"],
  ["content-disposition"],
  ["content-encoding"],
  ["content-language"],
  ["content-length"],
  ["content-location"],
  ["content-range"],
  ["content-type"],
  ["cookie"],
  ["date"],
  ["etag"],
  ["expect"],
  ["expires"],
  ["from"],
  ["host"],
  ["if-match"],
  ["if-modified-since"],
  ["if-none-match"],
  ["if-range"],
  ["if-unmodified-since"],
  ["last-modified"],
  ["link"],
  ["location"],
  ["max-forwards"],
  ["proxy-authenticate"],
  ["proxy-authorization"],
  ["range"],
  ["referer"],
  ["refresh"],
  ["retry-after"],
  ["server"],
  ["set-cookie"],
  ["strict-transport-security"],
  ["transfer-encoding"],
  ["user-agent"],
  ["vary"],
  ["via"],
  ["www-authenticate"],
];

export const STATIC_TABLE: readonly HeaderField[] = ENTRIES.map(
  ([name, value]) => new HeaderField(name, value ?? ""),
);

/** The first entry of each name. */
const FIRST = new Map<string, number>();
for (let i = STATIC_TABLE.length - 1; i > 0; i--) FIRST.set(STATIC_TABLE[i]!.name, i);

/** The first entry with this name, or 0. */
export function staticNameIndex(name: string): number {
  return FIRST.get(name) ?? 0;
}

/** The entry with this name and value, or 0. Equal names are neighbours. */
export function staticFieldIndex(name: string, value: string): number {
  for (let i = staticNameIndex(name); i > 0 && STATIC_TABLE[i]?.name === name; i++) {
    if (STATIC_TABLE[i]!.value === value) return i;
  }
  return 0;
}
