import { quoteText } from "../base/index.ts";
import type { LogLines } from "../member/index.ts";

/** As long as etcd waits for names to be known, and for how long before it asks again. */
const RESOLVE_MS_MAX = 30_000;
const RETRY_MS = 1000;

/** The first address of a host, as the system knows it. */
export type LookUp = (
  host: string,
) => Promise<{ readonly address: string; readonly family: number }>;

export const systemLookUp: LookUp = (host) =>
  process.getBuiltinModule("node:dns").promises.lookup(host, { verbatim: true });

/**
 * Why two lists of URLs do not lead to the same places, in etcd's words; undefined when they do.
 * Names are looked up only if the texts differ (etcd: `netutil.URLStringsEqual`).
 */
export async function whyUrlsDiffer(
  a: readonly string[],
  b: readonly string[],
  { lines, lookUp = systemLookUp }: { readonly lines: LogLines; readonly lookUp?: LookUp },
): Promise<string | undefined> {
  if (a.length !== b.length) return `len(${quoteList(a)}) != len(${quoteList(b)})`;
  if (firstDifference(a, b) === undefined) return undefined;
  const until = performance.now() + RESOLVE_MS_MAX;
  try {
    const resolved = async (urls: readonly string[]) => {
      const found: string[] = [];
      for (const url of urls) found.push(await resolveUrl(url, { lines, lookUp, until }));
      return found;
    };
    const differs = firstDifference(await resolved(a), await resolved(b));
    if (differs === undefined) return undefined;
    return `resolved urls: ${quoteText(differs[0])} != ${quoteText(differs[1])}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function firstDifference(
  a: readonly string[],
  b: readonly string[],
): readonly [string, string] | undefined {
  const [as, bs] = [a.toSorted(), b.toSorted()];
  const at = as.findIndex((url, i) => place(url) !== place(bs[i]!));
  return at < 0 ? undefined : [as[at]!, bs[at]!];
}

/** One text for each place: addresses have many. */
function place(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}

async function resolveUrl(
  url: string,
  { lines, lookUp, until }: { lines: LogLines; lookUp: LookUp; until: number },
): Promise<string> {
  const match = /^(https?:\/\/(?:[^/@]*@)?)(\[[^\]]*\]|[^:/]*):(\d+)$/.exec(url);
  if (match === null || match[2] === "localhost") return url;
  const [, before, host, port] = match;
  const fields = { url, host: `${host}:${port}` };
  for (;;) {
    try {
      const { address, family } = await lookUp(host!.replace(/^\[|\]$/g, ""));
      const resolved = `${family === 6 ? `[${address}]` : address}:${port}`;
      lines.info("resolved URL Host", { ...fields, "resolved-addr": resolved });
      return `${before}${resolved}`;
    } catch (error) {
      const why = (error as Error).message;
      const warning = { ...fields, "retry-interval": "1s", error: why };
      lines.warn("failed to resolve URL Host", warning);
      if (performance.now() + RETRY_MS > until) {
        lines.warn("failed to resolve URL Host; returning", warning);
        throw new Error(`failed to resolve ${quoteText(url)} (${why})`, { cause: error });
      }
      await new Promise((again) => setTimeout(again, RETRY_MS));
    }
  }
}

export const quoteList = (texts: readonly string[]): string =>
  `[${texts.map(quoteText).join(" ")}]`;
