/** Peer URLs by member name, each list sorted: the parsed form of `--initial-cluster`. */
export type UrlsMap = ReadonlyMap<string, readonly string[]>;

/** Reads `name=url,name=url,…`; a repeated name adds URLs. The URLs are not looked at. */
export function parseUrlsMap(text: string): UrlsMap {
  const map = new Map<string, string[]>();
  for (const part of text.split(",")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const url = equals < 0 ? "" : part.slice(equals + 1).trim();
    map.set(name, [...(map.get(name) ?? []), url].toSorted());
  }
  return map;
}

/** The text of it, sorted. */
export function urlsMapText(map: UrlsMap): string {
  const pairs = [...map].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  return pairs.toSorted().join(",");
}

/** Whether an URL is there twice. */
export function hasDuplicateUrl(map: UrlsMap): boolean {
  const urls = [...map.values()].flat();
  return new Set(urls).size < urls.length;
}
