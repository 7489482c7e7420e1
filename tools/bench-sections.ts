/** docs/benchmarks.md: one introduction with the figures of single servers, then a section each. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../test/lib/binaries.ts";

export const PAGE = join(ROOT, "docs", "benchmarks.md");

/** The page with another introduction and the sections that it had. */
export function replaceIntroduction(page: string, introduction: string): string {
  const at = page.indexOf("\n## ");
  return at < 0 ? introduction : introduction + page.slice(at);
}

/** The page with a section of that heading replaced, or added at its end. */
export function replaceSection(page: string, heading: string, body: string): string {
  const section = `\n## ${heading}\n\n${body.trim()}\n`;
  const at = page.indexOf(`\n## ${heading}\n`);
  if (at < 0) return page + section;
  const next = page.indexOf("\n## ", at + 1);
  return page.slice(0, at) + section + (next < 0 ? "" : page.slice(next));
}

export function writeSection(heading: string, body: string): void {
  writeFileSync(PAGE, replaceSection(readFileSync(PAGE, "utf8"), heading, body));
}
