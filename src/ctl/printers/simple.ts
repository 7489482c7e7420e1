import { bytesToHex } from "../../base/index.ts";
import type { api } from "../../proto/index.ts";
import type { Page } from "../../cli/index.ts";

export interface KeyValueStyle {
  readonly hex: boolean;
  readonly valueOnly?: boolean;
}

/** A key and its value, a line each. */
export function keyValueLines(page: Page, kv: api.KeyValue, style: KeyValueStyle): void {
  const show = (bytes: Uint8Array) => (style.hex ? escapeHex(bytes) : bytes);
  if (style.valueOnly !== true) page.line(show(kv.key));
  page.line(show(kv.value));
}

/** `\x61\x62`, which a shell's printf turns back. */
function escapeHex(bytes: Uint8Array): string {
  return bytesToHex(bytes).replace(/../g, "\\x$&");
}
