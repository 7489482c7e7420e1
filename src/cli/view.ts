import { EXIT, Exit } from "./command.ts";
import { FieldLines } from "./fields.ts";
import { goJson } from "./go-json.ts";
import { Page } from "./page.ts";
import { drawTable, type Table } from "./table.ts";

export type Format = "simple" | "fields" | "json" | "protobuf" | "table";

export const FORMATS: readonly string[] = ["simple", "fields", "json", "protobuf", "table"];

/** An answer in all the forms in which it can be shown. What is missing is not supported. */
export interface View<L extends FieldLines = FieldLines> {
  simple(page: Page): void;
  readonly fields?: (lines: L) => void;
  /** A value for `goJson`. */
  readonly json?: () => unknown;
  readonly protobuf?: () => Uint8Array;
  readonly table?: () => Table;
}

/** Throws `Exit` when the answer has no such form. */
export function render<L extends FieldLines>(
  view: View<L>,
  format: Format,
  fieldLines: (page: Page) => L,
): Uint8Array {
  const page = new Page();
  if (format === "protobuf" && view.protobuf !== undefined) return view.protobuf();
  if (format === "simple") view.simple(page);
  else if (format === "fields" && view.fields !== undefined) view.fields(fieldLines(page));
  else if (format === "json" && view.json !== undefined) page.line(goJson(view.json()));
  else if (format === "table" && view.table !== undefined) drawTable(page, view.table());
  else throw new Exit(EXIT.badFeature, `${format} not supported as output format`);
  return page.bytes;
}
