import { setTimeout as sleep } from "node:timers/promises";
import { quoteText } from "../../base/index.ts";
import { boolFlag, type FlagValues } from "../../cli/index.ts";
import { api, type Init } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, commandDeadline, define } from "../define.ts";
import { keyRange } from "../key-range.ts";
import type { AnswerLines } from "../printers/fields.ts";
import type { Page } from "../../cli/index.ts";
import { keyValueLines, type KeyValueStyle } from "../printers/simple.ts";
import { messageView } from "../printers/view.ts";

const REGRET_MS = 2_000;

export const delFlags = {
  prefix: boolFlag("delete keys with matching prefix"),
  "prev-kv": boolFlag("return deleted key-value pairs"),
  "from-key": boolFlag(
    "delete keys that are greater than or equal to the given key using byte compare",
  ),
  range: boolFlag("delete range of keys"),
} as const;

export const del = define({
  use: "del [options] <key> [range_end]",
  flags: delFlags,
  run: async ({ args, context: ctl }, flags) => {
    const request = await deleteRequest(args, flags, ctl);
    const deadline = await commandDeadline(ctl);
    const { kv } = await import("../../client/index.ts");
    const answer = await callOrExit(await ctl.connect(), kv.deleteRange, request, { deadline });
    ctl.show(
      messageView(api.DeleteRangeResponse, answer, {
        simple: (page) => deleteLines(page, answer, { hex: ctl.flags.hex }),
        fields: (lines) => deleteFields(lines, answer),
      }),
    );
  },
});

export function deleteLines(
  page: Page,
  answer: api.DeleteRangeResponse,
  style: KeyValueStyle,
): void {
  page.line(String(answer.deleted));
  for (const kv of answer.prevKvs) keyValueLines(page, kv, style);
}

export function deleteFields(lines: AnswerLines, answer: api.DeleteRangeResponse): void {
  lines.header(answer.header);
  lines.add("Deleted", answer.deleted);
  for (const kv of answer.prevKvs) lines.keyValue("Prev", kv);
}

/** A range leaves some time to think again, unless `--range` says that it is meant. */
export async function deleteRequest(
  args: readonly string[],
  flags: FlagValues<typeof delFlags>,
  ctl: Pick<Ctl, "err">,
): Promise<Init<api.DeleteRangeRequest>> {
  if (args.length === 0 || args.length > 2) {
    badArgs("del command needs one argument as key and an optional argument as range_end");
  }
  const range = keyRange(args, flags);
  if (args.length > 1 && !flags.range) {
    ctl.err(
      `Warning: Keys between ${quoteText(args[0]!)} and ${quoteText(args[1]!)} will be deleted. ` +
        "Please interrupt the command within next 2 seconds to cancel. You can provide `--range` " +
        "flag to avoid the delay.\n",
    );
    await sleep(REGRET_MS);
  }
  return { ...range, prevKv: flags["prev-kv"] };
}
