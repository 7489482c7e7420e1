import { quoteBytes, quoteText } from "../base/index.ts";
import type { Page } from "./page.ts";

/** The `fields` format: a name and a value on each line, for scripts. */
export class FieldLines {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  add(name: string, value: string | number | bigint | boolean): void {
    this.page.line(`"${name}" : ${value}`);
  }

  quoted(name: string, value: Uint8Array | string): void {
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    this.page.line(`"${name}" : ${quoteBytes(bytes)}`);
  }

  /** Texts in quotes, all on one line. */
  quotedList(name: string, values: readonly string[]): void {
    this.page.line(`"${name}" :${values.map((value) => ` ${quoteText(value)}`).join("")}`);
  }

  gap(): void {
    this.page.line();
  }
}
