import type { Page } from "./page.ts";

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table in box drawing characters: titles centred and in capitals, cells to the right. */
export function drawTable(page: Page, { header, rows }: Table): void {
  const titles = header.map((title) => title.toUpperCase().replaceAll("_", " "));
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const rule = (left: string, cross: string, right: string) =>
    left + widths.map((width) => "─".repeat(width + 2)).join(cross) + right;
  const line = (cells: readonly string[]) => `│ ${cells.join(" │ ")} │`;

  page.line(rule("┌", "┬", "┐"));
  page.line(line(titles.map((title, column) => centre(title, widths[column]!))));
  page.line(rule("├", "┼", "┤"));
  for (const row of rows) {
    page.line(line(row.map((cell, column) => cell.padStart(widths[column]!))));
  }
  page.line(rule("└", "┴", "┘"));
}

function centre(text: string, width: number): string {
  const before = Math.floor((width - text.length) / 2);
  return (" ".repeat(before) + text).padEnd(width);
}
