import { api } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import type { AnswerLines } from "./fields.ts";
import { keyValueLines } from "./simple.ts";
import { messageView } from "./view.ts";

/** Shows keys with their values. */
export function showRange(
  ctl: Ctl,
  answer: api.RangeResponse,
  options: { readonly valueOnly?: boolean } = {},
): void {
  const style = { hex: ctl.flags.hex, ...options };
  ctl.show(
    messageView(api.RangeResponse, answer, {
      simple: (page) => {
        for (const kv of answer.kvs) keyValueLines(page, kv, style);
      },
      fields: (lines) => rangeFields(lines, answer),
    }),
  );
}

export function rangeFields(lines: AnswerLines, answer: api.RangeResponse): void {
  lines.header(answer.header);
  for (const kv of answer.kvs) lines.keyValue("", kv);
  lines.add("More", answer.more);
  lines.add("Count", answer.count);
}
